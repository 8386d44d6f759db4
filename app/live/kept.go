package live

import (
	"context"
	"encoding/json"

	"github.com/snd-rental/yardline/wasmclient"
)

// keptSession is the stored session of the last signed-in user.
type keptSession struct {
	wasmclient.Session
	Over bool `json:"over,omitempty"` // the broker has reported no user since: the app must not open offline
}

// kept returns the stored session, or the zero keptSession without one.
func (l *Live) kept(ctx context.Context) (s keptSession) {
	values, err := l.in.Storage.Load(ctx, sessionKey)
	if err != nil || json.Unmarshal(values[sessionKey], &s) != nil {
		return keptSession{}
	}
	return s
}

// keep stores the session, so that the app opens offline. It deletes only the data
// of another user, because an answer without a user may be wrong or hold for a
// moment only. keep ignores errors of the storage, because the client reports them.
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
	next.Warning = nil // A warning holds for the moment only.
	if raw, err := json.Marshal(next); err == nil {
		_ = l.in.Storage.Save(ctx, sessionKey, raw)
	}
}
