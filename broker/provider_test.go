package broker

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/snd-rental/yardline/broker/identity"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

// The broker must start without its identity provider, read the keys as soon as it can,
// and keep them while the provider answers with an empty set.
func TestBrokerServesWhileItsIdentityProviderDoesNot(t *testing.T) {
	defer goleak.VerifyNone(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	jwk, err := jwkset.NewJWKFromKey(private.Public(), jwkset.JWKOptions{})
	require.NoError(t, err)
	keys, err := json.Marshal(jwkset.JWKSMarshal{Keys: []jwkset.JWKMarshal{jwk.Marshal()}})
	require.NoError(t, err)
	var answer atomic.Value // a string; "" answers with status 500
	answer.Store("")
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text := answer.Load().(string)
		if text == "" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		io.WriteString(w, text)
	}))
	defer provider.Close()
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss":   "https://id.example",
		"aud":   "yardline",
		"sub":   "CN=John Smith,OU=Yard",
		"roles": "manager",
		"exp":   time.Now().Add(time.Hour).Unix(),
	}).SignedString(private)
	require.NoError(t, err)

	b := open(t, Config{
		DebugListen: "127.0.0.1:0",
		Auth:        AuthJWT,
		Issuer: identity.IssuerConfig{
			Issuer:   "https://id.example",
			Audience: "yardline",
			JWKSURL:  provider.URL,
			Refresh:  20 * time.Millisecond,
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{}}
	send := func(url, bearer string) *http.Response {
		r, err := http.NewRequest("GET", url, nil)
		require.NoError(t, err)
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		response, err := client.Do(r)
		require.NoError(t, err)
		return response
	}
	get := func(url, bearer string) (int, string) {
		response := send(url, bearer)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
	eventually := func(condition func() bool) { waittest.Eventually(t, condition, time.Minute, 5*time.Millisecond) }
	snapshot := b.URL() + "/api/snapshot"
	eventually(func() bool { status, _ := get(b.URL()+"/readyz", ""); return status == 200 })
	status, text := get(snapshot, token)
	require.Equal(t, 503, status)
	require.Contains(t, text, `"code":"starting"`)
	ownToken, err := b.CreateToken(access.Grant{User: "erp", Roles: []access.Role{access.Service}}, time.Hour)
	require.NoError(t, err)
	status, _ = get(snapshot, ownToken)
	require.Equal(t, 200, status)
	keysGood := func(value string) bool {
		_, text := get("http://"+b.debug.listener.Addr().String()+"/metrics", "")
		return strings.Contains(text, "\nyardline_issuer_keys_good "+value+"\n")
	}
	require.True(t, keysGood("0"))

	answer.Store(string(keys))
	eventually(func() bool { status, _ := get(snapshot, token); return status == 200 })
	eventually(func() bool { return keysGood("1") })
	stream := send(b.URL()+"/api/sse", token)
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
		// The hello is the first frame with data.
	}
	answer.Store(`{"keys":[]}`)
	eventually(func() bool { return keysGood("0") })
	status, _ = get(snapshot, token)
	require.Equal(t, 200, status)
	require.ErrorContains(t, b.issuer.KeysError(), "no keys")
	answer.Store(string(keys))
	eventually(func() bool { return keysGood("1") })

	stop()
	for lines.Scan() && !strings.Contains(lines.Text(), `"reason"`) {
		// The broker says goodbye before it ends the stream.
	}
	require.Contains(t, lines.Text(), `"reason":"drain"`)
	client.CloseIdleConnections()
	require.NoError(t, <-done)
	require.NoError(t, b.Close())
}
