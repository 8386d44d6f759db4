package push

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// valid returns a subscription with valid keys.
func valid(t *testing.T, endpoint string) (s Subscription) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	s.Endpoint = endpoint
	s.Keys.P256dh = base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes())
	s.Keys.Auth = base64.RawURLEncoding.EncodeToString(make([]byte, 16))
	return s
}

func TestEndpointMustBePublic(t *testing.T) {
	for _, good := range []string{
		"https://push.example/send/abc", "https://push.example:443/x?y=1", "https://9.9.9.9/x",
	} {
		require.NoError(t, valid(t, good).check(false), good)
	}
	for _, bad := range []string{
		"", "push.example", "http://push.example/x", "https://push.example:8443/x",
		"https://user:pass@push.example/x", "https://localhost/x", "https://127.0.0.1/x", "https://[::1]/x",
		"https://10.1.2.3/x", "https://169.254.169.254/latest", "https://[::ffff:192.168.1.1]/x",
		"file:///etc/passwd", "https:///x", "https://push.example/" + strings.Repeat("x", 3000),
	} {
		require.Error(t, valid(t, bad).check(false), bad)
	}
	require.NoError(t, valid(t, "http://127.0.0.1:99/x").check(true))
	require.Error(t, valid(t, "http://10.0.0.1/x").check(true))
	short, offCurve := valid(t, "https://push.example/x"), valid(t, "https://push.example/x")
	short.Keys.Auth = "AAAA"
	require.ErrorContains(t, short.check(false), "/keys/auth")
	offCurve.Keys.P256dh = base64.RawURLEncoding.EncodeToString(append([]byte{4}, make([]byte, 64)...))
	require.ErrorContains(t, offCurve.check(false), "/keys/p256dh")
}

// TestClientConnectsOnlyToPublicAddresses checks the address that a name resolves to,
// not the name.
func TestClientConnectsOnlyToPublicAddresses(t *testing.T) {
	_, err := newClient(false).Get("http://localhost:1/")
	require.ErrorIs(t, err, errPrivate)
	_, err = newClient(true).Get("http://localhost:1/")
	require.Error(t, err)
	require.NotErrorIs(t, err, errPrivate)
	for _, text := range []string{"9.9.9.9", "2620:fe::fe"} {
		require.True(t, isPublic(netip.MustParseAddr(text)), text)
	}
	for _, text := range []string{
		"127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0",
		"224.0.0.1", "255.255.255.255", "::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
		"2002:a00:1::",
	} {
		require.False(t, isPublic(netip.MustParseAddr(text)), text)
	}
}
