// Package loopback tells whether a name is of this machine alone: what may go
// unencrypted, or be answered without signing in, depends on it.
package loopback

import "net/netip"

// Name tells whether a host, without its port, is localhost or a loopback
// address.
func IsHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
