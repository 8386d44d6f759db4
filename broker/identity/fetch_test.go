package identity

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/waittest"
)

// fetchNow fetches the keys once.
func (i *Issuer) fetchNow(t *testing.T) {
	t.Helper()
	done := i.fetcher.startFetch()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("a fetch does not end")
	}
}

// unusableAnswers returns answers of the JWKS address that hold no usable keys.
func unusableAnswers(p *provider) map[string]http.HandlerFunc {
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	good := p.keySet(p.jwk("a", nil), p.jwk("b", nil))
	return map[string]http.HandlerFunc{
		"an empty set": text(`{"keys":[]}`), "an empty object": text(`{}`), "null": text(`null`),
		"no keys": text(`{"keys":null}`), "an array": text(`[]`),
		"nothing": text(``), "a text": text(`"keys"`), "unknown kinds": text(`{"keys":[{"kty":"ZZZ","kid":"z"}]}`),
		"for encryption": text(p.keySet(p.jwk("a", map[string]any{"use": "enc"}))),
		"HTML":           text(`<html>Sign in</html>`),
		"an error":       status(500), "no content": status(204), "gone": status(404),
		"an error with keys": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			io.WriteString(w, good)
		},
		"half of it": text(good[:len(good)/2]), "twice": text(good + good),
		"5 MB": text(`{"x":"` + strings.Repeat("x", 5<<20) + `",` + good[1:]),
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)+1))
			io.WriteString(w, good)
		},
		"a cut connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a redirect to plain HTTP": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://id.example/keys", http.StatusFound)
		},
		"redirects without end": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/more", http.StatusFound)
		},
	}
}

// TestOldKeysStayAfterAFailedFetch checks that tokens of the old keys stay valid, that
// log and KeysError report the failure until it is over, and that a start with such an
// answer has no keys.
func TestOldKeysStayAfterAFailedFetch(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	good := *p.answer.Load()
	i := p.openIssuer(IssuerConfig{Refresh: time.Hour})
	token := p.signUsual("a", nil)
	reasons := map[string]string{"an empty set": "has no keys", "unknown kinds": "no key that can verify",
		"an error": "500",
		"5 MB":     "longer than", "a redirect to plain HTTP": "which is not https",
		"redirects without end": "too many redirects"}
	for name, answer := range unusableAnswers(p) {
		p.handleWith(answer)
		before := len(p.logged.String())
		i.fetchNow(t)
		require.ErrorContains(t, i.KeysError(), reasons[name], name)
		require.Contains(t, p.logged.String()[before:], "level=ERROR", name)
		require.Contains(t, p.logged.String()[before:], "the old ones stay", name)
		require.False(t, i.refresh(), name)
		_, err := i.Verify(token)
		require.NoError(t, err, name)
		_, err = i.Verify(p.sign("new", jwt.SigningMethodRS256, p.key("new", 2048), nil))
		require.ErrorIs(t, err, ErrNoKeys, "%s: a key that is not known may be a new one", name)

		started := p.openIssuer(IssuerConfig{Refresh: time.Hour})
		require.Error(t, started.KeysError(), name)
		_, err = started.Verify(token)
		require.ErrorIs(t, err, ErrNoKeys, name)

		p.handleWith(good)
		before = len(p.logged.String())
		i.fetchNow(t)
		require.NoError(t, i.KeysError(), name)
		require.Contains(t, p.logged.String()[before:], "renewed again", name)
		started.fetchNow(t)
		_, err = started.Verify(token)
		require.NoError(t, err, name)
	}
}

// TestBrokerStartsWithoutTheProvider checks that a token is neither accepted nor
// refused until there are keys.
func TestBrokerStartsWithoutTheProvider(t *testing.T) {
	p := newProvider(t)
	p.key("a", 2048)
	p.handleWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	tokens, err := OpenTokens(t.TempDir())
	require.NoError(t, err)
	a := &Authority{Tokens: tokens, Issuer: p.openIssuer(IssuerConfig{})}
	token := p.signUsual("a", nil)
	_, err = a.Verify(token)
	require.ErrorIs(t, err, ErrNoKeys)
	require.ErrorContains(t, a.Issuer.KeysError(), "502")
	own, err := tokens.Create(demoUsers[0], time.Hour)
	require.NoError(t, err)
	_, err = a.Verify(own)
	require.NoError(t, err, "the installation's own tokens do not need the provider")
	p.publish("a")
	waittest.Eventually(t, func() bool {
		_, err = a.Verify(token)
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, a.Issuer.KeysError())
	changed, err := a.Refresh()
	require.NoError(t, err)
	require.False(t, changed, "nobody could be signed in before")
}

// hangUntil returns a handler that does not answer until release is closed or its client has
// left.
func hangUntil(release <-chan struct{}) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
}

