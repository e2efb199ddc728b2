package web

import (
	"maps"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"aftershock/access"
	"aftershock/internal/forwarded"
)

// Rate bounds what one client asks of the API: a bucket that fills evenly.
type Rate struct {
	PerMinute int // 0: no bound
}

// maxClients are those whose buckets are remembered; what does not fit shares one.
const maxClients = 10_000

// rates are the buckets of clients.
type rates struct {
	of  Rate
	now func() time.Time

	mu      sync.Mutex
	clients map[string]*drops
	swept   time.Time
}

// sweepEvery is how often full buckets are looked for where there is no room.
const sweepEvery = time.Second

// drops are what is left in a bucket, at a time.
type drops struct {
	left float64
	at   time.Time
}

// others is the bucket of clients that there is no room for.
const others = ""

// take takes a drop out of a client's bucket; else it says how long until there is one.
func (r *rates) take(client string) (wait time.Duration, ok bool) {
	if r.of.PerMinute <= 0 {
		return 0, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now, full := r.now(), float64(r.of.PerMinute)
	d := r.clients[client]
	if d == nil && len(r.clients) >= maxClients {
		if now.Sub(r.swept) >= sweepEvery {
			r.swept = now
			maps.DeleteFunc(r.clients, func(_ string, d *drops) bool { return r.filled(d, now) >= full }) // as if it was never there
		}
		if len(r.clients) >= maxClients {
			client = others
			d = r.clients[client]
		}
	}
	if d == nil {
		if r.clients == nil {
			r.clients = map[string]*drops{}
		}
		d = &drops{full, now}
		r.clients[client] = d
	}
	d.left, d.at = r.filled(d, now), now
	if d.left < 1 {
		return time.Duration((1 - d.left) / full * float64(time.Minute)), false
	}
	d.left--
	return 0, true
}

func (r *rates) filled(d *drops, now time.Time) float64 {
	full := float64(r.of.PerMinute)
	return min(full, d.left+full*max(now.Sub(d.at).Minutes(), 0))
}

// client is who a request counts for: a viewer by name, whatever the token, and all others by
// their address; a network of IPv6 is one address.
func (h *Handler) client(r *http.Request) string {
	if v := access.From(r.Context()); v != nil {
		return "viewer " + v.Name
	}
	address := forwarded.Address(r, h.o.Proxies).Unmap()
	switch {
	case !address.IsValid():
		return others
	case address.Is4():
		return address.String()
	}
	network, err := address.WithZone("").Prefix(64)
	if err != nil {
		return others
	}
	return network.String()
}

// limited lets a request pass that its client's rate allows.
func (h *Handler) limited(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wait, ok := h.rates.take(h.client(r))
		if !ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			h.fail(w, r, http.StatusTooManyRequests, "more than "+strconv.Itoa(h.rates.of.PerMinute)+" requests a minute", "Wait a moment.")
			return
		}
		next(w, r)
	}
}
