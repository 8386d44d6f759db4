//lint:file-ignore SA1019 the module is given

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
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
	"nhooyr.io/websocket"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/wire"
)

// TestEdgeReplaysMuch: who reads has all of the past, more than what may wait
// for a reader, as a stream and by WebSocket.
func TestEdgeReplaysMuch(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	batch := large(300)
	var last wire.Cursor
	for range 8 { // 6 MB
		last = publishAll(t, s, batch)
	}
	for name, read := range map[string]path{"sse": bySSE, "websocket": byWebSocket} {
		got := read(t, s.URL, s.Token, last.Epoch+"-0", last, func() {})
		require.Len(t, got, 8*300, name)
	}
	// HEAD begins no stream that nobody reads.
	for range 3 {
		r, err := http.NewRequestWithContext(ctx(t), "HEAD", s.URL+"/api/sse", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+s.Token)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, "text/event-stream", answer.Header.Get("Content-Type"))
	}
}

// TestEdgeRefusesWhatItCannotKeep: a filter that would not survive a sleep is
// refused, and ends nobody's connection.
func TestEdgeRefusesWhatItCannotKeep(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t)
	var subjects []string
	for i := range 100 {
		subjects = append(subjects, fmt.Sprintf("rental/%d%s", i, strings.Repeat("x", 180)))
	}
	large := "subjects=" + strings.Join(subjects, ",")
	other := dialSocket(t, s, s.Token)
	c := dialSocket(t, s, s.Token)
	call, err := json.Marshal(map[string]string{"call": "filter", "ref": "1", "filter": large})
	require.NoError(t, err)
	require.NoError(t, c.Write(ctx(t), websocket.MessageText, call))
	_, raw, err := c.Read(ctx(t))
	require.NoError(t, err)
	require.Contains(t, string(raw), `"code":"invalid_filter"`)
	status, answer := send(t, s.URL, "GET", "/api/ws?"+large, "", "Authorization: Bearer "+s.Token, "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: "+wire.Subprotocol)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, answer, "invalid_filter")
	publishNumbered(s, 0, 1)
	for _, c := range []*websocket.Conn{c, other} {
		_, raw, err := c.Read(ctx(t))
		require.NoError(t, err)
		require.Contains(t, string(raw), `"n0"`)
	}
}

// TestEdgeAnswersWhatWasAsked: requests that wait when the program ends are
// answered, and may be sent again.
func TestEdgeAnswersWhatWasAsked(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t, stack.Program(program(t, "edge-faults.wasm")))
	publishNumbered(s, 0, 1)
	head := readPage(t, s.URL, s.Token, "limit=1").Head
	var waiting sync.WaitGroup
	for range 10 {
		waiting.Go(func() {
			status, answer := send(t, s.URL, "GET", "/api/events?wait=50&after="+head.String(), "", "Authorization: Bearer "+s.Token)
			if status != http.StatusServiceUnavailable || !strings.Contains(answer, `"code":"log_unavailable"`) {
				t.Errorf("%d: %s", status, answer)
			}
		})
	}
	admin := s.TokenFor("5", 0, access.Admin)
	require.Eventually(t, func() bool {
		_, stats := send(t, s.URL, "GET", "/api/stats", "", "Authorization: Bearer "+admin)
		return strings.Contains(stats, `"poll":10`)
	}, soon, 10*time.Millisecond)
	send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+s.Token, "Yardline-Fault: yes")
	waiting.Wait()
	publishNumbered(s, 1, 2)
}

// TestEdgeExpiresAfterAWake: what wakes an object does not make it forget when
// a grant ends.
func TestEdgeExpiresAfterAWake(t *testing.T) {
	t.Parallel()
	s := stack.StartEdge(t, stack.Var("HEARTBEAT", "1h")) // no other alarm
	const life = 20 * time.Second
	start := time.Now()
	c := dialSocket(t, s, s.MintBrief(life, "main", "4", 0, access.Manager))
	require.NoError(t, c.Write(ctx(t), websocket.MessageText, []byte(`{"call":"filter","ref":"1","filter":"subjects=rental/1"}`))) // a reader without a view sleeps too
	idle := time.NewTimer(14 * time.Second)
	defer idle.Stop()
	<-idle.C
	require.NoError(t, c.Write(ctx(t), websocket.MessageText, []byte(`{"call":"ping","ref":"2"}`)))
	require.Equal(t, wire.ByeExpired.CloseCode(), closeCode(t, c))
	require.InDelta(t, life.Seconds(), time.Since(start).Seconds(), 4)
	require.Equal(t, 2, strings.Count(s.EdgeLog(), `"object ready"`), "it was never asleep, or more than once")
}

// TestEdgeByIssuer: the identity provider's tokens are taken from the first
// request on, also of many at once, also where it failed at first, and also
// where a key of a later kind stands beside the good one.
func TestEdgeByIssuer(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	coordinate := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, 32))) }
	var asked, broken atomic.Int64
	broken.Store(1)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if broken.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, `{"keys":[{"kty":"AKP","alg":"ML-DSA-44","kid":"k2","pub":"AA"},
			{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"k1","x":%q,"y":%q}]}`,
			coordinate(private.X), coordinate(private.Y))
	}))
	t.Cleanup(provider.Close)
	s := stack.StartEdge(t, stack.Var("AUTH", "jwt"), stack.Var("JWT_ISSUER", "https://id.example"), stack.Var("JWT_AUDIENCE", "yardline"), stack.Var("JWT_JWKS", provider.URL))
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": "https://id.example", "aud": "yardline", "sub": "4", "tenant": "main",
		"roles": []string{"manager"}, "exp": time.Now().Add(time.Hour).Unix()})
	token.Header["kid"] = "k1"
	signed, err := token.SignedString(private)
	require.NoError(t, err)
	snapshot := func() int {
		status, _ := send(t, s.URL, "GET", "/api/snapshot", "", "Authorization: Bearer "+signed)
		return status
	}
	require.Equal(t, http.StatusServiceUnavailable, snapshot(), "the provider fails: try again, the token may be good")
	require.Contains(t, s.EdgeLog(), "cannot fetch the issuer's keys: the answer is 503")
	require.Eventually(t, func() bool { return snapshot() == http.StatusOK }, soon, 100*time.Millisecond)
	s.Kill()
	s.Up()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if status := snapshot(); status != http.StatusOK {
				t.Errorf("%d", status)
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, asked.Load(), int64(5))
}
