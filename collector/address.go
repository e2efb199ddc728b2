package collector

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// address is where a report comes from: the connection's other end, or, when that is a
// proxy that is believed, the last address of X-Forwarded-For that no such proxy has. What
// stands before it a client can have written itself.
func (c *Collector) address(r *http.Request) netip.Addr {
	at := addrOf(r.RemoteAddr)
	if !c.trusts(at) {
		return at
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		before := addrOf(strings.TrimSpace(hop))
		if !before.IsValid() {
			break
		}
		if at = before; !c.trusts(at) {
			break
		}
	}
	return at
}

func (c *Collector) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(c.o.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// addrOf reads an address, with a port or without; the zero Addr is none.
func addrOf(text string) netip.Addr {
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
