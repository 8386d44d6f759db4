package live

import (
	"context"
	"encoding/json"
	"time"

	"github.com/snd-rental/yardline/wasmclient"
)

const (
	// sessionRetry is how long to wait before the broker is asked again who is
	// signed in.
	sessionRetry = 3 * time.Second
	// sessionKey is where the storage has who was signed in, so that the app
	// opens without the broker.
	sessionKey = "session"
)

// Start finds out who is signed in, and connects if somebody is. Where the
// broker does not answer it goes on with who was, and asks until it does. It
// returns once that is known.
func (l *Live) Start(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	if l.unask != nil {
		l.unask()
	}
	l.unask = cancel
	l.mu.Unlock()
	for first := true; ctx.Err() == nil; first = false {
		s, err := l.api.Session(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			l.answered(s)
			return
		}
		if first {
			l.offline(ctx)
		}
		timer := time.NewTimer(sessionRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// answered takes the broker's word on who is signed in.
func (l *Live) answered(s wasmclient.Session) {
	l.mu.Lock()
	same := l.client != nil && s.User != nil && l.session.User != nil && s.User.ID == l.session.User.ID && s.Grant == l.session.Grant
	if same {
		l.session = s
	}
	l.mu.Unlock()
	if !same {
		l.use(s)
	}
}

// offline goes on with who was signed in the last time, if somebody was.
func (l *Live) offline(ctx context.Context) {
	var s wasmclient.Session
	values, err := l.in.Storage.Load(ctx, sessionKey)
	if err == nil && json.Unmarshal(values[sessionKey], &s) == nil && s.User != nil {
		l.use(s)
		return
	}
	l.set(func() { l.phase = Failed })
}

// use takes over a session: nothing of an earlier user's stays.
func (l *Live) use(s wasmclient.Session) {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.disconnect()
	if s.User != nil {
		if raw, err := json.Marshal(s); err == nil {
			// Without it the app does not open offline; the client says where
			// the storage fails.
			_ = l.in.Storage.Save(context.Background(), sessionKey, raw)
		}
	}
	l.set(func() {
		l.session, l.failure = s, ""
		l.phase = SignedOut
		if s.User != nil {
			l.phase = SignedIn
			l.connectLocked()
		}
	})
}

func (l *Live) disconnect() {
	l.mu.Lock()
	leave := l.leave
	l.client, l.leave = nil, nil
	l.mu.Unlock()
	if leave != nil {
		leave() // without the lock: the client's last words come through here
	}
}

// SignIn signs in; demo users have no password.
func (l *Live) SignIn(ctx context.Context, user, password string) {
	s, err := l.api.SignIn(ctx, user, password)
	if err != nil {
		l.set(func() { l.failure = Explain(err) })
		return
	}
	l.use(s)
}

// SignInAgain asks who is signed in, after a session has expired. What waits in
// the outbox stays, for the same user.
func (l *Live) SignInAgain(ctx context.Context) { l.forget(ctx, false) }

// SignOut ends the session and forgets everything of it.
func (l *Live) SignOut(ctx context.Context) {
	if err := l.api.SignOut(ctx); err != nil {
		l.set(func() { l.failure = Explain(err) })
		return
	}
	l.forget(ctx, true)
}

// forgetOnce is forget, unless the connection is no longer the present one.
func (l *Live) forgetOnce(connection context.Context, purge bool) {
	l.mu.Lock()
	present := l.running == connection && connection.Err() == nil
	if present {
		l.running = nil
	}
	l.mu.Unlock()
	if present {
		l.forget(context.Background(), purge)
	}
}

// forget drops everything of the user from the memory, and from the disk too
// where they signed out, and asks anew who is signed in.
func (l *Live) forget(ctx context.Context, purge bool) {
	l.turn.Lock()
	l.disconnect()
	prefix := sessionKey
	if purge {
		prefix = ""
	}
	err := l.in.Storage.Delete(ctx, prefix)
	l.set(func() {
		l.phase, l.session.User = Loading, nil
		if err != nil && purge {
			l.failure = "This browser could not clear its storage. Clear the site’s data in its settings. (storage)"
		}
	})
	l.turn.Unlock()
	l.Start(ctx)
}
