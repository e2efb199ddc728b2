package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"aftershock/internal/loopback"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
	"aftershock/symbolcache"
	"aftershock/symbolserver"
	"aftershock/symbolserver/store"
	"aftershock/symbolserver/symbolicate"
	"aftershock/symbolserver/upload"
)

// downloadFlags are those of what a symbol server hands out.
type downloadFlags struct {
	Redirect      bool          `help:"Answer with links into the store, good for 15 minutes, instead of the bytes: for an S3 store that clients can reach."`
	Upstream      []string      `help:"Server that is asked for what the store lacks; what it has is kept. Its layout stands before its URL: tecken (Mozilla's, the default), microsoft or debuginfod. Repeat it; they are asked in order." placeholder:"[LAYOUT=]URL" sep:"none"`
	DownloadDir   string        `help:"Directory for files while they arrive, from upstreams and uploads: files without names. By default the system's for temporary files." placeholder:"DIR"`
	UpstreamTime  time.Duration `help:"How long a download from an upstream may take." default:"5m"`
	UpstreamBytes int64         `help:"Largest file from an upstream, in bytes as it comes." default:"2147483648"`
}

// uploadFlags are those of what a symbol server takes.
type uploadFlags struct {
	Tokens        string        `help:"File of the tokens of those who may upload (symbols token add). Without it nobody may." placeholder:"FILE" type:"path"`
	UploadFrom    []string      `help:"Host of which a zip may be fetched by its address, over https. Repeat it." placeholder:"HOST" sep:"none"`
	UploadPrivate []string      `help:"Server, host:port, on this machine or its network, which may be such a host. Repeat it." placeholder:"HOST:PORT" sep:"none"`
	UploadBytes   int64         `help:"Largest zip, and largest file, in bytes as sent." default:"2147483648"`
	UploadUnpacks int64         `help:"Largest content of a file, in bytes." default:"4294967296"`
	UploadMembers int           `help:"Most files of a zip." default:"10000"`
	UploadsAtOnce int           `help:"How many files are checked and stored at a time." default:"4"`
	UploadWaits   time.Duration `help:"How long the addresses are good at which listed files are to be put." default:"1h"`
	SymbolsURL    string        `help:"Where clients find this server, for addresses in its answers; by default where they have sent their request." name:"symbols-url" placeholder:"URL"`
	StoreEncoding string        `help:"How uploaded symbol files are stored: gzip, zstd or plain. By default plain in a directory, where tools that know nothing of encodings look, and gzip in a bucket." enum:",gzip,zstd,plain" default:""`
}

// symbolicateFlags bound what one request may ask.
type symbolicateFlags struct {
	SymbolicateJobs     int           `help:"Most jobs of a request of v4 and v5." default:"10"`
	SymbolicateBatch    int           `help:"Most jobs of a request of v6." default:"1000"`
	SymbolicateStacks   int           `help:"Most stacks of a request." default:"100000"`
	SymbolicateFrames   int           `help:"Most frames of a request." default:"500000"`
	SymbolicateModules  int           `help:"Most modules of a request." default:"50000"`
	SymbolicateBytes    int64         `help:"Largest body of a request, as sent and as unpacked." default:"16777216"`
	SymbolicateDeadline time.Duration `help:"How long a request waits for symbols; what has not come by then is not found, or timed out in v6." default:"30s"`
}

// symbolServerFlags are those of a symbol server, alone and in up.
type symbolServerFlags struct {
	SymbolsListen string `help:"Address of the symbol server: downloads, uploads, symbolication; off for none." default:"127.0.0.1:8070"`
	downloadFlags
	uploadFlags
	symbolicateFlags
}

// symbolsOff is the address of a symbol server that is none.
const symbolsOff = "off"

