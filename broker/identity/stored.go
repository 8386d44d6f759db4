//go:build !js

package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
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

	mu   sync.Mutex // guards seen
	seen string     // the last word of any broker on sessions that ended
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

// NewSessions keeps sessions in a store. secure tells whether the cookie of a
// request is marked for HTTPS only.
func NewSessions(store eventlog.Store, secure func(*http.Request) bool) *StoredSessions {
	// Not by scs.New, which starts a goroutine for a store of its own.
	return &StoredSessions{store: store, secure: secure, manager: &scs.SessionManager{
		Lifetime: sessionLifetime, Store: sessionStore{store}, Codec: scs.GobCodec{}, HashTokenInStore: true,
		Cookie: scs.SessionCookie{Name: cookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Persist: true},
	}}
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
	changed = s.seen != string(word)
	s.seen = string(word)
	return changed, nil
}

func (s *StoredSessions) start(w http.ResponseWriter, r *http.Request, user, stamp string) (ended string, err error) {
	ended, err = s.end(w, r)
	if err != nil {
		return "", err
	}
	ctx, err := s.manager.Load(r.Context(), "")
	if err != nil {
		return "", fmt.Errorf("identity: session: %w", err)
	}
	s.manager.Put(ctx, userKey, user)
	s.manager.Put(ctx, stampKey, stamp)
	token, expires, err := s.manager.Commit(ctx)
	if err != nil {
		return "", fmt.Errorf("identity: session: %w", err)
	}
	s.setCookie(ctx, w, r, token, expires)
	return ended, nil
}

func (s *StoredSessions) setCookie(ctx context.Context, w http.ResponseWriter, r *http.Request, token string, expires time.Time) {
	m := *s.manager
	m.Cookie.Secure = s.secure(r)
	m.WriteSessionCookie(ctx, w, token, expires)
}

func (s *StoredSessions) end(w http.ResponseWriter, r *http.Request) (ended string, err error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", nil
	}
	ctx, err := s.manager.Load(r.Context(), cookie.Value)
	if err != nil {
		return "", fmt.Errorf("identity: session: %w", err)
	}
	if err := s.manager.Destroy(ctx); err != nil {
		return "", fmt.Errorf("identity: session: %w", err)
	}
	s.setCookie(ctx, w, r, "", time.Time{})
	if err := s.store.Put(ctx, endedKey, []byte(rand.Text()), 0); err != nil {
		return "", fmt.Errorf("identity: session: %w", err)
	}
	return sessionName(cookie.Value), nil
}

func (s *StoredSessions) find(r *http.Request) (foundSession, error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return foundSession{}, ErrNone
	}
	ctx, err := s.manager.Load(r.Context(), cookie.Value)
	if err != nil {
		return foundSession{}, fmt.Errorf("identity: session: %w", err)
	}
	user := s.manager.GetString(ctx, userKey)
	if user == "" {
		return foundSession{}, ErrNone
	}
	return foundSession{user, s.manager.GetString(ctx, stampKey), sessionName(cookie.Value), s.manager.Deadline(ctx)}, nil
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
