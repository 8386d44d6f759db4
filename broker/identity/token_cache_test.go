package identity

import (
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
)

// isCached tells whether an authority would accept a token without verifying it.
func isCached(a *Authority, token string) bool {
	_, found := a.verified.find(hashToken(token), a.keyVersions(), time.Now())
	return found
}

// cachingAuthority returns an authority with a key of its own, in dir, and an issuer with
// the key "a" of the provider.
func cachingAuthority(p *provider, dir string) *Authority {
	p.Helper()
	p.key("a", 2048)
	tokens, err := OpenTokens(dir)
	require.NoError(p, err)
	issuer := issuerWithoutKeys(p)
	require.NoError(p, issuer.SetKeys([]byte(p.keySet(p.jwk("a", nil)))))
	return &Authority{Tokens: tokens, Issuer: issuer}
}

// ownToken returns a token of the installation that is valid for an hour.
func ownToken(t testing.TB, a *Authority) string {
	t.Helper()
	token, err := a.Tokens.Create(access.Grant{User: "erp", Roles: []access.Role{access.Service}}, time.Hour)
	require.NoError(t, err)
	return token
}

func TestCachedTokenExpires(t *testing.T) {
	p := newProvider(t)
	a := cachingAuthority(p, t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			create   func() string
			lifetime time.Duration
		}{
			{func() string { return ownToken(t, a) }, time.Hour},
			{func() string { return p.signUsual("a", nil) }, time.Hour + a.Issuer.c.Skew},
		} {
			token, left := c.create(), c.lifetime
			first, err := a.Verify(token)
			require.NoError(t, err)
			for ; left > time.Second; left -= time.Second {
				time.Sleep(time.Second)
				require.True(t, isCached(a, token), "%v before the end", left)
			}
			again, err := a.Verify(token)
			require.NoError(t, err)
			require.Equal(t, first, again)
			time.Sleep(time.Second)
			_, err = a.Verify(token)
			require.ErrorIs(t, err, ErrExpired)
		}
	})
}

// A clock that is set back makes a token invalid that was valid before.
func TestCachedTokenIsNotUsedBeforeItsTime(t *testing.T) {
	p := newProvider(t)
	a := cachingAuthority(p, t.TempDir())
	now := time.Now().Truncate(time.Second)
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for _, c := range []struct {
		claims jwt.MapClaims
		from   time.Time
	}{
		{jwt.MapClaims{"iat": at(-time.Hour), "nbf": at(-time.Minute)}, now.Add(-2 * time.Minute)},
		{jwt.MapClaims{"iat": at(-time.Minute), "nbf": at(-time.Hour)}, now.Add(-2 * time.Minute)},
		{jwt.MapClaims{"iat": nil}, time.Time{}},
	} {
		token := p.signUsual("a", c.claims)
		_, err := a.Verify(token)
		require.NoError(t, err)
		if c.from.IsZero() {
			c.from = now.Add(-24 * 365 * time.Hour)
		} else {
			_, found := a.verified.find(hashToken(token), a.keyVersions(), c.from.Add(-time.Second))
			require.False(t, found)
			_, err = a.Verify(token)
			require.NoError(t, err)
		}
		_, found := a.verified.find(hashToken(token), a.keyVersions(), c.from)
		require.True(t, found)
	}
	c := claims{RegisteredClaims: jwt.RegisteredClaims{Issuer: tokenIssuer, Subject: "erp",
		NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute))}}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(a.Tokens.currentKey())
	require.NoError(t, err)
	v, err := a.Tokens.verify(token)
	require.NoError(t, err)
	require.True(t, v.notBefore.Equal(now.Add(-time.Minute)))
}

