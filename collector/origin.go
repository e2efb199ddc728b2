package collector

import (
	"net/http"
	"slices"
)

// anyOrigin stands for the pages of everybody.
const anyOrigin = "*"

// preflightAge is how long a browser may remember the answer, in seconds.
const preflightAge = "86400"

// fromPage lets the pages of the origins that are listed send reports and read the answers
// (CORS), and answers a browser's question before it. It returns true when it has answered.
// Requests of other pages do not come here: see loopback.NoPages.
func (c *Collector) fromPage(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || !c.AllowsOrigin(origin) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Encoding, Content-Type")
	h.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
	return true
}

// AllowsOrigin tells whether pages of an origin may send reports.
func (c *Collector) AllowsOrigin(origin string) bool {
	return slices.Contains(c.o.Origins, origin) || slices.Contains(c.o.Origins, anyOrigin)
}
