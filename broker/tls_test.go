package broker

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/snd-rental/yardline/shared/access"
	"github.com/snd-rental/yardline/shared/waittest"
)

// writePair writes a self-signed certificate for this machine and its key. Both files
// get the time of modification.
func writePair(t *testing.T, dir, name string, modified time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:              []string{"localhost"},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	for _, file := range []string{cert, key} {
		require.NoError(t, os.Chtimes(file, modified, modified))
	}
	return cert, key
}

// The broker must serve HTTP/2, mark cookies as secure, and use a renewed certificate
// without a restart.
func TestTLSServesHTTP2AndRenewsItsCertificate(t *testing.T) {
	dir := t.TempDir()
	written := time.Now().Add(-time.Hour)
	cert, key := writePair(t, dir, "first", written)
	b, stop := start(t, Config{TLSCert: cert, TLSKey: key})
	defer stop()
	require.True(t, strings.HasPrefix(b.URL(), "https://localhost:"))

	pem, err := os.ReadFile(cert)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	answer, err := client.Post(b.URL()+"/api/session", "application/json", strings.NewReader(`{"user":"manager"}`))
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, 2, answer.ProtoMajor)
	require.True(t, answer.Cookies()[0].Secure)
	require.Empty(t, answer.Header.Get("Strict-Transport-Security"), "HSTS would hold for every port of localhost")

	g, err := access.NewGrant("4", "", []access.Role{access.Manager}, 0)
	require.NoError(t, err)
	token, err := b.CreateToken(g, time.Hour)
	require.NoError(t, err)
	request, err := http.NewRequest("GET", b.URL()+"/api/sse", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	stream, err := client.Do(request)
	require.NoError(t, err)
	line, err := bufio.NewReader(stream.Body).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "retry: 1000\n", line)
	require.NoError(t, stream.Body.Close())

	name := func() string {
		anyCertificate := &tls.Config{InsecureSkipVerify: true}
		c, err := tls.Dial("tcp", b.listener.Addr().String(), anyCertificate)
		require.NoError(t, err)
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	require.Equal(t, "first", name())
	writePair(t, dir, "second", written.Add(time.Minute))
	waittest.Eventually(t, func() bool { return name() == "second" }, 20*time.Second, 20*time.Millisecond)
}

func TestBrokenCertificateIsNotUsed(t *testing.T) {
	cert, key := writePair(t, t.TempDir(), "first", time.Now().Add(-time.Hour))
	c, err := openCertificate(cert, key, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	before, err := c.get(nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(cert, []byte("broken"), 0o600))
	c.checkedAt = time.Time{} // as if certificateCheckEvery had passed
	after, err := c.get(nil)
	require.NoError(t, err)
	require.Same(t, before, after)
}

// certificateOf returns a certificate for names, without a key.
func certificateOf(names ...string) *certificate {
	return &certificate{pair: &tls.Certificate{Leaf: &x509.Certificate{DNSNames: names}}}
}
