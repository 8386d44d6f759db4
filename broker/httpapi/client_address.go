package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns the address that a request comes from: the last hop that is none
// of Config.Proxies. Of an IPv6 address it returns the network of 64 bits, because one
// customer has all addresses of such a network.
func (a *API) clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(forwarded) {
		addr, err := netip.ParseAddr(host)
		containsAddr := func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) }
		next, ok := parseHop(hop)
		if err != nil || !ok || !slices.ContainsFunc(a.Proxies, containsAddr) {
			break
		}
		host = next.String()
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() && !addr.Is4In6() {
		network, _ := addr.Prefix(64) // 64 bits are within any such address
		return network.String()
	}
	return host
}

// parseHop reads one hop of X-Forwarded-For: an address as proxies write it, bare or in
// brackets, with or without a port. ok is false for anything else, such as "unknown".
func parseHop(hop string) (addr netip.Addr, ok bool) {
	hop = strings.Trim(strings.TrimSpace(hop), `"`)
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(hop, "["), "]"))
	return addr.Unmap().WithZone(""), err == nil
}
