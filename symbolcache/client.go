package symbolcache

import (
	"net/http"
	"slices"
)

// PublicClient is a client for addresses that others have chosen. It connects to public
// addresses, and to the servers that are named, host:port, whatever theirs are; redirects are
// followed by the rules of NewHTTP's.
func PublicClient(named ...string) *http.Client {
	return &http.Client{Transport: newTransport(&targets{named: slices.Clone(named)}), CheckRedirect: checkRedirect}
}
