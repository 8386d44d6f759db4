package live

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/wasmclient"
)

const (
	// sessionRetry is how long to wait before the broker is asked again who is
	// signed in.
	sessionRetry = 3 * time.Second
	// sessionKey is where the storage has who was signed in, so that the app
	// opens without the broker.
	sessionKey = "session"
	// leavingKey is where the storage has that the user has left, and the broker
	// does not know it yet.
	leavingKey = "leaving"
	// storageTime is how long a storage may take to answer: one that hangs must
	// not hold up the app.
	storageTime = 2 * time.Second
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
		s, err := l.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			l.answered(ctx, s)
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

// ask asks who is signed in; where the user has left the broker is told so first.
func (l *Live) ask(ctx context.Context) (s wasmclient.Session, err error) {
	if l.leaving(ctx) {
		var refused *wasmclient.Error
		if err := l.api.SignOut(ctx); err != nil && (!errors.As(err, &refused) || refused.Status >= 500) {
			return s, err
		}
		l.stayed()
	}
	return l.api.Session(ctx)
}

// leaving tells whether the broker is still to hear of a sign-out.
func (l *Live) leaving(ctx context.Context) bool {
	l.mu.Lock()
	left := l.left
	l.mu.Unlock()
	within, done := context.WithTimeout(ctx, storageTime)
	defer done()
	values, err := l.in.Storage.Load(within, leavingKey)
	return left || err == nil && values[leavingKey] != nil
}

// note keeps it, over reloads too where the storage can.
func (l *Live) note() {
	l.mu.Lock()
	l.left = true
	l.mu.Unlock()
	ctx, done := context.WithTimeout(context.Background(), storageTime)
	defer done()
	_ = l.in.Storage.Save(ctx, leavingKey, []byte("true"))
}

// stayed ends that.
func (l *Live) stayed() {
	l.mu.Lock()
	l.left = false
	l.mu.Unlock()
	ctx, done := context.WithTimeout(context.Background(), storageTime)
	defer done()
	_ = l.in.Storage.Delete(ctx, leavingKey)
}

// answered takes the broker's word on who is signed in.
func (l *Live) answered(ctx context.Context, s wasmclient.Session) {
	l.mu.Lock()
	same := l.client != nil && s.User != nil && l.session.User != nil && s.User.ID == l.session.User.ID && s.Grant == l.session.Grant
	if same {
		l.session = s
	}
	l.mu.Unlock()
	if !same {
		l.use(ctx, s)
	}
}

// offline goes on with who was signed in the last time, if somebody was.
func (l *Live) offline(ctx context.Context) {
	var s wasmclient.Session
	within, done := context.WithTimeout(ctx, storageTime)
	defer done()
	values, err := l.in.Storage.Load(within, sessionKey)
	if err == nil && json.Unmarshal(values[sessionKey], &s) == nil && s.User != nil {
		l.use(ctx, s)
		return
	}
	l.set(func() { l.phase = Failed })
}

// use takes over a session, unless ctx has ended: what was asked is out of date
// then. Nothing of an earlier user's stays.
func (l *Live) use(ctx context.Context, s wasmclient.Session) {
	l.turn.Lock()
	defer l.turn.Unlock()
	if ctx.Err() != nil {
		return
	}
	l.disconnect()
	l.keep(s)
	l.set(func() {
		l.session, l.failure = s, ""
		l.phase = SignedOut
		if s.User != nil {
			l.phase = SignedIn
			l.connectLocked()
		}
	})
}

// keep notes who is signed in, so that the app opens offline; and forgets the
// state of who no longer is. What fails here the client will say.
func (l *Live) keep(s wasmclient.Session) {
	ctx, done := context.WithTimeout(context.Background(), storageTime)
	defer done()
	if s.User == nil {
		_ = l.in.Storage.Delete(ctx, sessionKey)
		_ = l.in.Storage.Delete(ctx, wasmclient.StateKey)
		_ = l.in.Storage.Delete(ctx, trendsKey)
		_ = l.in.Storage.Delete(ctx, preferencesKey)
		return
	}
	if raw, err := json.Marshal(s); err == nil {
		_ = l.in.Storage.Save(ctx, sessionKey, raw)
	}
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
	l.stopAsking()
	l.stayed()
	l.use(ctx, s)
	l.tell(signedIn)
}

// stopAsking ends the asking who is signed in: what it would answer is out of
// date.
func (l *Live) stopAsking() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unask != nil {
		l.unask()
	}
}

// SignInAgain asks who is signed in, after a session has expired. What waits in
// the outbox stays, for the same user.
func (l *Live) SignInAgain(ctx context.Context) { l.forget(ctx, false) }

// SignOut forgets everything of the session at once, and ends it at the broker as
// soon as that can be reached.
func (l *Live) SignOut(ctx context.Context) {
	l.turn.Lock()
	l.drop(true)
	l.note()
	l.turn.Unlock()
	l.tell(signedOut)
	l.Start(ctx)
}

// What tabs tell each other of the session, which they share.
const (
	sessionChannel = "yardline/session/1"
	signedIn       = "signed in"
	signedOut      = "signed out"
	errorsSeen     = "errors seen"
)

// tell says to the other tabs what has become of the session. Those that are
// connected hear it from the broker too; those that are not hear it here alone.
func (l *Live) tell(what string) { l.tabs.Post([]byte(what)) }

// told takes that of another tab.
func (l *Live) told(message []byte) {
	switch string(message) {
	case signedOut:
		go l.forget(context.Background(), true)
	case signedIn:
		go l.Start(context.Background())
	case errorsSeen:
		go l.seen()
	}
}

// forgetOnce is forget, unless the connection is no longer the present one.
func (l *Live) forgetOnce(connection context.Context, purge bool) {
	l.turn.Lock()
	l.mu.Lock()
	present := l.running == connection && connection.Err() == nil
	l.mu.Unlock()
	if !present {
		l.turn.Unlock()
		return
	}
	l.drop(purge)
	l.turn.Unlock()
	l.Start(context.Background())
}

// forget drops everything of the user from the memory, and from the disk too
// where they signed out, and asks anew who is signed in.
func (l *Live) forget(ctx context.Context, purge bool) {
	l.turn.Lock()
	l.drop(purge)
	l.turn.Unlock()
	l.Start(ctx)
}

// drop is the part of forget that must not be interrupted by a sign-in.
func (l *Live) drop(purge bool) {
	l.stopAsking()
	l.disconnect()
	prefix := sessionKey
	if purge {
		prefix = ""
	}
	ctx, done := context.WithTimeout(context.Background(), storageTime)
	defer done()
	left := purge && l.leaving(ctx) // another tab's word, which the broker is still to hear
	err := l.in.Storage.Delete(ctx, prefix)
	if left {
		l.note()
	}
	_ = l.in.Storage.Delete(ctx, trendsKey)
	_ = l.in.Storage.Delete(ctx, preferencesKey)
	if purge && l.in.Forget != nil {
		l.in.Forget()
	}
	l.set(func() {
		l.phase, l.session.User, l.gap = Loading, nil, time.Time{}
		l.trends, l.preferences, l.agreed, l.learned, l.wishing = trends{}, notify.Default(access.Grant{}), notify.Default(access.Grant{}), false, false
		if err != nil && purge {
			l.failure = text.Of("failed.clear")
		}
	})
}
