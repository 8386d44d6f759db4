package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/snd-rental/yardline/broker/eventlog"
)

// Sessions are kept with the log, so they survive a restart; the store sees
// only the hash of what the cookie holds. It is safe for concurrent use.
type Sessions struct {
	manager *scs.SessionManager
}

const (
	cookieName      = "yardline_session"
	sessionLifetime = 12 * time.Hour
	userKey         = "user"
)

// NewSessions keeps sessions in a store. secure marks the cookie for HTTPS
// only: always, except on plain HTTP over loopback.
func NewSessions(store eventlog.Store, secure bool) *Sessions {
	// Not by scs.New, which starts a goroutine for a store of its own.
	return &Sessions{&scs.SessionManager{
		Lifetime: sessionLifetime, Store: sessionStore{store}, Codec: scs.GobCodec{}, HashTokenInStore: true,
		Cookie: scs.SessionCookie{Name: cookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure, Persist: true},
	}}
}

// Start signs a user in: a fresh session, its cookie on the response. A
// session that the request had is ended. It returns the name of that one.
func (s *Sessions) Start(w http.ResponseWriter, r *http.Request, user string) (ended string, err error) {
	ended, err = s.End(w, r)
	if err != nil {
		return "", err
	}
	ctx, err := s.manager.Load(r.Context(), "")
	if err != nil {
		return "", fmt.Errorf("identity: session: %w", err)
	}
	s.manager.Put(ctx, userKey, user)
	token, expires, err := s.manager.Commit(ctx)
	if err != nil {
		return "", fmt.Errorf("identity: session: %w", err)
	}
	s.manager.WriteSessionCookie(ctx, w, token, expires)
	return ended, nil
}

// End signs out: the session is forgotten and its cookie removed. It returns
// the session's name, "" where there was none.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) (ended string, err error) {
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
	s.manager.WriteSessionCookie(ctx, w, "", time.Time{})
	return sessionName(cookie.Value), nil
}

func (s *Sessions) find(r *http.Request) (user, session string, expires time.Time, err error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", "", time.Time{}, ErrNone
	}
	ctx, err := s.manager.Load(r.Context(), cookie.Value)
	if err != nil {
		return "", "", time.Time{}, fmt.Errorf("identity: session: %w", err)
	}
	user = s.manager.GetString(ctx, userKey)
	if user == "" {
		return "", "", time.Time{}, ErrNone
	}
	return user, sessionName(cookie.Value), s.manager.Deadline(ctx), nil
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

// sessionName names a session in memory and logs without giving its secret
// away.
func sessionName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}
