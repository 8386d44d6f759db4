package live

import (
	"context"
	"encoding/json"

	"github.com/snd-rental/yardline/wasmclient"
)

// keptSession is what the storage has of who was signed in the last time.
type keptSession struct {
	wasmclient.Session
	Over bool `json:"over,omitempty"` // the broker has said since that nobody is: it must not open offline
}

// kept is the zero keptSession where nothing is kept.
func (l *Live) kept(ctx context.Context) (s keptSession) {
	values, err := l.in.Storage.Load(ctx, sessionKey)
	if err != nil || json.Unmarshal(values[sessionKey], &s) != nil {
		return keptSession{}
	}
	return s
}

// keep notes who is signed in, so that the app opens offline. It deletes only
// what is another user's: that nobody is signed in may be wrong, or be so for a
// moment. What fails here the client will say.
func (l *Live) keep(s wasmclient.Session) {
	ctx, done := context.WithTimeout(context.Background(), storageTime)
	defer done()
	before := l.kept(ctx)
	next := keptSession{Session: s}
	switch {
	case s.User == nil && before.User == nil:
		return
	case s.User == nil:
		next = before
		next.Over = true
	case before.User != nil && before.User.ID != s.User.ID:
		defer l.tell(signedIn) // an identity provider tells no tab: the others still show the earlier user
		for _, key := range []string{wasmclient.StateKey, trendsKey, preferencesKey, deviceKey} {
			_ = l.in.Storage.Delete(ctx, key)
		}
	}
	next.Warning = nil // it is of its moment
	if raw, err := json.Marshal(next); err == nil {
		_ = l.in.Storage.Save(ctx, sessionKey, raw)
	}
}
