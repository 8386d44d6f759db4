package httpapi

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/wire"
)

// A grantWatcher holds the connections that stay open by a grant: streams, WebSockets and
// long polls that wait. It ends each of them when its grant ends. It is safe for
// concurrent use.
type grantWatcher struct {
	// authenticate authenticates a client again.
	authenticate func(context.Context, identity.Credential) (identity.Principal, error)

	mu      sync.Mutex // guards clients; never held while a connection is ended
	clients map[clientKey]*watchedClient
}

// A clientKey identifies the connections of one client: equal keys mean equal principals.
type clientKey struct {
	credential identity.Credential
	name       string // Principal.Credential
	grant      string // the id of Principal.Grant
	expires    int64  // Principal.Expires, in nanoseconds since 1970
}

// A watchedClient has all connections that one credential has opened by the same grant.
// They share its memory, and the grantWatcher authenticates them by one check. Its fields
// except connections do not change.
type watchedClient struct {
	identity.Principal
	key         clientKey
	connections []*watchedConnection // guarded by grantWatcher.mu
}

// A watchedConnection is a stream, a WebSocket or a long poll that waits. grantWatcher.add
// sets its fields except holder.
type watchedConnection struct {
	holder   grantHolder
	client   *watchedClient // does not change after add
	position int            // in client.connections; guarded by grantWatcher.mu
}

// A grantHolder ends a connection.
type grantHolder interface {
	// endGrant ends the connection, because its grant has ended for a reason. It may be
	// called by any goroutine, and more than once.
	endGrant(reason wire.Reason)
}

func newGrantWatcher(
	authenticate func(context.Context, identity.Credential) (identity.Principal, error),
) *grantWatcher {
	return &grantWatcher{authenticate: authenticate, clients: map[clientKey]*watchedClient{}}
}

// add watches the grant of a connection until the caller calls remove. credential is what
// the client p has authenticated by.
//
// add itself authenticates once more, because the grant may have ended or changed
// between the first authentication and this call. If so, add returns the error that
// refuses the request, and watches nothing. ctx bounds that authentication.
func (w *grantWatcher) add(
	ctx context.Context, c *watchedConnection, p identity.Principal, credential identity.Credential,
) error {
	key := clientKey{credential, p.Credential, p.Grant.ID(), p.Expires.UnixNano()}
	w.mu.Lock()
	c.client = w.clients[key]
	if c.client == nil {
		c.client = &watchedClient{Principal: p, key: key}
		w.clients[key] = c.client
	}
	c.position = len(c.client.connections)
	c.client.connections = append(c.client.connections, c)
	w.mu.Unlock()
	now, err := w.authenticate(ctx, credential)
	if err == nil && now.Grant.ID() != key.grant {
		err = regranted
	}
	if err != nil {
		w.remove(c)
	}
	return err
}

// remove ends the watch of a connection. It must be called once after each add that
// returned no error.
func (w *grantWatcher) remove(c *watchedConnection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	open := c.client.connections
	last := open[len(open)-1]
	open[c.position], last.position = last, c.position
	open[len(open)-1] = nil // for the garbage collector
	c.client.connections = open[:len(open)-1]
	if len(c.client.connections) == 0 {
		delete(w.clients, c.client.key)
	}
}

// closeSignedOut ends the connections of a credential that has been signed out.
func (w *grantWatcher) closeSignedOut(credential string) {
	w.end(wire.ByeSignedOut, w.find(func(c *watchedClient) bool { return c.Credential == credential })...)
}

// find returns the clients for which matches is true. matches runs while the lock is held.
func (w *grantWatcher) find(matches func(*watchedClient) bool) (found []*watchedClient) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.clients {
		if matches(c) {
			found = append(found, c)
		}
	}
	return found
}

// end ends the connections of clients.
func (w *grantWatcher) end(reason wire.Reason, clients ...*watchedClient) {
	for _, client := range clients {
		w.mu.Lock()
		open := slices.Clone(client.connections)
		w.mu.Unlock()
		for _, c := range open {
			c.holder.endGrant(reason)
		}
	}
}

// closeExpired ends the connections whose credentials have expired. It returns when
// the next one expires, or the zero time if none is left.
func (w *grantWatcher) closeExpired(now time.Time) (next time.Time) {
	w.end(wire.ByeExpired, w.find(func(c *watchedClient) bool {
		expired := !now.Before(c.Expires)
		if !expired && (next.IsZero() || c.Expires.Before(next)) {
			next = c.Expires
		}
		return expired
	})...)
	return next
}

// recheck authenticates every client again, and ends the connections of those whose
// grants have ended or changed. It returns false if the store failed before all were
// checked: the caller must call it again. ctx bounds the reading of the store.
func (w *grantWatcher) recheck(ctx context.Context) (complete bool) {
	for _, c := range w.find(func(*watchedClient) bool { return true }) {
		p, err := w.authenticate(ctx, c.key.credential)
		switch {
		case errors.Is(err, identity.ErrNotSignedIn) && time.Until(c.Expires) < refreshInterval:
			w.end(wire.ByeExpired, c) // The store drops a session when it expires, so this is no sign-out.
		case errors.Is(err, identity.ErrNotSignedIn):
			w.end(wire.ByeSignedOut, c)
		case errors.Is(err, identity.ErrExpired):
			w.end(wire.ByeExpired, c)
		case errors.Is(err, identity.ErrInvalid), err == nil && p.Grant.ID() != c.key.grant:
			w.end(wire.ByeRegrant, c)
		case err != nil:
			return false // the store fails: each of the others would wait for it too
		}
	}
	return true
}