// check refuses what the flags' parser cannot see.
func (f *symbolServerFlags) checkServer() error {
	switch {
	case f.UpstreamTime <= 0 || f.UpstreamBytes < 1:
		return &usageError{"--upstream-time, --upstream-bytes: want more than 0"}
	case f.UploadBytes < 1 || f.UploadUnpacks < 1 || f.UploadMembers < 1 || f.UploadsAtOnce < 1 || f.UploadWaits <= 0:
		return &usageError{"--upload-bytes, --upload-unpacks, --upload-members, --uploads-at-once, --upload-waits: want more than 0"}
	case f.SymbolicateJobs < 1 || f.SymbolicateBatch < 1 || f.SymbolicateStacks < 1 || f.SymbolicateFrames < 1 || f.SymbolicateModules < 1 || f.SymbolicateBytes < 1 || f.SymbolicateDeadline <= 0:
		return &usageError{"--symbolicate-…: want more than 0"}
	}
	return nil
}

// limits are those of a request to symbolicate.
func (f *symbolicateFlags) limits() symbolicate.Limits {
	return symbolicate.Limits{
		Jobs: f.SymbolicateJobs, BatchJobs: f.SymbolicateBatch, Stacks: f.SymbolicateStacks, Frames: f.SymbolicateFrames, Modules: f.SymbolicateModules,
		BodyBytes: f.SymbolicateBytes,
	}
}

// upstreams are the servers that are asked for what the store lacks.
func (f *downloadFlags) upstreams(redirects []string) (out []symbolserver.Upstream, err error) {
	for _, name := range f.Upstream {
		up, err := symbolserver.ParseUpstream(name, redirects...)
		if err != nil {
			return nil, &usageError{"--" + err.Error()}
		}
		out = append(out, up)
	}
	return out, nil
}

// encoding is how symbol files are stored.
func (f *uploadFlags) encoding(storeName string) string {
	switch f.StoreEncoding {
	case "":
		if strings.HasPrefix(storeName, "s3:") {
			return store.Gzip
		}
		return store.Identity
	case "plain":
		return store.Identity
	}
	return f.StoreEncoding
}

// symbolServer is what a symbol server is made of.
type symbolServer struct {
	flags     symbolServerFlags
	storeName string
	store     store.Store
	upstreams []symbolserver.Upstream
	// symbols answer symbolication.
	symbols *symbolcache.Cache
	// kafka is where it is told what has come; nil: nowhere.
	kafka *stream.Kafka
	// tables say what crashes lack; nil: nobody does.
	tables *clickhouse.DB
	// allowed are names by which a server on the loopback interface is called besides its own.
	allowed  []string
	registry prometheus.Registerer
	health   *health
	log      zerolog.Logger
}

// serve serves until ctx is done.
func (s *symbolServer) serve(ctx context.Context) error {
	version, err := release().short()
	if err != nil {
		return err
	}
	f := s.flags
	o := symbolserver.Options{
		Store: s.store, Redirect: f.Redirect, Upstreams: s.upstreams, Folder: f.DownloadDir, FetchTime: f.UpstreamTime, MaxFetchBytes: f.UpstreamBytes,
		Version: version, Metrics: symbolserver.NewMetrics(s.registry),
		Failed: func(upstream int, path string, err error) {
			s.log.Warn().Err(err).Int("upstream", upstream+1).Str("path", path).Msg("a source of symbol files failed")
		},
		Symbolicate: symbolicate.New(s.symbols, symbolicate.Options{Limits: f.limits(), Deadline: f.SymbolicateDeadline, Metrics: s.registry, Log: s.log}),
	}
	if f.Tokens != "" {
		tokens, err := upload.OpenTokens(f.Tokens, time.Now)
		if err != nil {
			return err
		}
		uploads := upload.New(upload.Options{
			Store: s.store, Tokens: tokens, Announce: s.announce, Encoding: f.encoding(s.storeName), Folder: f.DownloadDir, From: f.UploadFrom, Private: f.UploadPrivate,
			URL: f.SymbolsURL, MaxZipBytes: f.UploadBytes, MaxFileBytes: f.UploadBytes, MaxContentBytes: f.UploadUnpacks, MaxMembers: f.UploadMembers, MaxKeeps: f.UploadsAtOnce, Waits: f.UploadWaits,
			Metrics: upload.NewMetrics(s.registry), Log: s.log,
		})
		defer uploads.Close()
		o.Upload = uploads
	}
	server := symbolserver.New(o)
	defer server.Close()
	ready := s.health.part("symbols.serve")
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { watchStore(ctx, s.store, s.health.part("symbols.store"), s.log); return nil })
	g.Go(func() error { return serve(ctx, f.SymbolsListen, s.handler(server), s.log, func() { ready(nil) }) })
	return g.Wait()
}

