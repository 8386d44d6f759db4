package broker

import (
	"net"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestURL: what is printed can be opened, also where the broker listens on all
// addresses.
func TestURL(t *testing.T) {
	for _, c := range []struct{ listen, host string }{
		{"0.0.0.0:0", "localhost"}, {"[::]:0", "localhost"}, {":0", "localhost"}, {"127.0.0.1:0", "localhost"},
		{"127.0.0.2:0", "127.0.0.2"}, {"localhost:0", "localhost"},
	} {
		l, err := listen(t.Context(), c.listen)
		require.NoError(t, err)
		b := &Broker{c: Config{Listen: c.listen}, listener: l}
		u, err := url.Parse(b.URL())
		require.NoError(t, err)
		require.Equal(t, c.host, u.Hostname(), c.listen)
		dialed, err := net.Dial("tcp", u.Host)
		require.NoError(t, err, "%s leads nowhere", b.URL())
		require.NoError(t, dialed.Close())
		require.NoError(t, l.Close())
	}
}

// TestURLOfACertificate: with TLS on all addresses it is a name of the
// certificate, which a browser would refuse for another one.
func TestURLOfACertificate(t *testing.T) {
	for want, names := range map[string][]string{
		"yard.example": {"*.example", "yard.example"},
		"localhost":    {"*.example"},
	} {
		l, err := listen(t.Context(), ":0")
		require.NoError(t, err)
		b := &Broker{c: Config{Listen: ":0"}, listener: l, certificate: certificateOf(names...)}
		u, err := url.Parse(b.URL())
		require.NoError(t, err)
		require.Equal(t, "https", u.Scheme)
		require.Equal(t, want, u.Hostname())
		require.NoError(t, l.Close())
	}
}

func TestSignInNeedsTLS(t *testing.T) {
	lan := Config{Auth: AuthUsers, Listen: "0.0.0.0:8080"}
	require.True(t, lan.signInNeedsTLS())
	require.False(t, Config{Auth: AuthUsers, Listen: "127.0.0.1:8080"}.signInNeedsTLS(), "browsers trust this machine")
	withTLS := lan
	withTLS.TLSCert = "cert.pem"
	require.False(t, withTLS.signInNeedsTLS())
	require.False(t, Config{Auth: AuthJWT, Listen: ":8080"}.signInNeedsTLS(), "the provider gives the cookie")
}
