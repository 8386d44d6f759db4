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

// A Subscription is the push subscription of a browser, in the format of its
// PushSubscription.toJSON().
type Subscription struct {
	Endpoint string `json:"endpoint"`
	Keys     struct {
		P256dh string `json:"p256dh"`
		Auth   string `json:"auth"`
	} `json:"keys"`
}

// maxEndpoint is the most bytes of an endpoint.
const maxEndpoint = 2048

// check returns an *event.Problem for a subscription that the broker cannot or must
// not push to. The endpoint is an address that a stranger chooses and that the broker
// then calls, so it must be a public one.
func (s Subscription) check(allowLoopback bool) error {
	u, err := url.Parse(s.Endpoint)
	if err != nil || len(s.Endpoint) > maxEndpoint || u.User != nil || u.Hostname() == "" {
		return event.Refuse("/endpoint", event.CodeFormat, "the address that the browser gave")
	}
	if !allowLoopback || !loopback.IsHost(u.Hostname()) {
		addr, err := netip.ParseAddr(u.Hostname())
		isPrivate := err == nil && !isPublic(addr) || loopback.IsHost(u.Hostname())
		if u.Scheme != "https" || u.Port() != "" && u.Port() != "443" || isPrivate {
			return event.Refuse("/endpoint", event.CodeRule, "an https address of a public push service")
		}
	}
	key, err := decodeBase64(s.Keys.P256dh)
	if err == nil {
		_, err = ecdh.P256().NewPublicKey(key)
	}
	if err != nil {
		return event.Refuse("/keys/p256dh", event.CodeFormat, "an uncompressed point of the curve P-256, in base64url")
	}
	if auth, err := decodeBase64(s.Keys.Auth); err != nil || len(auth) != 16 {
		return event.Refuse("/keys/auth", event.CodeFormat, "16 bytes in base64url")
	}
	return nil
}

// decodeBase64 decodes base64url with or without padding.
func decodeBase64(text string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}

// nonPublicNetworks lists networks that netip counts as global unicast, but that are
// not public: those of RFC 6890, and the ranges in which IPv6 carries IPv4 addresses.
var nonPublicNetworks = func() (all []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32",
		"2002::/16", "fec0::/10",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()

// isPublic tells whether an address belongs to the public internet.
func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Zone() != "" {
		return false
	}
	for _, p := range nonPublicNetworks {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

var errPrivate = errors.New("push: the endpoint's name leads to an address that is not public")

// sendTimeout bounds one request to a push service.
const sendTimeout = 10 * time.Second

// newClient returns a client that connects only to public addresses, and to loopback
// when allowLoopback is set. It checks the address of each connection, because a
// public name may resolve to a private address. It follows no redirect.
func newClient(allowLoopback bool) *http.Client {
	dialer := net.Dialer{Timeout: sendTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !isPublic(to.Addr()) && !(allowLoopback && to.Addr().Unmap().IsLoopback()) {
			return errPrivate
		}
		return nil
	}}
	return &http.Client{
		Timeout: sendTimeout,
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			MaxIdleConnsPerHost:    workers,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