func TestCachedTokenIsRefusedAfterItsKeyChanges(t *testing.T) {
	p, dir := newProvider(t), t.TempDir()
	a := cachingAuthority(p, dir)
	p.key("b", 2048)
	own, foreign := ownToken(t, a), p.signUsual("a", nil)
	verifyBoth := func() {
		t.Helper()
		for _, token := range []string{own, foreign} {
			_, err := a.Verify(token)
			require.NoError(t, err)
			require.True(t, isCached(a, token))
		}
	}
	verifyBoth()
	require.NoError(t, a.Issuer.SetKeys([]byte(p.keySet(p.jwk("a", nil)))))
	require.True(t, isCached(a, foreign), "the keys are the same")
	require.Error(t, a.Issuer.SetKeys([]byte("{}")))
	require.True(t, isCached(a, foreign), "the previous keys stay")

	require.NoError(t, a.Issuer.SetKeys([]byte(p.keySet(p.jwk("b", nil)))))
	_, err := a.Verify(foreign)
	require.ErrorIs(t, err, errRetiredKey)
	require.NoError(t, a.Issuer.SetKeys([]byte(p.keySet(p.jwk("a", nil), p.jwk("b", nil)))))
	verifyBoth()
	// A key may get another method and keep its name.
	require.NoError(t, a.Issuer.SetKeys([]byte(p.keySet(p.jwk("a", map[string]any{"alg": "PS256"})))))
	_, err = a.Verify(foreign)
	require.ErrorIs(t, err, errWrongMethod)

	require.NoError(t, RotateKey(dir))
	_, err = a.Refresh()
	require.NoError(t, err)
	_, err = a.Verify(own)
	require.ErrorIs(t, err, ErrInvalid)
}

// A token that is being verified while the key changes is refused afterwards.
func TestTokenVerifiedDuringAKeyChangeIsNotCached(t *testing.T) {
	dir := t.TempDir()
	tokens, err := OpenTokens(dir)
	require.NoError(t, err)
	a := &Authority{Tokens: tokens}
	for range 20 {
		token := ownToken(t, a)
		var verifiers sync.WaitGroup
		for range 4 {
			verifiers.Go(func() {
				for err := error(nil); err == nil; _, err = a.Verify(token) {
				}
			})
		}
		require.NoError(t, RotateKey(dir))
		changed, err := a.Refresh()
		require.NoError(t, err)
		require.True(t, changed)
		_, err = a.Verify(token)
		require.ErrorIs(t, err, ErrInvalid)
		verifiers.Wait()
	}
}

func TestCacheKeepsNoRefusalsAndIsBounded(t *testing.T) {
	p := newProvider(t)
	a := cachingAuthority(p, t.TempDir())
	late, err := a.Tokens.Create(access.Grant{User: "erp"}, -time.Second)
	require.NoError(t, err)
	ofTenant, err := a.Tokens.Create(access.Grant{User: "erp", Tenant: "acme"}, time.Hour)
	require.NoError(t, err)
	nobody := p.signUsual("a", jwt.MapClaims{"sub": ""})
	for _, token := range []string{"", "x", ownToken(t, a) + "x", late, ofTenant, nobody} {
		_, err := a.Verify(token)
		require.Error(t, err)
	}
	require.Empty(t, a.verified.recent)

	used := ownToken(t, a)
	v, err := a.verify(used)
	require.NoError(t, err)
	now := time.Now()
	for i := range 3 * maxCachedTokens {
		a.verified.add(hashToken(fmt.Sprint(i)), a.keyVersions(), v, now)
		_, err := a.Verify(used)
		require.NoError(t, err)
		require.True(t, isCached(a, used))
	}
	require.LessOrEqual(t, len(a.verified.recent)+len(a.verified.earlier), 2*maxCachedTokens)
	require.False(t, isCached(a, "0"))
	// Time alone makes the cache forget what nobody uses.
	for range 2 {
		now = now.Add(cacheTurn + time.Minute)
		_, found := a.verified.find(hashToken(used), a.keyVersions(), now)
		require.True(t, found)
	}
	require.Len(t, a.verified.recent, 1)
	require.Empty(t, a.verified.earlier)
}

// BenchmarkAuthenticate measures a request with a bearer token, with and without the
// cache.
func BenchmarkAuthenticate(b *testing.B) {
	p := newProvider(b)
	a := cachingAuthority(p, b.TempDir())
	for name, token := range map[string]string{"own": ownToken(b, a), "issuer": p.signUsual("a", nil)} {
		r := httptest.NewRequest("GET", "/api/sse", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		b.Run(name+"/cached", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/verified", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.verify(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
