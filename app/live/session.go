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
	// sessionRetry is the pause before the next request for the session. While no user is signed
	// in, the pause doubles, up to maxSessionRetry.
	sessionRetry    = 3 * time.Second
	maxSessionRetry = time.Minute

	// sessionKey is the key in the storage of the last session, so that the app opens without the
	// broker.
	sessionKey = "session"

	// signOutKey is the key in the storage of the note that a sign-out is pending, because the
	// broker has not answered it.
	signOutKey = "leaving"

	// storageTimeout is how long the storage may take to answer. A storage that hangs must not
	// hold up the app.
	storageTimeout = 2 * time.Second
)

// Start asks the broker for the session, and connects if a user is signed in. If the broker does not
// answer, Start goes on with the stored session and asks until the broker answers. It returns when
// the broker has answered, when ctx ends, or when a later call replaces this one. The context of the
// first call must end with the page.
func (l *Live) Start(ctx context.Context) {
	l.mu.Lock()
	if l.pageCtx == nil {
		l.pageCtx = ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if l.cancelAsking != nil {
		l.cancelAsking()
	}
	l.cancelAsking = cancel
	l.mu.Unlock()
	for first := true; ctx.Err() == nil; first = false {
		s, err := l.fetchSession(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			l.handleSession(ctx, s)
			return
		}
		l.set(func() { l.gatewaySignIn = isLoginRedirect(err) })
		if first {
			l.useStoredSession(ctx)
		}
		timer := time.NewTimer(sessionRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// fetchSession asks the broker for the session. If a sign-out is pending, it tells the broker first.
func (l *Live) fetchSession(ctx context.Context) (s wasmclient.Session, err error) {
	if l.isSignOutPending(ctx) {
		var refused *wasmclient.Error
		err := l.api.SignOut(ctx)
		isAnswered := err == nil || errors.As(err, &refused) && refused.FromBroker && refused.Status < 500
		if !isAnswered {
			return s, err
		}
		l.clearSignOut()
	}
	return l.api.Session(ctx)
}

// isLoginRedirect reports whether a sign-in page of a gateway came in place of the broker's answer.
func isLoginRedirect(err error) bool {
	var refused *wasmclient.Error
	return errors.As(err, &refused) && refused.Code == conn.LoginRedirect
}

// isSignOutPending reports whether the broker has not answered a sign-out yet.
func (l *Live) isSignOutPending(ctx context.Context) bool {
	l.mu.Lock()
	isPending := l.signOutPending
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	values, err := l.env.Storage.Load(ctx, signOutKey)
	return isPending || err == nil && values[signOutKey] != nil
}

// noteSignOut notes that a sign-out is pending. The note outlives reloads if the storage works.
func (l *Live) noteSignOut() {
	l.mu.Lock()
	l.signOutPending = true
	l.mu.Unlock()
	ctx, done := context.WithTimeout(context.Background(), storageTimeout)
	defer done()
	_ = l.env.Storage.Save(ctx, signOutKey, []byte("true"))
}

// clearSignOut deletes the note of a pending sign-out.
func (l *Live) clearSignOut() {
	l.mu.Lock()
	l.signOutPending = false
	l.mu.Unlock()
	ctx, done := context.WithTimeout(context.Background(), storageTimeout)
	defer done()
	_ = l.env.Storage.Delete(ctx, signOutKey)
}

// handleSession handles the broker's session. If the broker could not end the user's sign-in, because
// the browser still sends another cookie of the same user, the app treats the user as signed out all
// the same, and the page shows the reason.
func (l *Live) handleSession(ctx context.Context, s wasmclient.Session) {
	l.mu.Lock()
	if s.User != nil && s.User.ID == l.signedOutUser {
		if s.User = nil; s.Warning == nil {
			s.Warning = &wasmclient.Warning{
				Code:   problem.CodeStillSignedIn,
				Title:  text.Of("still_signed_in"),
				Detail: text.Of("still_signed_in.text"),
			}
		}
	}
	isSame := l.client != nil && s.User != nil && l.session.User != nil &&
		s.User.ID == l.session.User.ID && s.Grant == l.session.Grant
	if isSame {
		l.session, l.gatewaySignIn = s, false
	}
	c := l.client
	l.mu.Unlock()
	switch {
	case !isSame:
		l.replaceSession(ctx, s)
	case c.View().Status.State == conn.Denied:
		c.Connect() // The broker's refusal was wrong, or no longer holds.
	}
}

// useStoredSession goes on with the stored session, if it has a user that the broker has not denied
// since.
func (l *Live) useStoredSession(ctx context.Context) {
	storageCtx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	if stored := l.loadSession(storageCtx); stored.User != nil && !stored.Over {
		l.replaceSession(ctx, stored.Session)
		return
	}
	l.set(func() { l.phase = Failed })
}

// replaceSession replaces the session and the client. It does nothing if ctx has ended, because the
// answer is out of date then. No data of the earlier user stays.
func (l *Live) replaceSession(ctx context.Context, s wasmclient.Session) {
	l.replacing.Lock()
	defer l.replacing.Unlock()
	if ctx.Err() != nil {
		return
	}
	l.disconnect()
	l.saveSession(s)
	l.set(func() {
		l.session, l.failure, l.gatewaySignIn = s, "", false
		l.phase = SignedOut
		if s.User != nil {
			l.phase = SignedIn
			l.connectLocked()
		}
	})
	if s.User == nil {
		l.pollSession()
	}
}

// disconnect stops the client, if there is one.
func (l *Live) disconnect() {
	l.mu.Lock()
	stop := l.stopClient
	l.client, l.stopClient = nil, nil
	l.mu.Unlock()
	if stop != nil {
		stop() // without l.mu: the client still calls its callbacks, which lock it
	}
}

// SignIn signs a user in. Demo users have no password. State.Failure reports an error.
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
	l.clearSignOut()
	l.clearSignedOutUser()
	l.replaceSession(ctx, s)
	l.broadcast(signedIn)
}

// clearSignedOutUser forgets the user that has signed out, because a user signs in again.
func (l *Live) clearSignedOutUser() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signedOutUser, l.sessionPause = "", 0
}

// stopAsking stops the requests for the session, because their answers would be out of date.
func (l *Live) stopAsking() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancelAsking != nil {
		l.cancelAsking()
	}
}

// Reauthenticate asks for the session after it has expired. The outbox stays, for the same user.
func (l *Live) Reauthenticate(ctx context.Context) {
	l.clearSignedOutUser()
	l.forget(ctx, false)
}

// SignOut drops all data of the user at once, and ends the session at the broker as soon as the broker
// can be reached. It returns when the broker has answered, or ctx ends.
func (l *Live) SignOut(ctx context.Context) {
	l.replacing.Lock()
	l.noteSignedOutUser()
	l.dropSession(true)
	l.noteSignOut()
	l.replacing.Unlock()
	l.broadcast(signedOut)
	l.Start(ctx)
}

// noteSignedOutUser records the user that signs out.
func (l *Live) noteSignedOutUser() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session.User != nil {
		l.signedOutUser = l.session.User.ID
	}
}

