package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
)

// A provider is an identity provider whose keys can be asked for.
type provider struct {
	*httptest.Server
	keys   string // its set
	token  string // of a manager, for an hour
	key    *ecdsa.PrivateKey
	asked  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc] // in place of the keys; nil for them
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	coordinate := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, 32))) }
	p := &provider{
		key: private,
		keys: fmt.Sprintf(
			`{"keys":[{"kty":"AKP","alg":"ML-DSA-44","kid":"k2","pub":"AA"},
				{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"k1","x":%q,"y":%q}]}`,
			coordinate(private.X),
			coordinate(private.Y),
		),
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if answer := p.answer.Load(); answer != nil && r.URL.Path != "/moved" {
			(*answer)(w, r)
			return
		}
		fmt.Fprint(w, p.keys)
	}))
	t.Cleanup(p.Close)
	p.token = p.sign(t, time.Hour)
	return p
}

// sign makes a token of a manager that ends after a while.
func (p *provider) sign(t *testing.T, after time.Duration) string { return p.signFor(t, "4", after) }

// signFor makes one for a user of this id.
func (p *provider) signFor(t *testing.T, user string, after time.Duration) string {
	t.Helper()
	token := jwt.NewWithClaims(
		jwt.SigningMethodES256,
		jwt.MapClaims{"iss": "https://id.example", "aud": "yardline", "sub": user, "name": "user " + user,
			"tenant": "main", "roles": []string{"manager"}, "exp": time.Now().Add(after).Unix()},
	)
	token.Header["kid"] = "k1"
	signed, err := token.SignedString(p.key)
	require.NoError(t, err)
	return signed
}

// answers lets the provider answer otherwise; nil is as usual.
func (p *provider) answers(with http.HandlerFunc) {
	if with == nil {
		p.answer.Store(nil)
		return
	}
	p.answer.Store(&with)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

// edge runs the worker with this provider.
func (p *provider) edge(t *testing.T, options ...stack.EdgeOption) *stack.Stack {
	t.Helper()
	return stack.StartEdge(
		t,
		append(
			options,
			stack.Var("AUTH", "jwt"),
			stack.Var("JWT_ISSUER", "https://id.example"),
			stack.Var("JWT_AUDIENCE", "yardline"),
			stack.Var("JWT_JWKS", p.URL),
		)...)
}

// snapshot is the status of a request with the provider's token.
func (p *provider) snapshot(t *testing.T, s *stack.Stack) int {
	status, _ := send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+p.token)
	return status
}

// TestEdgeByIssuer: the identity provider's tokens are taken from the first
// request on, also of many at once, also where it failed at first, and also
// where a key of a later kind stands beside the good one.
func TestEdgeByIssuer(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.answers(status(http.StatusServiceUnavailable))
	s := p.edge(t)
	require.Equal(
		t,
		http.StatusServiceUnavailable,
		p.snapshot(t, s),
		"the provider fails: try again, the token may be good",
	)
	p.answers(nil)
	require.Eventually(t, func() bool { return p.snapshot(t, s) == http.StatusOK }, soon, 100*time.Millisecond)
	s.Kill()
	s.Up()
	before := p.asked.Load()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if status := p.snapshot(t, s); status != http.StatusOK {
				t.Errorf("%d", status)
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, p.asked.Load()-before, int64(2))
}

// TestEdgeLearnsNewKeys: what an isolate knows is renewed while it lives.
func TestEdgeLearnsNewKeys(t *testing.T) {
	t.Parallel()
	p, q := newProvider(t), newProvider(t)
	s := p.edge(t, stack.Var("JWT_REFRESH", "200ms"))
	require.Equal(t, http.StatusOK, p.snapshot(t, s))
	require.Equal(t, http.StatusUnauthorized, q.snapshot(t, s))
	p.answers(says(q.keys))
	require.Eventually(t, func() bool { return q.snapshot(t, s) == http.StatusOK }, soon, 50*time.Millisecond)
	require.Equal(t, http.StatusUnauthorized, p.snapshot(t, s))
}

// TestEdgeKeepsTheKeys: whatever the provider answers in place of its keys, the
// ones before stay in force, and /readyz says so until they could be read again.
func TestEdgeKeepsTheKeys(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"an error": status(http.StatusInternalServerError),
		"a page":   says("<html>welcome</html>"),
		"a login page": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://login.example/", http.StatusFound)
		},
		"itself":          func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) },
		"no keys":         says(`{"keys":[]}`),
		"nothing":         says(`{}`),
		"an unknown kind": says(`{"keys":[{"kty":"ZZZ","kid":"z"}]}`),
		"a broken answer": says(`{"keys":[`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			s := p.edge(t, stack.Var("JWT_REFRESH", "200ms"))
			require.Equal(t, http.StatusOK, p.snapshot(t, s))
			ready := func() string { _, answer := send(t, s.URL, "GET", "/readyz", ""); return answer }
			require.JSONEq(t, `{"status":"ready"}`, ready())
			p.answers(answer)
			require.Eventually(
				t,
				func() bool { return strings.Contains(ready(), `"identity_keys"`) },
				soon,
				20*time.Millisecond,
			)
			for range 10 {
				require.Equal(t, http.StatusOK, p.snapshot(t, s))
			}
			require.Contains(t, s.EdgeLog(), "the issuer's keys could not be renewed")
			p.answers(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/moved", http.StatusFound) })
			require.Eventually(
				t,
				func() bool { return !strings.Contains(ready(), "identity_keys") },
				soon,
				20*time.Millisecond,
			)
			require.Equal(t, http.StatusOK, p.snapshot(t, s))
		})
	}
}
