package broker

import (
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/snd-rental/yardline/broker/loopback"
)

// DefaultIdleTimeout is the default of Config.IdleTimeout. Common load balancers
// keep a quiet connection for up to ten minutes. A longer timeout here makes the
// balancer close first, so that it never sends a request into a connection that the
// broker is closing.
const DefaultIdleTimeout = 11 * time.Minute

// URL returns an address of the broker that a browser on this machine can open.
func (b *Broker) URL() string {
	host, port, _ := net.SplitHostPort(b.listener.Addr().String()) // a listener's own address parses
	configured, _, _ := net.SplitHostPort(b.c.Listen)              // checkAddresses has split it
	addr, err := netip.ParseAddr(host)
	switch {
	case configured != "" && net.ParseIP(configured) == nil: // a name
		host = configured
	case err == nil && addr.IsUnspecified(): // all addresses, none of which a browser can open
		host = "localhost"
		if b.certificate != nil {
			host = b.certificate.hostname(host)
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

// hostname returns the first name of the certificate that is not a wildcard, or
// fallback if there is none. A browser refuses the certificate under other names.
func (c *certificate) hostname(fallback string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.pair.Leaf.DNSNames {
		if !strings.HasPrefix(name, "*") {
			return name
		}
	}
	return fallback
}

// isLoopback tells whether only this machine can reach an address to listen on.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && loopback.IsHost(host)
}

// signInNeedsTLS tells whether browsers on other machines cannot sign in. They keep
// the cookie of a session only if it came over HTTPS, and neither the broker nor a
// proxy in front serves HTTPS.
func (c Config) signInNeedsTLS() bool {
	return c.Auth == AuthUsers && c.TLSCert == "" && len(c.Proxies) == 0 && !isLoopback(c.Listen)
}
