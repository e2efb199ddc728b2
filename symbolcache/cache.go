package symbolcache

import (
	"context"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Cache. Zero values take the defaults.
type Options struct {
	// Dir is where compiled files are kept; several processes may share it. A
	// cache without Sources needs none.
	Dir     string
	Sources []Source
	// Modules: the sources have modules' own files (ELF, PE, Mach-O) where others have
	// symbol files. See [File.Executable].
	Modules bool
	// MaxBytes bounds the compiled files in Dir.
	MaxBytes int64
	// MaxFetchBytes bounds what is fetched for one file, MaxTextBytes its text
	// when unpacked. What is larger is Malformed.
	MaxFetchBytes, MaxTextBytes int64
	// MaxOpen and MaxMapped bound the files that stay mapped while nobody uses
	// them.
	MaxOpen   int
	MaxMapped int64
	// Beside, if set, is a cache whose compilers, and their memory, are those of this one
	// as well; MaxCompiles and MaxCompileBytes are its own then.
	Beside *Cache
	// MaxCompiles bounds the compiles at a time, because each takes memory.
	MaxCompiles int
	// MaxCompileBytes bounds the memory that compilers hold together; they wait for
	// it. A text that alone takes more is Malformed.
	MaxCompileBytes int64
	// LoadTimeout bounds a load: waiting for others, fetching, compiling.
	LoadTimeout time.Duration
	// Now is the clock of the negative cache.
	Now func() time.Time
	// Downloading may wrap the body of a download to watch it; bytes is -1 when
	// unknown. What it returns is read and closed in its place. Nil: nobody
	// watches.
	Downloading func(path string, bytes int64, body io.ReadCloser) io.ReadCloser
	// Failed, if set, hears why a source did not answer, by its index, why a file
	// could not be kept, or, with index -1, that a load panicked. It is called from many goroutines.
	Failed  func(source int, path string, err error)
	Metrics *Metrics // may be nil
}

// Defaults of Options.
const (
	DefaultMaxBytes      = 10 << 30
	DefaultMaxFetchBytes = 2 << 30
	DefaultMaxTextBytes  = 4 << 30
	DefaultMaxCompiles   = 2
	DefaultLoadTimeout   = 5 * time.Minute

	DefaultMaxCompileBytes = 1 << 30
)

// Cache is safe for concurrent use.
type Cache struct {
	o        Options
	scope    string
	disk     *disk // nil without sources
	compiles slots
	asking   []slots         // of each source
	breakers []Breaker       // likewise
	budget   *budget         // of what they hold
	ctx      context.Context //nolint:containedctx // the cache's life, which loads share
	stop     context.CancelFunc
	loads    sync.WaitGroup

	mu      sync.Mutex
	swept   time.Time
	handles *handles
	misses  *misses
	flights map[string]*flight
	arrived map[string]time.Time // when symbols came, by hash: of the last LoadTimeout
}

// New opens a cache. Close ends it.
func New(o Options) (*Cache, error) {
	setDefault(&o.MaxBytes, DefaultMaxBytes)
	setDefault(&o.MaxFetchBytes, DefaultMaxFetchBytes)
	setDefault(&o.MaxTextBytes, DefaultMaxTextBytes)
	setDefault(&o.MaxOpen, DefaultMaxOpen)
	setDefault(&o.MaxMapped, DefaultMaxMapped)
	setDefault(&o.MaxCompiles, DefaultMaxCompiles)
	setDefault(&o.MaxCompileBytes, DefaultMaxCompileBytes)
	setDefault(&o.LoadTimeout, DefaultLoadTimeout)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Modules {
		o.Sources = slices.Clone(o.Sources)
		for i, s := range o.Sources {
			o.Sources[i] = modules{s}
		}
	}
	c := &Cache{
		o: o, scope: scopeOf(o.Sources), compiles: make(slots, o.MaxCompiles), breakers: make([]Breaker, len(o.Sources)), budget: newBudget(o.MaxCompileBytes, o.MaxCompiles),
		handles: newHandles(o.MaxOpen, o.MaxMapped), misses: newMisses(maxMisses), flights: map[string]*flight{}, arrived: map[string]time.Time{},
	}
	if o.Beside != nil {
		c.compiles, c.budget = o.Beside.compiles, o.Beside.budget
	}
	for range o.Sources {
		c.asking = append(c.asking, make(slots, maxPerSource))
	}
	if len(o.Sources) > 0 {
		var err error
		if c.disk, err = openDisk(o.Dir, o.MaxBytes, c.evicted); err != nil {
			return nil, &DiskError{err}
		}
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c, nil
}

func setDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Close ends the loads under way, whose callers get an outcome without a file,
// and unmaps what nobody uses. Lookups that were answered stay valid until they
// are released. Get must not be called afterwards.
func (c *Cache) Close() error {
	c.stop()
	c.loads.Wait()
	c.mu.Lock()
	for hash := range c.handles.byHash {
		c.handles.drop(hash)
	}
	c.mu.Unlock()
	if c.disk == nil {
		return nil
	}
	return c.disk.close()
}

// Get returns the symbols of a module. The caller releases the answer. A key
// that cannot name a file is Missing; when ctx ends first the outcome is Timeout,
// and the load goes on for the next who asks.
func (c *Cache) Get(ctx context.Context, key Key) Lookup {
	return c.counted(c.get(ctx, key, false))
}

// Known is Get when the answer is in memory: nothing waits for a source or the disk.
// Else it is false.
func (c *Cache) Known(key Key) (Lookup, bool) {
	l, _, known := c.known(key, false)
	if known {
		l = c.counted(l)
	}
	return l, known
}

// Refresh is Get that asks the sources again for what was not found lately.
func (c *Cache) Refresh(ctx context.Context, key Key) Lookup {
	return c.counted(c.get(ctx, key, true))
}

func (c *Cache) counted(l Lookup) Lookup {
	c.o.Metrics.lookup(l.Outcome)
	return l
}

// request is what a load is asked for.
type request struct {
	hash, path string
	refresh    bool
	began      time.Time
	fetched    *atomic.Int64 // counts the bytes that are fetched for it
}

func (c *Cache) get(ctx context.Context, key Key, refresh bool) Lookup {
	l, r, known := c.known(key, refresh)
	if known {
		return l
	}
	c.mu.Lock()
	f := c.flights[r.hash]
	if f == nil || c.outdated(f) {
		f = c.launch(r)
	}
	f.waiters++
	c.mu.Unlock()
	return c.wait(ctx, f)
}

// known answers from memory.
func (c *Cache) known(key Key, refresh bool) (Lookup, request, bool) {
	path, ok := key.path()
	if c.o.Modules {
		path, ok = key.modulePath()
	}
	if !ok || c.disk == nil {
		return Lookup{Outcome: Missing}, request{}, true
	}
	r := request{hash: hashKey(c.scope, path), path: path, refresh: refresh, began: c.o.Now()}
	c.sweep(r.began)
	c.mu.Lock()
	h, m, f := c.handles.get(r.hash), c.misses.get(r.hash), c.flights[r.hash]
	if h != nil && f == nil {
		h.refs++
	}
	c.mu.Unlock()
	if f != nil {
		return Lookup{}, r, false
	}
	// Sources are asked without the mutex: a directory may be on a slow disk.
	if h != nil {
		l := c.leased(h)
		if !c.changed(path, h.loaded) {
			c.touch(h)
			return l, r, true
		}
		l.Release()
	}
	if m != nil && !refresh && m.believed(r.began) && !c.changed(path, m.at) {
		return Lookup{Outcome: m.outcome}, r, true
	}
	return Lookup{}, r, false
}

// changed tells whether a source has got another file since.
func (c *Cache) changed(path string, since time.Time) bool {
	other, cased := otherCase(path)
	cased = cased && !c.o.Modules
	for _, s := range c.o.Sources {
		if s, ok := s.(changer); ok && (s.changedSince(path, since) || cased && s.changedSince(other, since)) {
			return true
		}
	}
	return false
}

// touch writes down, now and then, that a file is in use.
func (c *Cache) touch(h *handle) {
	now := time.Now()
	c.mu.Lock()
	due := now.Sub(h.touched) >= touchInterval
	if due {
		h.touched = now
	}
	c.mu.Unlock()
	if due {
		c.disk.touch(h.hash, now)
	}
}

// sweepInterval is how long an idle file stays mapped that another process has
// evicted or replaced.
const sweepInterval = time.Minute

// sweep unmaps, now and then, what is idle and has no name any more: it needs
// room on the disk that nobody counts.
func (c *Cache) sweep(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.swept) < sweepInterval {
		return
	}
	c.swept = now
	for hash, el := range c.handles.byHash {
		h := el.Value.(*handle)
		if info, err := os.Stat(c.disk.path(hash)); h.refs == 1 && (err != nil || !os.SameFile(info, h.info)) {
			c.handles.drop(hash)
		}
	}
}

// evicted forgets a file that has left the directory.
func (c *Cache) evicted(hash string) {
	c.o.Metrics.evicted()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handles.drop(hash)
}
