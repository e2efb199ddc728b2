// Package upload takes symbol files and modules' own files from build systems into a store:
//
//	v1.go         /upload/: a zip, as Mozilla's symbol server takes it, or its address (byurl.go)
//	v2.go         /upload/v2/: a list of files, for each an address to put it at (pending.go)
//	breakpad.go   /v1/…: the protocol of Breakpad's sym_upload
//	token.go      who may
//	check.go      what a file is: a symbol file must be that of its path
//	keep.go       into the store, whole or not at all, and never silently in place of another
//
// Who is told of what has come makes crashes again that lacked it.
package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

// Options of a Handler. Zero limits take their defaults.
type Options struct {
	Store  store.Store
	Tokens *Tokens
	// Announce tells of symbol files that have come, and returns when it cannot be lost any
	// more. Nil: nobody is told.
	Announce func(ctx context.Context, arrived []Arrival) error
	// Encoding is what symbol files are stored in: store.Gzip, store.Zstd or store.Identity.
	Encoding string
	// Folder takes files while they are checked: without names. By default the system's for
	// temporary files.
	Folder string
	// From are the hosts, host or host:port, of which zips are fetched by address. Private, host:port, may
	// lie in this network.
	From, Private []string
	// URL is where clients find this server, for addresses in answers; by default what they
	// have sent their request to.
	URL string
	// MaxZipBytes bounds a zip, MaxMembers its members, MaxFileBytes each file as it is sent and
	// MaxContentBytes what it unpacks to; MaxTotalBytes all of a zip.
	MaxZipBytes, MaxFileBytes, MaxContentBytes, MaxTotalBytes int64
	MaxMembers                                                int
	// MaxKeeps bounds the files that are checked and stored at a time.
	MaxKeeps int
	// Waits is how long an address to put a file at is good.
	Waits   time.Duration
	Now     func() time.Time
	Metrics *Metrics // may be nil
	Log     zerolog.Logger
}

// Defaults of Options.
const (
	DefaultMaxZipBytes   = 2 << 30
	DefaultMaxTotalBytes = 32 << 30
	DefaultMaxMembers    = 10_000
	DefaultMaxKeeps      = 4
	DefaultWaits         = time.Hour
)

// Handler is an http.Handler. It is safe for concurrent use.
type Handler struct {
	o       Options
	mux     *http.ServeMux
	keeping chan struct{}
	pending *pending
	ctx     context.Context //nolint:containedctx // the handler's life
	stop    context.CancelFunc

	mu    sync.Mutex
	locks map[string]*pathLock
}

// New returns a handler, which goes on with what was pending. Close ends it.
func New(o Options) *Handler {
	setDefault(&o.MaxZipBytes, DefaultMaxZipBytes)
	setDefault(&o.MaxFileBytes, symbolcache.DefaultMaxFetchBytes)
	setDefault(&o.MaxContentBytes, symbolcache.DefaultMaxTextBytes)
	setDefault(&o.MaxTotalBytes, DefaultMaxTotalBytes)
	setDefault(&o.MaxMembers, DefaultMaxMembers)
	setDefault(&o.MaxKeeps, DefaultMaxKeeps)
	setDefault(&o.Waits, DefaultWaits)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Folder == "" {
		o.Folder = os.TempDir()
	}
	h := &Handler{o: o, mux: http.NewServeMux(), keeping: make(chan struct{}, o.MaxKeeps), locks: map[string]*pathLock{}}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.pending = newPending(h)
	h.mux.HandleFunc("/upload/{$}", h.v1)
	h.mux.HandleFunc("/upload/auth_info/{$}", h.authInfo)
	h.mux.HandleFunc("/upload/v2/{$}", h.v2)
	h.mux.HandleFunc("/upload/v2/{id}", h.v2Status)
	h.mux.HandleFunc("/upload/v2/{id}/{n}", h.v2Put)
	h.mux.HandleFunc("/v1/", h.breakpad)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "there is no such path") })
	return h
}

func setDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Close ends what is pending, which the next handler goes on with. Requests must have ended,
// and none come.
func (h *Handler) Close() {
	h.stop()
	h.pending.wait()
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Auth-Token")
	// The body has its pace, and what becomes of it takes as long as it takes.
	http.NewResponseController(w).SetWriteDeadline(time.Time{}) //nolint:errcheck,gosec // a recorder of tests has none
	h.mux.ServeHTTP(w, r)
}

// pathLock is held by who puts a file at a path.
type pathLock struct {
	mu      sync.Mutex
	holders int
}

