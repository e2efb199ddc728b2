package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"aftershock/internal/loopback"
	"aftershock/symbolserver"
	"aftershock/symbolserver/store"
)

// symbolsServeVerb runs the symbol server.
type symbolsServeVerb struct {
	symbolStoreFlag
	SymbolsListen  string        `help:"Address of the symbol server: GET /<debug file>/<debug id>/<name>." default:"127.0.0.1:8070"`
	Redirect       bool          `help:"Answer with links into the store, good for 15 minutes, instead of the bytes: for an S3 store that clients can reach."`
	Upstream       []string      `help:"Server that is asked for what the store lacks; what it has is kept. Its layout stands before its URL: tecken (Mozilla's, the default), microsoft or debuginfod. Repeat it; they are asked in order." placeholder:"[LAYOUT=]URL" sep:"none"`
	SymbolRedirect []string      `help:"Server, host:port, on this machine or its network, to which upstreams may redirect. Repeat it." placeholder:"HOST:PORT" sep:"none"`
	DownloadDir    string        `help:"Directory for files from upstreams while they arrive: files without names. By default the system's for temporary files." placeholder:"DIR"`
	UpstreamTime   time.Duration `help:"How long a download from an upstream may take." default:"5m"`
	UpstreamBytes  int64         `help:"Largest file from an upstream, in bytes as it comes." default:"2147483648"`
	metricsFlag
}

// storeLook is between looks at whether the store is there.
const storeLook = 15 * time.Second

// Run serves until SIGTERM.
func (v *symbolsServeVerb) Run(r *run) error {
	if v.UpstreamTime <= 0 || v.UpstreamBytes < 1 {
		return &usageError{"symbols serve: --upstream-time, --upstream-bytes: want more than 0"}
	}
	o := symbolserver.Options{Redirect: v.Redirect, Folder: v.DownloadDir, FetchTime: v.UpstreamTime, MaxFetchBytes: v.UpstreamBytes}
	for _, name := range v.Upstream {
		up, err := symbolserver.ParseUpstream(name, v.SymbolRedirect...)
		if err != nil {
			return &usageError{"--" + err.Error()}
		}
		o.Upstreams = append(o.Upstreams, up)
	}
	var err error
	if o.Version, err = release().short(); err != nil {
		return err
	}
	if o.Store, err = v.open(r.ctx); err != nil {
		return err
	}
	o.Failed = func(upstream int, path string, err error) {
		r.log.Warn().Err(err).Int("upstream", upstream+1).Str("path", path).Msg("a source of symbol files failed")
	}
	return v.run(r, o)
}

// run serves symbols, and health and metrics.
func (v *symbolsServeVerb) run(r *run, o symbolserver.Options) error {
	tracing, err := v.metricsFlag.open(r.ctx, r.log)
	if err != nil {
		return err
	}
	defer tracing.close()
	registry := newRegistry()
	health := newHealth(registry)
	g, ctx := errgroup.WithContext(r.ctx)
	g.Go(func() error {
		return serve(ctx, v.MetricsListen, loopback.Guard(v.MetricsListen, v.AllowHost, observe(registry, health)), r.log, nil)
	})
	g.Go(func() error { return serveSymbols(ctx, v.SymbolsListen, o, registry, health, r.log) })
	return g.Wait()
}

// serveSymbols serves until ctx is done.
func serveSymbols(ctx context.Context, listen string, o symbolserver.Options, registry prometheus.Registerer, health *health, log zerolog.Logger) error {
	o.Metrics = symbolserver.NewMetrics(registry)
	server := symbolserver.New(o)
	defer server.Close()
	page := rootPage(symbolsPage)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			page(w, r)
			return
		}
		server.ServeHTTP(w, r)
	})
	ready := health.part("symbols.serve")
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { watchStore(ctx, o.Store, health.part("symbols.store"), log); return nil })
	g.Go(func() error { return serve(ctx, listen, handler, log, func() { ready(nil) }) })
	return g.Wait()
}

// watchStore tells whether the store is there.
func watchStore(ctx context.Context, s store.Store, ready func(error), log zerolog.Logger) {
	for ctx.Err() == nil {
		err := s.Check(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			log.Warn().Err(err).Msg("symbol store not there")
		}
		ready(err)
		pause(ctx, storeLook)
	}
}

// Symbols are for everybody, and so is what this says.
const symbolsPage = `This is a symbol server of Aftershock. It speaks as Mozilla's (Tecken), and as debuginfod:

  http://{host}/<debug file>/<debug id>/<name>.sym   a symbol file; modules' own files by the same scheme
  http://{host}/<code file>/<code id>/<name>.sym     where that is, by code file and code id
  http://{host}/try/…                                with builds that are tried
  http://{host}/buildid/<id>/debuginfo               for debuggers: export DEBUGINFOD_URLS=http://{host}

  minidump-stackwalk --symbols-url http://{host} crash.dmp
`
