package broker

import (
	"net"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// A broker that listens on all addresses must print one that can be opened.
func TestURLCanBeOpenedOnThisMachine(t *testing.T) {
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
		require.NoError(t, err, "nothing listens at %s", b.URL())
		require.NoError(t, dialed.Close())
		require.NoError(t, l.Close())
	}
}

// A browser refuses a certificate under a name that the certificate does not have.
func TestURLHasANameOfTheCertificate(t *testing.T) {
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

func TestSignInFromOtherMachinesNeedsTLS(t *testing.T) {
	anyAddress := Config{Auth: AuthUsers, Listen: "0.0.0.0:8080"}
	require.True(t, anyAddress.signInNeedsTLS())
	loopbackOnly := Config{Auth: AuthUsers, Listen: "127.0.0.1:8080"}
	require.False(t, loopbackOnly.signInNeedsTLS(), "browsers trust this machine")
	withTLS := anyAddress
	withTLS.TLSCert = "cert.pem"
	require.False(t, withTLS.signInNeedsTLS())
	withProvider := Config{Auth: AuthJWT, Listen: ":8080"}
	require.False(t, withProvider.signInNeedsTLS(), "the identity provider sets the cookie")
}
