// Package loopback keeps pages in a browser away from servers that only this
// machine should reach. That a server listens on the loopback interface says
// nothing about who sent a request: any page may send one there, and a page whose
// name suddenly resolves to 127.0.0.1 may read the answer.
package loopback

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// NoPages refuses requests that a page in a browser sent: clients that are none
// send no Origin. It is for servers that only take, as the door, whatever name a
// client knows them by.
func NoPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fromPage(r.Header) {
			refuse(w, "requests of web pages are refused")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Guard is NoPages and Named, for a server that also tells.
func Guard(listen string, names []string, next http.Handler) http.Handler {
	return NoPages(Named(listen, names, next))
}

// Named is for a server of pages, which have forms and to which other pages lead, and which looks
// itself at where its forms are sent from: when it listens on the loopback interface, it must be
// called by a name of this machine, or one of names.
func Named(listen string, names []string, next http.Handler) http.Handler {
	if !Is(listen) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r.Host)
		if !Is(r.Host) && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, host) }) {
			refuse(w, "this server listens on the loopback interface and is called by a name that --allow-host does not list")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, why string) {
	w.Header().Set("Connection", "close")
	http.Error(w, why, http.StatusForbidden)
}

// fromPage tells whether a page made the browser send the request. What somebody
// types into the address bar no page sent.
func fromPage(h http.Header) bool {
	if _, has := h["Origin"]; has {
		return true
	}
	site := h.Get("Sec-Fetch-Site")
	return site != "" && site != "none" && site != "same-origin"
}

// hostOf is the host of host:port, without brackets.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// Is tells whether an address, with a port or without, is this machine's own by
// every resolver's word. A name below .localhost is not: some resolvers ask the
// network for it.
func Is(address string) bool {
	host := hostOf(address)
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
