package broker

import (
	"net"
	"net/netip"
	"strings"
	"time"
)

// DefaultIdleTimeout is how long a connection without a request is kept by
// default. It is longer than common balancers keep theirs (up to ten minutes), so
// that the balancer closes first and never sends into a closing connection.
const DefaultIdleTimeout = 11 * time.Minute

// URL returns an address of the broker that can be opened from this machine.
func (b *Broker) URL() string {
	host, port, _ := net.SplitHostPort(b.listener.Addr().String()) // our own listener's address parses
	given, _, _ := net.SplitHostPort(b.c.Listen)                   // checkAddresses has split it
	addr, err := netip.ParseAddr(host)
	switch {
	case given != "" && net.ParseIP(given) == nil: // a name
		host = given
	case err == nil && addr.IsUnspecified(): // all addresses, and none that can be opened
		host = "localhost"
		if b.certificate != nil {
			host = b.certificate.name(host)
		}
	case host == "127.0.0.1":
		host = "localhost"
	}
	scheme := "http://"
	if b.certificate != nil {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}

// name returns the first name of the certificate that is not a pattern. It
// returns otherwise when there is no such name.
func (c *certificate) name(otherwise string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.pair.Leaf.DNSNames {
		if !strings.HasPrefix(name, "*") {
			return name
		}
	}
	return otherwise
}

// signInNeedsTLS tells whether browsers of other machines cannot sign in: they
// keep a session's cookie only over HTTPS, and nothing here serves that.
func (c Config) signInNeedsTLS() bool {
	return c.Auth == AuthUsers && c.TLSCert == "" && len(c.Proxies) == 0 && !isLoopback(c.Listen)
}
