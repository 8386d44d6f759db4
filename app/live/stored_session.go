package live

import (
	"context"
	"encoding/json"

	"github.com/snd-rental/yardline/wasmclient"
)

// storedSession is the session of the last user that was signed in, as the storage has it.
type storedSession struct {
	wasmclient.Session
	Over bool `json:"over,omitempty"` // the broker has reported no user since: the app must not open offline
}

// loadSession returns the stored session. It is zero if there is none.
func (l *Live) loadSession(ctx context.Context) (s storedSession) {
	values, err := l.env.Storage.Load(ctx, sessionKey)
	if err != nil || json.Unmarshal(values[sessionKey], &s) != nil {
		return storedSession{}
	}
	return s
}

// saveSession stores the session, so that the app opens offline. It deletes only the data of another
// user, because an answer without a user may be wrong or hold for a moment only. saveSession ignores
// errors of the storage, because the client reports them.
func (l *Live) saveSession(s wasmclient.Session) {
	ctx, cancel := context.WithTimeout(context.Background(), storageTimeout)
	defer cancel()
	before := l.loadSession(ctx)
	next := storedSession{Session: s}
	switch {
	case s.User == nil && before.User == nil:
		return
	case s.User == nil:
		next = before
		next.Over = true
	case before.User != nil && before.User.ID != s.User.ID:
		// The identity provider informs no tab, so the other tabs still show the earlier user.
		defer l.broadcast(signedIn)
		for _, key := range []string{wasmclient.StateKey, trendsKey, preferencesKey, deviceKey} {
			_ = l.env.Storage.Delete(ctx, key)
		}
	}
	next.Warning = nil // A warning holds for the moment only.
	if raw, err := json.Marshal(next); err == nil {
		_ = l.env.Storage.Save(ctx, sessionKey, raw)
	}
}
