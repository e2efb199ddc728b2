package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"aftershock/processor"
	"aftershock/symbolcache"
)

// symbolFlags name the symbol sources and the cache of what they had.
type symbolFlags struct {
	Symbols          []string `help:"Where symbol files are, in the layout <debug file>/<debug id>/<name>.sym, plain, gzip or zstd: a directory, an http(s) URL, or s3://bucket/prefix?endpoint=URL&region=R with credentials from the environment. Repeat it; they are asked in order." placeholder:"DIR|URL" sep:"none"`
	Modules          []string `help:"Where modules' own files are (ELF, PE, Mach-O), which tell how code without symbols is unwound: <name>/<debug id or code id>/<name>, or as debuginfod has them; a directory, an http(s) URL or s3 as for --symbols. Repeat it. Process versions before 7 do not ask." placeholder:"DIR|URL" sep:"none"`
	SymbolRedirect   []string `help:"Server, host:port, on this machine or its network, to which symbol servers may redirect. Repeat it." placeholder:"HOST:PORT" sep:"none"`
	SymbolCache      string   `help:"Directory of compiled symbol files, which processes may share. By default in the user's cache directory, or in the data directory if there is one." placeholder:"DIR"`
	SymbolCacheBytes int64    `help:"Bound of that directory, in bytes; 0 is the default." default:"10737418240"`
}

// cache opens the cache. Nothing is made on disk when no source is named. Whoever
// opens it closes it. Metrics and downloads may be nil.
// Compilers may hold so many bytes; 0 is the default.
func (f symbolFlags) cache(log zerolog.Logger, metrics *symbolcache.Metrics, d *downloads, compileBytes int64) (*symbolcache.Cache, error) {
	return f.cacheOf(f.Symbols, symbolcache.Options{MaxCompileBytes: compileBytes, Metrics: metrics}, log, d)
}

// caches are those of symbols and of modules' own files, in one directory. modules is
// nil if no source of such is named.
type caches struct{ symbols, modules *symbolcache.Cache }

// caches opens both, whose compilers may hold so many bytes together. Whoever opens them closes them.
// Registry and downloads may be nil.
func (f symbolFlags) caches(log zerolog.Logger, registry prometheus.Registerer, d *downloads, compileBytes int64) (*caches, error) {
	var ofSymbols, ofModules *symbolcache.Metrics
	if registry != nil {
		ofSymbols, ofModules = symbolcache.NewMetrics(registry), symbolcache.NewModuleMetrics(registry)
	}
	symbols, err := f.cache(log, ofSymbols, d, compileBytes)
	if err != nil || len(f.Modules) == 0 {
		return &caches{symbols: symbols}, err
	}
	modules, err := f.cacheOf(f.Modules, symbolcache.Options{Beside: symbols, Modules: true, Metrics: ofModules}, log, d)
	if err != nil {
		return nil, errors.Join(err, symbols.Close())
	}
	return &caches{symbols, modules}, nil
}

// close ends both: what they keep is on disk already.
func (c *caches) close() {
	c.symbols.Close() //nolint:errcheck,gosec // see above
	if c.modules != nil {
		c.modules.Close() //nolint:errcheck,gosec // see above
	}
}

// found is what a walk asks.
func (c *caches) found() processor.Symbols {
	s := processor.Symbols{Find: c.symbols.Get, Known: c.symbols.Known}
	if c.modules != nil {
		s.FindFile, s.KnownFile = c.modules.Get, c.modules.Known
	}
	return s
}

func (f symbolFlags) cacheOf(sources []string, o symbolcache.Options, log zerolog.Logger, d *downloads) (*symbolcache.Cache, error) {
	o.Dir, o.MaxBytes = f.SymbolCache, f.SymbolCacheBytes
	o.Failed = func(source int, path string, err error) {
		// By its place among the flags: the URL may hold a password. By the id alone: a
		// dump can name a module whatever it likes.
		log.Warn().Err(err).Int("source", source+1).Str("debug_id", idOf(path)).Bool("of_modules", o.Modules).Msg("symbol source failed")
	}
	if f.SymbolCacheBytes < 0 {
		return nil, &usageError{"--symbol-cache-bytes: want 0 or more"}
	}
	for _, name := range sources {
		s, err := symbolcache.NewSource(name, f.SymbolRedirect...)
		if err != nil {
			return nil, err
		}
		o.Sources = append(o.Sources, s)
	}
	if o.Dir == "" && len(o.Sources) > 0 {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, &usageError{fmt.Sprintf("--symbol-cache names no directory, and there is no default: %v", err)}
		}
		o.Dir = filepath.Join(dir, "aftershock", "symbols")
	}
	if d != nil {
		o.Downloading = d.watch
	}
	return symbolcache.New(o)
}

// idOf is the id in the path of a symbol file.
func idOf(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}

// downloads shows how far downloads have come. Nil shows nothing.
type downloads struct {
	w    io.Writer
	mu   sync.Mutex
	bars *mpb.Progress // while there is something to show
}

// showDownloads draws on w if that is a terminal.
func showDownloads(w io.Writer) *downloads {
	if !isTerminal(w) {
		return nil
	}
	return &downloads{w: w}
}

// clear takes the bars off the screen. It comes before every output: what is
// drawn afterwards would wipe lines of it.
func (d *downloads) clear() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bars != nil {
		d.bars.Shutdown()
		d.bars = nil
	}
}

// watch draws a bar until the body is closed.
func (d *downloads) watch(path string, bytes int64, body io.ReadCloser) io.ReadCloser {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bars == nil {
		d.bars = mpb.New(mpb.WithOutput(d.w), mpb.WithAutoRefresh())
	}
	bar := d.bars.AddBar(max(bytes, 0),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(printable(filepath.Base(path)), decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f")),
	)
	return &watched{ReadCloser: bar.ProxyReader(body), body: body, bar: bar}
}

type watched struct {
	io.ReadCloser // counts what is read
	body          io.Closer
	bar           *mpb.Bar
}

// Close ends the bar also when the body was not read to its end.
func (w *watched) Close() error {
	w.bar.Abort(true)
	return w.body.Close()
}

// printable keeps what a dump names from talking to the terminal.
func printable(name string) string {
	text := fmt.Sprintf("%q", name)
	return text[1 : len(text)-1]
}
