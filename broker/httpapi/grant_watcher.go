package httpapi

import (
	"errors"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/wire"
)

// A grantWatcher holds the connections that stay open by a grant: streams, WebSockets and
// long polls that wait. It ends each of them when its grant ends. It is safe for
// concurrent use.
type grantWatcher struct {
	mu   sync.Mutex // guards open; never held while an end function runs
	open map[*watchedConnection]struct{}
}

// A watchedConnection is a stream, a WebSocket or a long poll that waits.
type watchedConnection struct {
	identity.Principal
	reauthenticate func() (identity.Principal, error)
	end            func(wire.Reason)
}

// add watches the credentials of a connection until the caller calls stop. It calls
// end, from any goroutine and perhaps more than once, with the reason why the grant
// has ended. reauthenticate authenticates the connection's client again.
//
// add itself authenticates once more, because the grant may have ended or changed
// between the first authentication and this call. If so, add returns the error that
// refuses the request, and watches nothing.
func (w *grantWatcher) add(
	p identity.Principal,
	reauthenticate func() (identity.Principal, error),
	end func(wire.Reason),
) (stop func(), err error) {
	c := &watchedConnection{p, reauthenticate, end}
	w.mu.Lock()
	w.open[c] = struct{}{}
	w.mu.Unlock()
	stop = func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, c)
	}
	now, err := reauthenticate()
	if err == nil && now.Grant.ID() != p.Grant.ID() {
		err = regranted
	}
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// closeSignedOut ends the connections of a credential that has been signed out.
func (w *grantWatcher) closeSignedOut(credential string) {
	for _, c := range w.connections() {
		if c.Credential == credential {
			c.end(wire.ByeSignedOut)
		}
	}
}

// connections returns the watched connections.
func (w *grantWatcher) connections() (all []*watchedConnection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		all = append(all, c)
	}
	return all
}

// closeExpired ends the connections whose credentials have expired. It returns when
// the next one expires, or the zero time if none is left.
func (w *grantWatcher) closeExpired(now time.Time) (next time.Time) {
	for _, c := range w.connections() {
		if !now.Before(c.Expires) {
			c.end(wire.ByeExpired)
		} else if next.IsZero() || c.Expires.Before(next) {
			next = c.Expires
		}
	}
	return next
}

// recheck authenticates the client of every connection again, and ends the connections
// whose grants have ended or changed. It returns false if the store failed before all
// were checked: the caller must call it again.
func (w *grantWatcher) recheck() (complete bool) {
	for _, c := range w.connections() {
		p, err := c.reauthenticate()
		switch {
		case errors.Is(err, identity.ErrNotSignedIn) && time.Until(c.Expires) < refreshInterval:
			c.end(wire.ByeExpired) // The store drops a session when it expires, so this is no sign-out.
		case errors.Is(err, identity.ErrNotSignedIn):
			c.end(wire.ByeSignedOut)
		case errors.Is(err, identity.ErrExpired):
			c.end(wire.ByeExpired)
		case errors.Is(err, identity.ErrInvalid), err == nil && p.Grant.ID() != c.Grant.ID():
			c.end(wire.ByeRegrant)
		case err != nil:
			return false // the store fails: each of the others would wait for it too
		}
	}
	return true
}
