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

// A Provider is an identity provider that serves its keys by HTTP.
type Provider struct {
	*httptest.Server
	Keys     string       // the key set, as JSON
	Token    string       // a token of a manager that is valid for an hour
	Requests atomic.Int64 // how many requests the provider has received
	key      *ecdsa.PrivateKey
	answer   atomic.Pointer[http.HandlerFunc] // answers in place of the keys; nil serves the keys
}

// NewProvider starts a Provider that runs until the test ends.
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

// Sign returns a token of the manager with id 4 that expires after the given time.
func (p *Provider) Sign(t *testing.T, after time.Duration) string { return p.SignFor(t, "4", after) }

// SignFor returns a token of a manager with this id that expires after the given time.
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

// AnswerWith lets a handler answer all requests. nil lets the provider serve its keys again.
func (p *Provider) AnswerWith(handler http.HandlerFunc) {
	if handler == nil {
		p.answer.Store(nil)
		return
	}
	p.answer.Store(&handler)
}

// AnswerStatus returns a handler that answers with a status and no body.
func AnswerStatus(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// AnswerText returns a handler that answers with a text.
func AnswerText(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

// StartBroker starts a broker that accepts this provider's tokens, as a bearer token and in the cookie id_token.
func (p *Provider) StartBroker(t *testing.T, flags ...string) *stack.Stack {
	t.Helper()
	return stack.Start(t, append([]string{
		"--auth", "jwt",
		"--jwt-issuer", "https://id.example",
		"--jwt-audience", "yardline",
		"--jwt-jwks", p.URL,
		"--jwt-cookie", "id_token",
		"--jwt-skew", "1s",
		"--jwt-refresh", "200ms",
	}, flags...)...)
}

// StartEdge starts the edge with this provider.
func (p *Provider) StartEdge(t *testing.T, options ...stack.EdgeOption) *stack.Stack {
	t.Helper()
	options = append(
		options,
		stack.Var("AUTH", "jwt"),
		stack.Var("JWT_ISSUER", "https://id.example"),
		stack.Var("JWT_AUDIENCE", "yardline"),
		stack.Var("JWT_JWKS", p.URL),
	)
	return stack.StartEdge(t, options...)
}

// Snapshot asks an installation for a snapshot with the provider's token, and returns the status of the answer.
func (p *Provider) Snapshot(t *testing.T, s *stack.Stack) int {
	status, _ := Send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+p.Token)
	return status
}