// lock waits until nobody else puts a file at the path. Other processes do not wait: of two that
// put different files there at the same moment the store has one, whole.
func (h *Handler) lock(path string) (unlock func()) {
	h.mu.Lock()
	l := h.locks[path]
	if l == nil {
		l = &pathLock{}
		h.locks[path] = l
	}
	l.holders++
	h.mu.Unlock()
	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		h.mu.Lock()
		if l.holders--; l.holders == 0 {
			delete(h.locks, path)
		}
		h.mu.Unlock()
	}
}

// told tells of what has come, also when its uploader has left, and logs what became of each
// file.
func (h *Handler) told(ctx context.Context, by string, results []Result) error {
	var arrived []Arrival
	for i := range results {
		r := &results[i]
		h.o.Metrics.file(r.Status)
		if r.failed == nil && r.Status != Refused {
			h.o.Log.Info().Str("by", by).Str("key", r.Key).Str("sha256", r.SHA256).Int64("bytes", r.Bytes).Str("status", r.Status).Msg("uploaded")
		}
		if r.arrival != nil && r.arrival.Path.IsSym() {
			arrived = append(arrived, *r.arrival)
		}
	}
	if h.o.Announce == nil || len(arrived) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterTime)
	defer cancel()
	if err := h.o.Announce(ctx, arrived); err != nil {
		h.o.Metrics.untold(len(arrived))
		h.o.Log.Error().Err(err).Int("files", len(arrived)).Msg("uploaded symbols not announced")
		return errUntold
	}
	return nil
}

// errUntold: the files are there, and nobody was told.
var errUntold = errors.New("the files are kept, and crashes that lack them are not made again yet: send them once more")

const (
	// maxDrained is how much of a body is read before it is refused, so that its sender sees
	// the answer and not a broken connection; and maxDrain how long.
	maxDrained = 64 << 20
	maxDrain   = 10 * time.Second
)

// who is the token that was sent; without one the request has been answered.
func (h *Handler) who(w http.ResponseWriter, r *http.Request) *Token {
	sent := r.Header.Get("Auth-Token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); sent == "" && ok {
		sent = bearer
	}
	if sent == "" {
		sent = r.URL.Query().Get("key") // Breakpad's way
	}
	if sent == "" {
		h.forbid(w, r, "This requires an Auth-Token to authenticate the request")
		return nil
	}
	t, err := h.o.Tokens.Find(sent)
	if err != nil {
		h.o.Log.Error().Err(err).Msg("tokens not readable")
		fail(w, http.StatusServiceUnavailable, "tokens cannot be looked up now")
		return nil
	}
	if t == nil {
		h.forbid(w, r, "Forbidden")
	}
	return t
}

func (h *Handler) forbid(w http.ResponseWriter, r *http.Request, why string) {
	h.o.Metrics.refused("token")
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(time.Now().Add(maxDrain)) //nolint:errcheck,gosec // of a connection that has none
	io.CopyN(io.Discard, r.Body, maxDrained)     //nolint:errcheck,gosec // its sender may have had enough
	fail(w, http.StatusForbidden, why)
}

// allowed tells whether the method is; else the request has been answered.
func allowed(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	fail(w, http.StatusMethodNotAllowed, fmt.Sprintf("Method Not Allowed (%s): %s", r.Method, r.URL.Path))
	return false
}

// fail answers with an error, as Mozilla's server writes it.
func fail(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]string{"error": text})
}

func failf(w http.ResponseWriter, status int, format string, args ...any) {
	fail(w, status, fmt.Sprintf(format, args...))
}

// answerTime is how long a client may take to read an answer.
const answerTime = time.Minute

// answer answers with JSON as Breakpad's client reads it, which knows no JSON: blanks follow
// colons, and addresses stand there as they are.
func answer(w http.ResponseWriter, status int, what any) {
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetIndent("", " ")
	out.SetEscapeHTML(false)
	if err := out.Encode(what); err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime)) //nolint:errcheck,gosec // a recorder of tests has none
	w.WriteHeader(status)
	w.Write(text.Bytes()) //nolint:errcheck,gosec // its client may be gone
}

// authInfo says what a token can.
func (h *Handler) authInfo(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodPost, http.MethodGet) {
		return
	}
	t := h.who(w, r)
	if t == nil {
		return
	}
	info := map[string]any{"user": t.Name, "email": t.Name, "user_id": 0, "try_symbols": t.tryOnly(), "upload_api_version": 2, "token_expires_at": nil}
	if !t.Expires.IsZero() {
		info["token_expires_at"] = t.Expires.Unix()
	}
	answer(w, http.StatusOK, info)
}
