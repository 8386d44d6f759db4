package push

import (
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/snd-rental/yardline/broker/loopback"
	"github.com/snd-rental/yardline/shared/event"
)

// A Subscription is a browser's, as PushSubscription.toJSON() has it.
type Subscription struct {
	Endpoint string `json:"endpoint"`
	Keys     struct {
		P256dh string `json:"p256dh"`
		Auth   string `json:"auth"`
	} `json:"keys"`
}

const maxEndpoint = 2048

// check refuses what cannot be pushed to, or must not be: the endpoint is an
// address that a stranger chooses and we call. The error is an *event.Problem.
func (s Subscription) check(test bool) error {
	u, err := url.Parse(s.Endpoint)
	if err != nil || len(s.Endpoint) > maxEndpoint || u.User != nil || u.Hostname() == "" {
		return event.Refuse("/endpoint", "format", "the address that the browser gave")
	}
	if !test || !loopback.IsHost(u.Hostname()) {
		addr, err := netip.ParseAddr(u.Hostname())
		if u.Scheme != "https" || u.Port() != "" && u.Port() != "443" || err == nil && !public(addr) || loopback.IsHost(u.Hostname()) {
			return event.Refuse("/endpoint", "rule", "an https address of a public push service")
		}
	}
	key, err := decode(s.Keys.P256dh)
	if err == nil {
		_, err = ecdh.P256().NewPublicKey(key)
	}
	if err != nil {
		return event.Refuse("/keys/p256dh", "format", "an uncompressed point of the curve P-256, in base64url")
	}
	if auth, err := decode(s.Keys.Auth); err != nil || len(auth) != 16 {
		return event.Refuse("/keys/auth", "format", "16 bytes in base64url")
	}
	return nil
}

func decode(text string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}

// special are networks that are global unicast by their bits and no part of the
// public internet, or lead to what is not: RFC 6890, and the ways in which IPv6
// carries an IPv4 address.
var special = func() (all []netip.Prefix) {
	for _, text := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()

// public tells whether an address is of the public internet.
func public(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Zone() != "" {
		return false
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

var errPrivate = errors.New("push: the endpoint's name leads to an address that is not public")

// sendTimeout bounds one request to a push service.
const sendTimeout = 10 * time.Second

// client calls push services and nothing else: what a name resolves to is
// checked where the connection is made, and no answer leads anywhere else.
func client(test bool) *http.Client {
	dialer := net.Dialer{Timeout: sendTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !public(to.Addr()) && !(test && to.Addr().Unmap().IsLoopback()) {
			return errPrivate
		}
		return nil
	}}
	return &http.Client{Timeout: sendTimeout,
		Transport:     &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: workers, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 16 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
