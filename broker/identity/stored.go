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

// StoredSessions are kept with the log, so they survive a restart; the store sees
// only the hash of what the cookie holds.
type StoredSessions struct {
	manager *scs.SessionManager
	store   eventlog.Store
	secure  func(*http.Request) bool

	mu        sync.Mutex // guards seen
	lastEnded string     // the last word of any broker on sessions that ended
}

var _ Sessions = (*StoredSessions)(nil)

const (
	userKey  = "user"
	stampKey = "stamp" // of Directory.User, at the sign-in

	// endedKey holds another word whenever a session ends, for the other
	// brokers on the same log.
	endedKey     = "sessions-ended"
	storeTimeout = 2 * time.Second
)

// NewStoredSessions keeps sessions in a store. installation is a part of the cookie's
// name. secure tells whether the cookie of a request is marked for HTTPS only.
func NewStoredSessions(store eventlog.Store, installation string, secure func(*http.Request) bool) *StoredSessions {
	// Not by scs.New, which starts a goroutine for a store of its own.
	return &StoredSessions{store: store, secure: secure, manager: &scs.SessionManager{
		Lifetime: sessionLifetime, Store: sessionStore{store}, Codec: scs.GobCodec{}, HashTokenInStore: true,
		Cookie: scs.SessionCookie{Name: cookieNameOf(installation), Path: "/", HttpOnly: true,
			SameSite: http.SameSiteLaxMode, Persist: true},
	}}
}

// The key of the installation's id in the store, and the number of its characters.
const (
	installationKey = "installation"
	installationLen = 8
)

// Installation returns the id of the installation whose log this is. The first
// broker makes it; all brokers of one log have the same.
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
	word, err := s.store.Get(ctx, endedKey)
	if errors.Is(err, eventlog.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = s.lastEnded != string(word)
	s.lastEnded = string(word)
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

func (s *StoredSessions) setCookie(ctx context.Context, w http.ResponseWriter, r *http.Request, name, token string,
	expires time.Time) {
	m := *s.manager
	m.Cookie.Name, m.Cookie.Secure = name, s.secure(r)
	m.WriteSessionCookie(ctx, w, token, expires)
}

func (s *StoredSessions) end(w http.ResponseWriter, r *http.Request) (ended []string, err error) {
	// A cookie of the old name may be of another installation: that one stays.
	err = s.forEachSession(r, func(ctx context.Context, found foundSession) (next bool, err error) {
		if err := s.manager.Destroy(ctx); err != nil {
			return false, fmt.Errorf("identity: session: %w", err)
		}
		s.setCookie(ctx, w, r, found.cookie, "", time.Time{})
		ended = append(ended, found.name)
		return true, nil
	})
	if err == nil && len(ended) > 0 {
		err = s.store.Put(r.Context(), endedKey, []byte(rand.Text()), 0)
	}
	return ended, err
}

func (s *StoredSessions) find(r *http.Request) (found foundSession, err error) {
	err = s.forEachSession(r, func(_ context.Context, one foundSession) (next bool, err error) {
		found = one
		return false, nil
	})
	if err == nil && found.user == "" {
		err = ErrNotSignedIn
	}
	return found, err
}

// each calls do with the sessions of a request's cookies, those of the
// installation's name first, until it wants no more.
func (s *StoredSessions) forEachSession(r *http.Request, do func(context.Context, foundSession) (next bool, err error)) error {
	for _, name := range []string{s.manager.Cookie.Name, oldCookieName} {
		for _, token := range cookies(r, name) {
			ctx, err := s.manager.Load(r.Context(), token)
			if err != nil {
				return fmt.Errorf("identity: session: %w", err)
			}
			user := s.manager.GetString(ctx, userKey)
			if user == "" {
				continue // it has ended, or is of another installation
			}
			next, err := do(ctx, foundSession{user, s.manager.GetString(ctx, stampKey), sessionName(token),
				s.manager.Deadline(ctx), name})
			if err != nil || !next {
				return err
			}
		}
	}
	return nil
}

// sessionStore is scs's store on the log's.
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

// Find, Commit and Delete complete the interface; scs calls the others.
func (s sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements scs.Store.
func (s sessionStore) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Delete implements scs.Store.
func (s sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
