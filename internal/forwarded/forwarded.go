// Package forwarded says where requests come from that proxies pass on.
package forwarded

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Address is where a request comes from: the connection's other end, or, when that is one of
// the proxies, the last address of X-Forwarded-For that none of them has. What stands before it
// a client can have written itself.
func Address(r *http.Request, proxies []netip.Prefix) netip.Addr {
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	at := addressIn(r.RemoteAddr)
	if !trusted(at) {
		return at
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		before := addressIn(strings.TrimSpace(hop))
		if !before.IsValid() {
			break
		}
		if at = before; !trusted(at) {
			break
		}
	}
	return at
}

// addressIn reads an address, with a port or without; the zero Addr is none.
func addressIn(text string) netip.Addr {
	host, _, err := net.SplitHostPort(text)
	if err != nil {
		host = strings.Trim(text, "[]")
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
