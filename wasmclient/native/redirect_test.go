//go:build !js

package native

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/wasmclient"
	"github.com/snd-rental/yardline/wasmclient/conn"
	"github.com/snd-rental/yardline/wasmclient/port"
)

// A redirected POST must not become a GET elsewhere, and the token must not go to another port. The error
// names the target of the redirect.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var reached []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached = append(reached, r.Method+" "+r.Header.Get("Authorization"))
	}))
	defer other.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/sign-in?state=secret", http.StatusFound)
	}))
	defer proxy.Close()
	transport, err := New(proxy.URL, "token")
	require.NoError(t, err)
	defer transport.Close()
	api := wasmclient.API{Transport: transport}
	_, err = api.PublishJSON(t.Context(), []byte(`{}`))
	var refused *port.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, conn.LoginRedirect, refused.Code)
	require.False(t, refused.FromBroker)
	require.Equal(t, "It leads to "+other.URL+"/sign-in", refused.Detail)
	_, err = api.Session(t.Context())
	require.ErrorAs(t, err, &refused)
	err = transport.Socket(t.Context(), "/api/ws", func([]byte) error { return nil })
	require.ErrorAs(t, err, &refused)
	require.Equal(t, conn.LoginRedirect, refused.Code)
	require.Empty(t, reached)
}

// Only the broker's own refusal is about the user. A proxy's refusal is about the WebSocket.
func TestRefusedWebSocketTellsBrokerFromProxy(t *testing.T) {
	var status int
	var media, body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	transport, err := New(server.URL, "")
	require.NoError(t, err)
	defer transport.Close()
	own := `{"type":"urn:yardline:problem:expired","code":"expired","title":"x"}`
	for _, c := range []struct {
		status      int
		media, body string
		code        string // of the Error; empty means ErrNoUpgrade
	}{
		{401, "application/problem+json", own, "expired"},
		{401, "text/html", "<html>", ""},
		{403, "application/problem+json", `{"type":"about:blank","code":"x","title":"x"}`, ""},
		{200, "text/html", "<html>", ""},
		{204, "text/html", "", ""},
		{502, "text/html", "<html>", "http_502"},
		{429, "text/html", "<html>", "http_429"},
	} {
		status, media, body = c.status, c.media, c.body
		err := transport.Socket(t.Context(), "/api/ws", func([]byte) error { return nil })
		var refused *port.Error
		if c.code == "" {
			require.ErrorIs(t, err, port.ErrNoUpgrade, "%+v", c)
			continue
		}
		require.ErrorAs(t, err, &refused, "%+v", c)
		require.Equal(t, c.code, refused.Code)
		require.Equal(t, c.code == "expired", refused.FromBroker)
	}
}
