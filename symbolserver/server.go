// Package symbolserver serves symbol files and modules' own files over HTTP, as Mozilla's
// symbol server (Tecken), Microsoft's symbol servers and debuginfod do, so that debuggers,
// profilers and crash processors which speak with those speak with it unchanged.
//
// Server is the handler. A request for a file goes through download.go: the path is taken
// apart by the rules of package store; the store is looked at, then that of tried builds
// where asked for; a symbol file may be asked for by code file and code id (codes.go). What
// is there is handed out (serve.go) in an encoding that the client takes (encode.go), or as
// a link into the store. What is not is fetched from the first upstream that has it
// (upstream.go, fetch.go), by one download that all who ask follow (spool.go), and kept.
//
// Uploads and symbolication are others' handlers, mounted here.
package symbolserver

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"aftershock/internal/loopback"
	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

// Options of a Server. Zero limits take their defaults.
type Options struct {
	Store store.Store
	// Redirect answers with links into the store, where it has any and the client takes
	// the encoding.
	Redirect bool
	// Upstreams are asked in order for what the store lacks.
	Upstreams []Upstream
	// Folder takes downloads from upstreams while they arrive: files without names. By
	// default the system's for temporary files.
	Folder string
	// FetchTime bounds a download from an upstream, and HeadTime how long it may be
	// unknown whether an upstream has the file.
	FetchTime, HeadTime time.Duration
	// MaxFetchBytes bounds a file from an upstream as it comes, MaxContentBytes what it
	// unpacks to.
	MaxFetchBytes, MaxContentBytes int64
	// MaxFetches bounds the downloads under way.
	MaxFetches int
	// Symbolicate takes /symbolicate/…, Upload takes /upload/… and /v1/…; nil: there are no
	// such paths.
	Symbolicate, Upload http.Handler
	// Version is the JSON of /__version__.
	Version []byte
	// Failed, if set, hears why an upstream did not answer, by its index, or, with index
	// -1, that the store failed. It is called from many goroutines.
	Failed  func(upstream int, path string, err error)
	Now     func() time.Time
	Metrics *Metrics // may be nil
}

// Defaults of Options.
const (
	DefaultFetchTime = 5 * time.Minute
	// DefaultHeadTime is less than symbolcache, and others, wait for an answer of ours.
	DefaultHeadTime   = 8 * time.Second
	DefaultMaxFetches = 256
)

// Server is an http.Handler. It is safe for concurrent use.
type Server struct {
	o     Options
	codes *codes
	beat  heartbeat

	// Of upstreams.
	health []*health // of each
	misses *symbolcache.Misses
	ctx    context.Context //nolint:containedctx // the server's life, which downloads share
	stop   context.CancelFunc
	loads  sync.WaitGroup
	mu     sync.Mutex
	loaded map[string]*fetch // by path, those under way

	recoding, unpacking chan struct{}
}

// New returns a server. Close ends it.
func New(o Options) *Server {
	setDefault(&o.FetchTime, DefaultFetchTime)
	setDefault(&o.HeadTime, DefaultHeadTime)
	setDefault(&o.MaxFetches, DefaultMaxFetches)
	setDefault(&o.MaxFetchBytes, symbolcache.DefaultMaxFetchBytes)
	setDefault(&o.MaxContentBytes, symbolcache.DefaultMaxTextBytes)
	if o.Folder == "" {
		o.Folder = os.TempDir()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		o: o, codes: newCodes(), health: healthOf(o.Upstreams), misses: symbolcache.NewMisses(), loaded: map[string]*fetch{},
		recoding: make(chan struct{}, maxRecodings), unpacking: make(chan struct{}, maxRecodings),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

func setDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Close ends the downloads from upstreams. Requests must have ended, and none come.
func (s *Server) Close() {
	s.stop()
	s.loads.Wait()
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/__lbheartbeat__", path == "/__heartbeat__", path == "/__version__":
		s.dockerflow(w, r)
	case s.o.Symbolicate != nil && strings.HasPrefix(path, "/symbolicate/"):
		s.o.Symbolicate.ServeHTTP(w, r)
	case s.o.Upload != nil && (strings.HasPrefix(path, "/upload/") || strings.HasPrefix(path, "/v1/")):
		loopback.NoPages(s.o.Upload).ServeHTTP(w, r) // nothing that writes is for pages
	default:
		s.download(s.answer(w, r), r)
	}
}

func (s *Server) failed(upstream int, path string, err error) {
	if s.o.Failed != nil && s.ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		s.o.Failed(upstream, path, err)
	}
}
