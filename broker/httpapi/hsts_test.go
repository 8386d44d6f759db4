package httpapi

import (
	"crypto/tls"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/broker/eventlog/memlog"
)

// The broker sends Strict-Transport-Security only when HTTPS alone is right for the
// whole name.
func TestHSTSIsSentOnlyForNamesOverTLS(t *testing.T) {
	const header = "Strict-Transport-Security"
	api, _, _ := runAPI(t, memlog.New("k", time.Hour), func(_ string, c *Config) {
		c.HSTS = DefaultHSTS
		c.LoopbackOnly = false
	})
	ask := func(host string, secure bool) string {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r.Host = host
		if secure {
			r.TLS = &tls.ConnectionState{}
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		return w.Header().Get(header)
	}
	for host, want := range map[string]string{
		"yard.example": "max-age=31536000", "yard.example:443": "max-age=31536000",
		"yard.example:8443": "", "localhost": "", "localhost:20013": "", "yard.localhost": "",
		"127.0.0.1": "", "[::1]": "", "[::1]:443": "", "192.0.2.7": "", "192.0.2.7:443": "",
		"[2001:db8::1]": "", "": "",
	} {
		require.Equal(t, want, ask(host, true), host)
		require.Empty(t, ask(host, false), host)
	}
	api.HSTS = 0
	require.Equal(t, "max-age=0", ask("yard.example", true), "browsers forget it")
}
