// Package loopback tells whether an address belongs to this machine alone. Some
// checks of the broker allow unencrypted or unauthenticated access for it only.
package loopback

import "net/netip"

// IsHost tells whether a host is localhost or a loopback address. The host must not
// contain a port.
func IsHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
