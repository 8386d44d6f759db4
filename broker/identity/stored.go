//go:build !js

package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// StoredSessions keeps sessions in the store of the event log, so they survive a
// restart. The store holds only a hash of each cookie's value.
type StoredSessions struct {
	manager *scs.SessionManager
	store   eventlog.Store
	secure  func(*http.Request) bool

	mu        sync.Mutex // guards lastEnded
	lastEnded string     // the value of endedKey when refresh last read it
}

var _ Sessions = (*StoredSessions)(nil)

const (
	// userKey and stampKey are the names of a session's values: the user's name, and
	// the stamp that Directory.User returned at the sign-in.
	userKey  = "user"
	stampKey = "stamp"

	// endedKey is the store's key of a random text. A broker changes it whenever it
	// ends a session, so that the other brokers on the same log notice.
	endedKey = "sessions-ended"
	// storeTimeout bounds the reading of endedKey.
	storeTimeout = 2 * time.Second
)

// NewStoredSessions returns sessions that are kept in a store. installation, an
// InstallationID, becomes a part of the cookie's name. secure tells whether the
// cookie for a request must be limited to HTTPS.
func NewStoredSessions(store eventlog.Store, installation string, secure func(*http.Request) bool) *StoredSessions {
	// scs.New is not used here, because it starts a goroutine for a store of its own.
	manager := &scs.SessionManager{
		Lifetime:         sessionLifetime,
		Store:            sessionStore{store},
		Codec:            scs.GobCodec{},
		HashTokenInStore: true,
		Cookie: scs.SessionCookie{
			Name:     cookieNameOf(installation),
			Path:     "/",
			HttpOnly: true,
			SameSite: http.SameSiteLaxMode,
			Persist:  true,
		},
	}
	return &StoredSessions{store: store, secure: secure, manager: manager}
}

const (
	installationKey = "installation" // the store's key of the installation's id
	installationLen = 8              // characters of that id
)

// InstallationID returns the id of the installation that owns a log's store. The
// first broker on the log creates the id; all brokers on the log share it.
func InstallationID(ctx context.Context, store eventlog.Store) (string, error) {
	id, err := store.Get(ctx, installationKey)
	if errors.Is(err, eventlog.ErrNotFound) {
		id = []byte(strings.ToLower(rand.Text()[:installationLen]))
		err = store.Create(ctx, installationKey, id, 0)
		if errors.Is(err, eventlog.ErrExists) { // Another broker has made the id first.
			id, err = store.Get(ctx, installationKey)
		}
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the installation's id: %w", err)
	}
	return string(id), nil
}

func (s *StoredSessions) refresh() (changed bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	value, err := s.store.Get(ctx, endedKey)
	if errors.Is(err, eventlog.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = s.lastEnded != string(value)
	s.lastEnded = string(value)
	return changed, nil
}

func (s *StoredSessions) start(w http.ResponseWriter, r *http.Request, user, stamp string) (ended []string, err error) {
	ended, err = s.end(w, r)
	if err != nil {
		return nil, err
	}
	ctx, err := s.manager.Load(r.Context(), "")
	if err != nil {
		return nil, fmt.Errorf("identity: session: %w", err)
	}
	s.manager.Put(ctx, userKey, user)
	s.manager.Put(ctx, stampKey, stamp)
	token, expires, err := s.manager.Commit(ctx)
	if err != nil {
		return nil, fmt.Errorf("identity: session: %w", err)
	}
	s.setCookie(ctx, w, r, s.manager.Cookie.Name, token, expires)
	return ended, nil
}

// setCookie writes a session cookie. A zero expires removes it.
func (s *StoredSessions) setCookie(
	ctx context.Context,
	w http.ResponseWriter,
	r *http.Request,
	name, token string,
	expires time.Time,
) {
	m := *s.manager
	m.Cookie.Name, m.Cookie.Secure = name, s.secure(r)
	m.WriteSessionCookie(ctx, w, token, expires)
}

func (s *StoredSessions) end(w http.ResponseWriter, r *http.Request) (ended []string, err error) {
	for _, name := range s.cookieNames() {
		for _, token := range cookies(r, name) {
			ctx, found, err := s.load(r.Context(), token)
			if err != nil {
				return ended, err
			}
			if found.user == "" {
				continue // A cookie of another installation on this host stays.
			}
			if err := s.manager.Destroy(ctx); err != nil {
				return ended, fmt.Errorf("identity: session: %w", err)
			}
			s.setCookie(ctx, w, r, name, "", time.Time{})
			ended = append(ended, found.name)
		}
	}
	if len(ended) > 0 {
		err = s.store.Put(r.Context(), endedKey, []byte(rand.Text()), 0)
	}
	return ended, err
}

func (s *StoredSessions) cookieNames() []string {
	return []string{s.manager.Cookie.Name, oldCookieName}
}

func (s *StoredSessions) find(ctx context.Context, values []string) (foundSession, error) {
	for _, token := range values {
		if _, found, err := s.load(ctx, token); err != nil || found.user != "" {
			return found, err
		}
	}
	return foundSession{}, ErrNotSignedIn
}

// load reads the session of a cookie's value. It also returns the context that the
// manager needs to change the session. The session has no user when it has ended, or when
// the cookie belongs to another installation.
func (s *StoredSessions) load(ctx context.Context, token string) (context.Context, foundSession, error) {
	ctx, err := s.manager.Load(ctx, token)
	if err != nil {
		return nil, foundSession{}, fmt.Errorf("identity: session: %w", err)
	}
	return ctx, foundSession{
		user:    s.manager.GetString(ctx, userKey),
		stamp:   s.manager.GetString(ctx, stampKey),
		name:    sessionName(token),
		expires: s.manager.Deadline(ctx),
	}, nil
}

// sessionStore lets scs keep its sessions in the store of the event log.
type sessionStore struct{ store eventlog.Store }

var _ scs.CtxStore = sessionStore{}

func sessionKey(token string) string { return "session." + token }

// FindCtx implements scs.CtxStore.
func (s sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	b, err := s.store.Get(ctx, sessionKey(token))
	if errors.Is(err, eventlog.ErrNotFound) {
		return nil, false, nil
	}
	return b, err == nil, err
}

// CommitCtx implements scs.CtxStore.
func (s sessionStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	return s.store.Put(ctx, sessionKey(token), b, time.Until(expiry))
}

// DeleteCtx implements scs.CtxStore.
func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.store.Delete(ctx, sessionKey(token))
}

// Find implements scs.Store. Like Commit and Delete it only completes the
// interface: scs calls the methods with a context.
func (s sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements scs.Store.
func (s sessionStore) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Delete implements scs.Store.
func (s sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
