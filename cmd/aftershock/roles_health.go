package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
)

// health knows which parts of the process do their work. /readyz names the
// parts and never what ails them: that is in the log.
type health struct {
	mu    sync.Mutex
	parts map[string]partState
	gauge *prometheus.GaugeVec
	never *prometheus.GaugeVec
}

// partState is what /readyz says of a part.
type partState string

const (
	partReady    partState = "ready"
	partNotReady partState = "not ready"
	// partOldRules works, and not as its operator wants.
	partOldRules partState = "ready, by the rules before: those in the file do not compile"
	// partUnserved will not be ready as long as this binary runs.
	partUnserved partState = "not ready: this release cannot serve the signature version"
	// partUnseen is the same of a version that nobody sees: it is missed by nobody.
	partUnseen partState = "left alone: this release cannot serve the signature version, which is not seen"
)

// holdsUp tells whether the process is not ready for that part.
func (s partState) holdsUp() bool { return s == partNotReady || s == partUnserved }

func newHealth(r prometheus.Registerer) *health {
	h := &health{
		parts: map[string]partState{},
		gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "aftershock_ready", Help: "Whether a part of the process does its work.",
		}, []string{"part"}),
		never: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "aftershock_version_unserved", Help: "1 for a part whose signature version this release cannot serve.",
		}, []string{"part"}),
	}
	r.MustRegister(h.gauge, h.never)
	return h
}

// part declares a part, not ready yet, and returns the function that is told how
// it fares.
func (h *health) part(name string) func(error) {
	h.set(name, partNotReady)
	return func(err error) {
		if err != nil {
			h.set(name, partNotReady)
			return
		}
		h.set(name, partReady)
	}
}

// unserved declares that this binary will never do the part's work, which matters as long
// as its version is seen.
func (h *health) unserved(name string, seen bool) {
	if seen {
		h.set(name, partUnserved)
	} else {
		h.set(name, partUnseen)
	}
}

func (h *health) set(name string, state partState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts[name] = state
	h.never.DeleteLabelValues(name)
	switch state {
	case partUnseen:
		h.gauge.DeleteLabelValues(name)
		return
	case partUnserved:
		h.never.WithLabelValues(name).Set(1)
	default:
	}
	value := 0.0
	if !state.holdsUp() {
		value = 1
	}
	h.gauge.WithLabelValues(name).Set(value)
}

// drop forgets a part that is not wanted any more.
func (h *health) drop(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.parts, name)
	h.gauge.DeleteLabelValues(name)
	h.never.DeleteLabelValues(name)
}

// notReady are the parts that do not do their work, by name.
func (h *health) notReady() map[string]partState {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]partState{}
	for name, state := range h.parts {
		if state.holdsUp() {
			out[name] = state
		}
	}
	return out
}

// readyz answers 200 when every part is ready, else 503; a line a part. Before there are
// parts nobody knows what there is to do.
func (h *health) readyz(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := make([]string, 0, len(h.parts))
	status := http.StatusOK
	for name, state := range h.parts {
		names = append(names, name)
		if state.holdsUp() {
			status = http.StatusServiceUnavailable
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	if len(names) == 0 {
		fmt.Fprintln(w, "starting") //nolint:errcheck // the client left
	}
	for _, name := range names {
		fmt.Fprintf(w, "%s: %s\n", name, h.parts[name]) //nolint:errcheck // the client left
	}
}

// newRegistry is a metrics registry with the process's own figures.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// observe is the handler of /metrics, /healthz, /readyz, and of / that names them.
func observe(r *prometheus.Registry, h *health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok") //nolint:errcheck // the client left
	})
	mux.HandleFunc("GET /readyz", h.readyz)
	mux.HandleFunc("GET /{$}", rootPage(metricsPage))
	return mux
}

// newServer is a server with our bounds.
func newServer(handler http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       5 * time.Minute,
		WriteTimeout:      8 * time.Minute, // counted from the head of the request
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		Protocols:         &protocols,
	}
}

// serve answers HTTP on an address until ctx is done, then lets requests finish.
// listening, if not nil, is called when the address is bound.
func serve(ctx context.Context, addr string, handler http.Handler, log zerolog.Logger, listening func()) error {
	return serveWith(ctx, addr, newServer(handler), log, listening)
}

// serveWith is serve for a server that differs. One with a TLS configuration speaks HTTPS.
func serveWith(ctx context.Context, addr string, server *http.Server, log zerolog.Logger, listening func()) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("%w (choose another address with its flag, or end what listens there)", err)
	}
	bounded := boundConnections(ln, maxConnections, maxConnectionsPerAddress)
	run := func() error { return server.Serve(bounded) }
	if server.TLSConfig != nil {
		run = func() error { return server.ServeTLS(bounded, "", "") }
	}
	failed := make(chan error, 1)
	go func() { failed <- run() }()
	if listening != nil {
		listening()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		log.Warn().Err(err).Str("address", addr).Msg("requests cut off")
		err = server.Close()
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// drainTimeout is how long requests may take to finish after SIGTERM.
const drainTimeout = 30 * time.Second