// TestHangingProviderDoesNotBlock checks that a start and a request wait for a moment
// only, and that an unknown key then may be a new one.
func TestHangingProviderDoesNotBlock(t *testing.T) {
	p := newProvider(t)
	p.key("a", 2048)
	hang := make(chan struct{})
	p.handleWith(hangUntil(hang))
	start := time.Now()
	i := p.openIssuer(IssuerConfig{})
	require.Less(t, time.Since(start), fetchTimeout)
	_, err := i.Verify(p.signUsual("a", nil))
	require.ErrorIs(t, err, ErrNoKeys)
	p.publish("a")
	close(hang)
	waittest.Eventually(t, func() bool {
		_, err := i.Verify(p.signUsual("a", nil))
		return err == nil
	}, time.Minute, 10*time.Millisecond)

	hang = make(chan struct{})
	p.handleWith(hangUntil(hang))
	_, err = i.Verify(p.sign("new", jwt.SigningMethodRS256, p.key("new", 2048), nil))
	require.ErrorIs(t, err, ErrNoKeys)
	_, err = i.Verify(p.signUsual("a", nil))
	require.NoError(t, err)
	_, err = i.Verify(p.sign("a", jwt.SigningMethodRS256, p.key("new", 2048), nil))
	require.ErrorIs(t, err, ErrInvalid, "a forged signature is none, whatever the provider does")
	close(hang)
}

func TestRetryDelayDoublesUpToTheUsual(t *testing.T) {
	for failures, want := range []time.Duration{time.Minute, 1, 2, 4, 8, 16, 32, time.Minute, time.Minute} {
		if want < time.Minute {
			want *= time.Second
		}
		require.Equal(t, want, retryDelay(failures, time.Minute), failures)
	}
	require.Equal(t, time.Minute, retryDelay(1000, time.Minute))
	require.Equal(t, 50*time.Millisecond, retryDelay(1, 50*time.Millisecond))
}

// TestUnknownKeysCauseFewFetches checks that one fetch serves all requests that come
// together after a rotation, and that unknown keys cannot make the broker fetch often.
func TestUnknownKeysCauseFewFetches(t *testing.T) {
	p := newProvider(t)
	p.publish("a")
	i := p.openIssuer(IssuerConfig{Refresh: time.Hour})
	p.publish("a", "b")
	token, before := p.signUsual("b", nil), p.fetches.Load()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, err := i.Verify(token)
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, p.fetches.Load()-before, int64(5))
	for n := range 200 {
		_, err := i.Verify(p.sign(fmt.Sprint("nobody's", n), jwt.SigningMethodRS256, p.keys["a"], nil))
		require.ErrorIs(t, err, ErrInvalid)
	}
	require.LessOrEqual(t, p.fetches.Load()-before, int64(5+60), "at most one in five seconds, after the first five")
}

// TestRotationWithoutNewKeyNamesIsNoticed uses keys without a name.
func TestRotationWithoutNewKeyNamesIsNoticed(t *testing.T) {
	p := newProvider(t)
	p.publish("a", "b")
	p.answerWith(p.keySet(p.jwk("a", map[string]any{"kid": nil})))
	i := p.openIssuer(IssuerConfig{Refresh: time.Hour})
	_, err := i.Verify(p.sign(nil, jwt.SigningMethodRS256, p.keys["a"], nil))
	require.NoError(t, err)
	p.answerWith(p.keySet(p.jwk("b", map[string]any{"kid": nil})))
	_, err = i.Verify(p.sign(nil, jwt.SigningMethodRS256, p.keys["b"], nil))
	require.NoError(t, err)
	_, err = i.Verify(p.sign(nil, jwt.SigningMethodRS256, p.keys["a"], nil))
	require.ErrorIs(t, err, ErrInvalid)
}

// TestTokenOfARemovedKeyIsRefused checks that the refusal comes at once, even while the
// provider cannot be reached. Later the issuer fetches again, because another server of
// the provider may still have the key.
func TestTokenOfARemovedKeyIsRefused(t *testing.T) {
	p := newProvider(t)
	p.publish("a", "b")
	i := p.openIssuer(IssuerConfig{Refresh: time.Hour})
	p.publish("b")
	i.fetchNow(t)
	require.True(t, i.refresh())
	p.handleWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	i.fetchNow(t)
	before := p.fetches.Load()
	makeLastFetchOld := func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.goodAt = i.goodAt.Add(-time.Hour)
	}
	requireRefused := func() {
		t.Helper()
		_, err := i.Verify(p.signUsual("a", nil))
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorIs(t, err, errRetiredKey)
	}
	i.mu.Lock()
	i.goodAt = time.Now()
	i.mu.Unlock()
	requireRefused()
	require.Equal(t, before, p.fetches.Load())
	makeLastFetchOld()
	requireRefused()
	require.Equal(t, before+1, p.fetches.Load())
	p.publish("a", "b")
	_, err := i.Verify(p.signUsual("a", nil))
	require.NoError(t, err, "it is back")
}

func TestRedirectOfTheKeysIsFollowed(t *testing.T) {
	p := newProvider(t)
	set := p.keySet(p.jwk("a", nil))
	p.handleWith(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/moved" {
			http.Redirect(w, r, "/moved", http.StatusMovedPermanently)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, set)
	})
	_, err := p.openIssuer(IssuerConfig{}).Verify(p.signUsual("a", nil))
	require.NoError(t, err)
}
