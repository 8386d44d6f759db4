package push

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"crypto/ecdh"
	"crypto/rand"
)

func valid(t *testing.T, endpoint string) (s Subscription) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	s.Endpoint = endpoint
	s.Keys.P256dh = base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes())
	s.Keys.Auth = base64.RawURLEncoding.EncodeToString(make([]byte, 16))
	return s
}

func TestEndpoints(t *testing.T) {
	for _, good := range []string{"https://push.example/send/abc", "https://push.example:443/x?y=1", "https://9.9.9.9/x"} {
		require.NoError(t, valid(t, good).check(false), good)
	}
	for _, bad := range []string{"", "push.example", "http://push.example/x", "https://push.example:8443/x", "https://user:pass@push.example/x", "https://localhost/x", "https://127.0.0.1/x",
		"https://[::1]/x", "https://10.1.2.3/x", "https://169.254.169.254/latest", "https://[::ffff:192.168.1.1]/x", "file:///etc/passwd", "https:///x", "https://push.example/" + strings.Repeat("x", 3000)} {
		require.Error(t, valid(t, bad).check(false), bad)
	}
	require.NoError(t, valid(t, "http://127.0.0.1:99/x").check(true))
	require.Error(t, valid(t, "http://10.0.0.1/x").check(true))
	short, off := valid(t, "https://push.example/x"), valid(t, "https://push.example/x")
	short.Keys.Auth = "AAAA"
	require.ErrorContains(t, short.check(false), "/keys/auth")
	off.Keys.P256dh = base64.RawURLEncoding.EncodeToString(append([]byte{4}, make([]byte, 64)...))
	require.ErrorContains(t, off.check(false), "/keys/p256dh")
}

// TestNamesThatLeadHome: what a name resolves to is looked at, not the name.
func TestNamesThatLeadHome(t *testing.T) {
	_, err := newClient(false).Get("http://localhost:1/")
	require.ErrorIs(t, err, errPrivate)
	_, err = newClient(true).Get("http://localhost:1/")
	require.Error(t, err)
	require.NotErrorIs(t, err, errPrivate)
	for text, want := range map[string]bool{"9.9.9.9": true, "2620:fe::fe": true, "127.0.0.1": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.0.1": false, "100.64.0.1": false, "169.254.169.254": false,
		"0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "::1": false, "fe80::1": false, "fc00::1": false, "::ffff:10.0.0.1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false} {
		require.Equal(t, want, isPublic(netip.MustParseAddr(text)), text)
	}
}
