package edge

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/e2e/stack"
	"github.com/snd-rental/yardline/e2e/testkit"
	"github.com/snd-rental/yardline/shared/waittest"
)

// The edge accepts the provider's tokens as soon as the provider serves its keys, although one key has an unknown kind.
// After a restart, the edge accepts ten requests at once, and asks the provider at most twice.
func TestEdgeAcceptsTheProvidersTokens(t *testing.T) {
	t.Parallel()
	p := testkit.NewProvider(t)
	p.AnswerWith(testkit.AnswerStatus(http.StatusServiceUnavailable))
	s := p.StartEdge(t)
	// The client may try again, because the token may be valid.
	require.Equal(t, http.StatusServiceUnavailable, p.Snapshot(t, s))
	p.AnswerWith(nil)
	waittest.Eventually(t, func() bool { return p.Snapshot(t, s) == http.StatusOK }, testkit.Soon, 100*time.Millisecond)
	s.Kill()
	s.Up()
	before := p.Requests.Load()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if status := p.Snapshot(t, s); status != http.StatusOK {
				t.Errorf("%d", status)
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, p.Requests.Load()-before, int64(2))
}

// A running isolate reads the provider's keys again.
func TestEdgeLearnsNewKeys(t *testing.T) {
	t.Parallel()
	p, other := testkit.NewProvider(t), testkit.NewProvider(t)
	s := p.StartEdge(t, stack.Var("JWT_REFRESH", "200ms"))
	require.Equal(t, http.StatusOK, p.Snapshot(t, s))
	require.Equal(t, http.StatusUnauthorized, other.Snapshot(t, s))
	p.AnswerWith(testkit.AnswerText(other.Keys))
	waittest.Eventually(t, func() bool {
		return other.Snapshot(t, s) == http.StatusOK
	}, testkit.Soon, 50*time.Millisecond)
	require.Equal(t, http.StatusUnauthorized, p.Snapshot(t, s))
}

// While the provider answers something other than its keys, the edge keeps the old ones, and /readyz reports it.
func TestEdgeKeepsOldKeysAfterABadAnswer(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"status 500":   testkit.AnswerStatus(http.StatusInternalServerError),
		"an HTML page": testkit.AnswerText("<html>welcome</html>"),
		"a redirect to a login page": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://login.example/", http.StatusFound)
		},
		"a redirect to itself": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/", http.StatusFound)
		},
		"an empty key set":             testkit.AnswerText(`{"keys":[]}`),
		"an empty object":              testkit.AnswerText(`{}`),
		"only keys of an unknown kind": testkit.AnswerText(`{"keys":[{"kty":"ZZZ","kid":"z"}]}`),
		"truncated JSON":               testkit.AnswerText(`{"keys":[`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testkit.NewProvider(t)
			s := p.StartEdge(t, stack.Var("JWT_REFRESH", "200ms"))
			require.Equal(t, http.StatusOK, p.Snapshot(t, s))
			readiness := func() string {
				_, answer := testkit.Send(t, s.URL, "GET", "/readyz", "")
				return answer
			}
			require.JSONEq(t, `{"status":"ready"}`, readiness())
			p.AnswerWith(answer)
			waittest.Eventually(
				t,
				func() bool { return strings.Contains(readiness(), `"identity_keys"`) },
				testkit.Soon,
				20*time.Millisecond,
			)
			for range 10 {
				require.Equal(t, http.StatusOK, p.Snapshot(t, s))
			}
			require.Contains(t, s.EdgeLog(), "the issuer's keys could not be renewed")
			p.AnswerWith(
				func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/moved", http.StatusFound) },
			)
			waittest.Eventually(
				t,
				func() bool { return !strings.Contains(readiness(), "identity_keys") },
				testkit.Soon,
				20*time.Millisecond,
			)
			require.Equal(t, http.StatusOK, p.Snapshot(t, s))
		})
	}
}