// Messages to the other tabs, which share the session.
const (
	sessionChannel = "yardline/session/1"
	signedIn       = "signed in"
	signedOut      = "signed out"
	errorsSeen     = "errors seen"
)

// broadcast sends a message to the other tabs. Connected tabs also learn of a sign-out from the
// broker. All other tabs learn of it by this message alone.
func (l *Live) broadcast(message string) { l.channel.Post([]byte(message)) }

// handleBroadcast handles a message of another tab.
func (l *Live) handleBroadcast(message []byte) {
	switch string(message) {
	case signedOut:
		l.noteSignedOutUser()
		go l.forget(l.pageContext(), true)
	case signedIn:
		l.clearSignedOutUser()
		go l.Start(l.pageContext())
	case errorsSeen:
		go l.markErrorsSeen()
	}
}

// pageContext returns the context that ends with the page.
func (l *Live) pageContext() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pageCtx == nil {
		return context.Background()
	}
	return l.pageCtx
}

// forgetIfCurrent is like forget, but does nothing if the client has been replaced since.
func (l *Live) forgetIfCurrent(clientCtx context.Context, purge bool) {
	l.replacing.Lock()
	l.mu.Lock()
	isCurrent := l.clientCtx == clientCtx && clientCtx.Err() == nil
	l.mu.Unlock()
	if !isCurrent {
		l.replacing.Unlock()
		return
	}
	l.dropSession(purge)
	l.replacing.Unlock()
	l.Start(l.pageContext())
}

// forget drops all data of the user from the memory, and with purge from the storage too. Then it
// asks the broker for the session.
func (l *Live) forget(ctx context.Context, purge bool) {
	l.replacing.Lock()
	l.dropSession(purge)
	l.replacing.Unlock()
	l.Start(ctx)
}

// dropSession is the part of forget that a sign-in must not interrupt. The caller must hold l.replacing.
func (l *Live) dropSession(purge bool) {
	l.stopAsking()
	l.disconnect()
	var err error
	if purge {
		ctx, cancel := context.WithTimeout(context.Background(), storageTimeout)
		defer cancel()
		isPending := l.isSignOutPending(ctx) // perhaps by another tab
		err = l.env.Storage.Delete(ctx, "")
		if isPending {
			l.noteSignOut()
		}
	} else {
		l.saveSession(wasmclient.Session{})
	}
	if purge && l.env.OnForget != nil {
		l.env.OnForget()
	}
	l.set(func() {
		l.phase, l.session.User, l.gapAt = Loading, nil, time.Time{}
		l.trends = trends{}
		l.preferences = notify.DefaultPreferences(access.Grant{})
		l.savedPreferences = notify.DefaultPreferences(access.Grant{})
		l.preferencesKnown, l.savingPreferences = false, false
		if err != nil {
			l.failure = text.Of("failed.clear")
		}
	})
}