// handler adds pages to a server.
func (s *symbolServer) handler(server http.Handler) http.Handler {
	page := rootPage(symbolsPage)
	missing := loopback.Guard(s.flags.SymbolsListen, s.allowed, missingPage(s.tables, s.log)) // it is of crashes, and no page may read it
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch path := r.URL.Path; {
		case path == "/" && reads:
			page(w, r)
		case s.tables != nil && reads && (path == "/missing" || path == "/missing.csv" || path == "/missingsymbols.csv"): // the last is Mozilla's name
			missing.ServeHTTP(w, r)
		default:
			server.ServeHTTP(w, r)
		}
	})
}

// announce tells of what has come: the cache here at once, and all others by Kafka.
func (s *symbolServer) announce(ctx context.Context, arrived []upload.Arrival) error {
	events := make([]schema.SymbolsEvent, len(arrived))
	for i, a := range arrived {
		events[i] = schema.SymbolsEvent{
			DebugFile: a.Path.File, DebugID: a.Path.ID, SHA256: a.SHA256, Replaces: a.Replaces, Worse: a.Worse, BadLines: a.BadLines, By: a.By, Reason: schema.SymbolsUpload,
		}
		arrivedAt(s.symbols)(&events[i], time.Now())
	}
	if s.kafka == nil {
		return nil
	}
	return stream.Announce(ctx, *s.kafka, events)
}

// triedSource is a store's tier of tried builds.
type triedSource struct{ store.Store }

func (t triedSource) Name() string { return t.Store.Name() + " try" }

func (t triedSource) Open(ctx context.Context, path string) (symbolcache.Body, error) {
	return t.Store.Open(ctx, "try/"+path)
}

// ownSources are what a symbol server symbolicates with: its store, the tier of tried builds, and
// what its own downloads get from upstreams that have symbol files.
func ownSources(s store.Store, upstreams []symbolserver.Upstream, listen string) []symbolcache.Source {
	sources := []symbolcache.Source{s, triedSource{s}}
	for _, up := range upstreams {
		if up.Layout == symbolserver.Tecken {
			return append(sources, symbolcache.NewHTTP(&url.URL{Scheme: "http", Host: dialable(listen)}))
		}
	}
	return sources
}

// dialable is the address at which this machine finds who listens on one.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err == nil && (host == "" || net.ParseIP(host).IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
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

// storeLook is between looks at whether the store is there.
const storeLook = 15 * time.Second

// Symbols are for everybody, and so is what this says.
const symbolsPage = `This is a symbol server of Aftershock. It speaks as Mozilla's (Tecken, Eliot), as Breakpad's, and as debuginfod:

  http://{host}/<debug file>/<debug id>/<name>.sym   a symbol file; modules' own files by the same scheme
  http://{host}/<code file>/<code id>/<name>.sym     where that is, by code file and code id
  http://{host}/try/…                                with builds that are tried
  http://{host}/buildid/<id>/debuginfo               for debuggers: export DEBUGINFOD_URLS=http://{host}
  http://{host}/symbolicate/v5                       names for addresses; v4 and v6 too
  http://{host}/upload/                              for who has a token: aftershock symbols upload DIR --url http://{host}

  minidump-stackwalk --symbols-url http://{host} crash.dmp
`
