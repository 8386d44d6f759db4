package live

import (
	"context"
	"errors"
	"time"

	"github.com/snd-rental/yardline/app/text"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/notify"
	"github.com/snd-rental/yardline/shared/problem"
	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
)

const (
	// sessionRetry is how long to wait before the broker is asked again who is
	// signed in.
	sessionRetry = 3 * time.Second
	// sessionRetryMost bounds the wait that doubles while nobody is.
	sessionRetryMost = time.Minute
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
	l.mu.Lock()
	if l.life == nil {
		l.life = ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
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
		l.set(func() { l.login = redirected(err) })
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
		if err := l.api.SignOut(ctx); err != nil &&
			(!errors.As(err, &refused) || !refused.FromBroker || refused.Status >= 500) {
			return s, err
		}
		l.stayed()
	}
	return l.api.Session(ctx)
}

// redirected tells whether a sign-in page of a gateway came in place of the broker's answer.
func redirected(err error) bool {
	var refused *wasmclient.Error
	return errors.As(err, &refused) && refused.Code == conn.LoginRedirect
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

// answered handles the broker's session. When the broker could not end the user's sign-in, because the browser still
// sends another cookie of the same user, the app treats the user as signed out all the same, and the page shows the
// reason.
func (l *Live) answered(ctx context.Context, s wasmclient.Session) {
	l.mu.Lock()
	if s.User != nil && s.User.ID == l.leftUser {
		if s.User = nil; s.Warning == nil {
			s.Warning = &wasmclient.Warning{Code: problem.CodeStillSignedIn, Title: text.Of("still_signed_in"),
				Detail: text.Of("still_signed_in.text")}
		}
	}
	same := l.client != nil && s.User != nil && l.session.User != nil && s.User.ID == l.session.User.ID && s.Grant == l.session.Grant
	if same {
		l.session, l.login = s, false
	}
	c := l.client
	l.mu.Unlock()
	switch {
	case !same:
		l.use(ctx, s)
	case c.View().Status.State == conn.Denied:
		c.Connect() // The broker's refusal was wrong, or no longer holds.
	}
}

// offline goes on with who was signed in the last time, if somebody was.
func (l *Live) offline(ctx context.Context) {
	within, done := context.WithTimeout(ctx, storageTime)
	defer done()
	if kept := l.kept(within); kept.User != nil && !kept.Over {
		l.use(ctx, kept.Session)
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
		l.session, l.failure, l.login = s, "", false
		l.phase = SignedOut
		if s.User != nil {
			l.phase = SignedIn
			l.connectLocked()
		}
	})
	if s.User == nil {
		l.askOn()
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
	// Browsers silently drop the cookie of a sign-in, for example over plain HTTP.
	if now, err := l.api.Session(ctx); err == nil && now.User == nil {
		l.set(func() {
			if l.failure = text.Of("cookie_dropped"); now.Warning != nil {
				l.failure = now.Warning.Sentence()
			}
		})
		return
	}
	l.stopAsking()
	l.stayed()
	l.cameBack()
	l.use(ctx, s)
	l.tell(signedIn)
}

// cameBack ends a sign-out, because the user has signed in again.
func (l *Live) cameBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leftUser, l.askPause = "", 0
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
func (l *Live) SignInAgain(ctx context.Context) {
	l.cameBack()
	l.forget(ctx, false)
}

// SignOut forgets everything of the session at once, and ends it at the broker as
// soon as that can be reached.
func (l *Live) SignOut(ctx context.Context) {
	l.turn.Lock()
	l.depart()
	l.drop(true)
	l.note()
	l.turn.Unlock()
	l.tell(signedOut)
	l.Start(ctx)
}

// depart records the user that signs out.
func (l *Live) depart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session.User != nil {
		l.leftUser = l.session.User.ID
	}
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
		l.depart()
		go l.forget(l.alive(), true)
	case signedIn:
		l.cameBack()
		go l.Start(l.alive())
	case errorsSeen:
		go l.seen()
	}
}

// alive returns the context of the page's life.
func (l *Live) alive() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life == nil {
		return context.Background()
	}
	return l.life
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
	l.Start(l.alive())
}

// forget drops all data of the user from the memory, and after a sign-out from the
// storage, too. Then it asks the broker for the session.
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
	var err error
	if purge {
		ctx, done := context.WithTimeout(context.Background(), storageTime)
		defer done()
		left := l.leaving(ctx) // Another tab has started a sign-out that the broker does not know yet.
		err = l.in.Storage.Delete(ctx, "")
		if left {
			l.note()
		}
	} else {
		l.keep(wasmclient.Session{})
	}
	if purge && l.in.Forget != nil {
		l.in.Forget()
	}
	l.set(func() {
		l.phase, l.session.User, l.gap = Loading, nil, time.Time{}
		l.trends, l.preferences, l.agreed, l.learned, l.wishing = trends{}, notify.DefaultPreferences(access.Grant{}),
			notify.DefaultPreferences(access.Grant{}), false, false
		if err != nil {
			l.failure = text.Of("failed.clear")
		}
	})
}
