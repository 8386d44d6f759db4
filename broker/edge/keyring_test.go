package edge

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An error must be logged once, and be a warning of /readyz until keys could be read again.
func TestUnreadableKeysAreLoggedOnceAndAreAWarning(t *testing.T) {
	var log bytes.Buffer
	c := config(t, map[string]string{
		"AUTH":         "jwt",
		"JWT_ISSUER":   "https://id.example",
		"JWT_AUDIENCE": "yardline",
		"JWT_JWKS":     "https://id.example/keys",
	})
	keys := &keyring{issuer: c.Issuer, log: slog.New(slog.NewTextHandler(&log, nil))}
	front := newFront(c, keys)
	warningsAt := func(path string) string {
		answer := httptest.NewRecorder()
		front.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		return answer.Header().Get(warningsHeader)
	}
	// The key is from RFC 7517, appendix A.1.
	const good = `{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",` +
		`"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`
	require.True(t, keys.set([]byte(good)))
	require.Empty(t, warningsAt("/readyz"))
	for range 3 {
		require.False(t, keys.recordFailure("the answer has the status 500"))
	}
	require.False(t, keys.set([]byte("<html>")))
	require.Equal(t, 2, strings.Count(log.String(), "level=ERROR"), log.String())
	require.Contains(t, log.String(), "status 500")
	require.Contains(t, warningsAt("/readyz"), `"code":"identity_keys"`)
	require.NotContains(t, warningsAt("/readyz"), "500", "the cause is for the log")
	require.Empty(t, warningsAt("/embed/v1/status.json"))
	require.True(t, keys.set([]byte(good)))
	require.Contains(t, log.String(), "renewed again")
	require.Empty(t, warningsAt("/readyz"))
}
