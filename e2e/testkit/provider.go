package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
)

// broker runs a broker that takes this provider's tokens, in a cookie too.
func (p *Provider) StartBroker(t *testing.T, flags ...string) *stack.Stack {
	t.Helper()
	return stack.Start(t, append([]string{"--auth", "jwt", "--jwt-issuer", "https://id.example",
		"--jwt-audience", "yardline", "--jwt-jwks", p.URL, "--jwt-cookie", "id_token", "--jwt-skew", "1s",
		"--jwt-refresh", "200ms"}, flags...)...)
}

// A provider is an identity provider whose keys can be asked for.
type Provider struct {
	*httptest.Server
	Keys     string // its set
	Token    string // of a manager, for an hour
	key      *ecdsa.PrivateKey
	Requests atomic.Int64
	answer   atomic.Pointer[http.HandlerFunc] // in place of the keys; nil for them
}

func NewProvider(t *testing.T) *Provider {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	coordinate := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, 32))) }
	p := &Provider{
		key: private,
		Keys: fmt.Sprintf(
			`{"keys":[{"kty":"AKP","alg":"ML-DSA-44","kid":"k2","pub":"AA"},
				{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"k1","x":%q,"y":%q}]}`,
			coordinate(private.X),
			coordinate(private.Y),
		),
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.Requests.Add(1)
		if answer := p.answer.Load(); answer != nil && r.URL.Path != "/moved" {
			(*answer)(w, r)
			return
		}
		fmt.Fprint(w, p.Keys)
	}))
	t.Cleanup(p.Close)
	p.Token = p.Sign(t, time.Hour)
	return p
}

// sign makes a token of a manager that ends after a while.
func (p *Provider) Sign(t *testing.T, after time.Duration) string { return p.SignFor(t, "4", after) }

// signFor makes one for a user of this id.
func (p *Provider) SignFor(t *testing.T, user string, after time.Duration) string {
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
func (p *Provider) AnswerWith(with http.HandlerFunc) {
	if with == nil {
		p.answer.Store(nil)
		return
	}
	p.answer.Store(&with)
}

func AnswerStatus(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func AnswerText(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

// edge runs the worker with this provider.
func (p *Provider) StartEdge(t *testing.T, options ...stack.EdgeOption) *stack.Stack {
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
func (p *Provider) Snapshot(t *testing.T, s *stack.Stack) int {
	status, _ := Send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+p.Token)
	return status
}
