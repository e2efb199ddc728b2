// Package symbolcache finds the symbol files of modules and keeps them ready.
//
// Cache.Get asks the sources in order for a module's .sym file and parses it.
// Parsed files stay in memory, the ones used longest ago leaving first; two who
// ask for one file wait for one parse. What was not found is remembered too,
// with the reason, for a time that depends on the reason.
//
// Sources are a directory and an HTTP server (source.go), both in the layout of
// Mozilla's symbol server: <debug file>/<debug id>/<name>.sym.
package symbolcache

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"aftershock/breakpad"
)

// Outcome tells what became of looking for a module's symbols.
type Outcome string

// Outcomes.
const (
	// Found: the file was read whole.
	Found Outcome = "found"
	// FoundLossy: the file was read, but for lines that make no sense.
	FoundLossy Outcome = "found_lossy"
	// Missing: every source says that it has none.
	Missing Outcome = "missing"
	// Denied: a source refuses to hand it out.
	Denied Outcome = "denied"
	// Timeout: a source did not answer in time.
	Timeout Outcome = "timeout"
	// Error: a source failed otherwise.
	Error Outcome = "error"
	// Malformed: the file is no symbol file, or too large.
	Malformed Outcome = "malformed"
	// Unused: nobody asked.
	Unused Outcome = "unused"
)

// Transient tells whether asking again later may give another answer.
func (o Outcome) Transient() bool { return o == Timeout || o == Error }

// Key identifies a symbol file as a module of a dump does. Values come from
// dumps: nothing about them can be relied on.
type Key struct {
	DebugFile string // path or base name
	DebugID   string // 32 hexadecimal digits and the age
}

// Lookup is the answer for one module. File is nil unless Outcome is Found or
// FoundLossy.
type Lookup struct {
	File    *breakpad.File
	Outcome Outcome
	// SHA256 is that of the text, hexadecimal; empty without a File.
	SHA256 string
}

// Options of a Cache. Zero values take the defaults.
type Options struct {
	Sources []Source
	// MaxBytes bounds the text of the files that are kept; the parsed form
	// takes about as much again.
	MaxBytes int64
	// MaxFileBytes bounds one file's text; a larger one is Malformed.
	MaxFileBytes int64
	// Now is the clock of the negative cache.
	Now func() time.Time
}

// Defaults of Options.
const (
	DefaultMaxBytes     = 512 << 20
	DefaultMaxFileBytes = 2 << 30
)

// How long an outcome without a file is believed.
const (
	retryMissing   = 5 * time.Minute
	retryTransient = 15 * time.Second
)

// maxNegative bounds how many misses are remembered.
const maxNegative = 100_000

// Cache is safe for concurrent use.
type Cache struct {
	o  Options
	mu sync.Mutex
	// entries holds every key that was asked for, by its path; order has the
	// most recently used in front.
	entries  map[string]*list.Element
	order    *list.List
	bytes    int64
	negative int
}

type entry struct {
	path   string
	done   chan struct{} // closed when lookup is set
	lookup Lookup
	size   int64     // of the text
	until  time.Time // when to ask again; zero for a file
}

// New returns an empty cache.
func New(o Options) *Cache {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxFileBytes <= 0 {
		o.MaxFileBytes = DefaultMaxFileBytes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Cache{o: o, entries: map[string]*list.Element{}, order: list.New()}
}

// Get returns the symbols of a module. The file is shared and immutable. A key
// that cannot name a file is Missing; when ctx ends first the outcome is Timeout.
func (c *Cache) Get(ctx context.Context, key Key) Lookup {
	path, ok := key.path()
	if !ok {
		return Lookup{Outcome: Missing}
	}
	for {
		e, mine := c.claim(path)
		if mine {
			lookup, size := c.load(ctx, path)
			c.settle(e, lookup, size, ctx.Err() != nil)
			return lookup
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return Lookup{Outcome: Timeout}
		}
		if e.lookup.Outcome != "" {
			return e.lookup
		}
		// Whoever loaded it gave up: its deadline is not ours.
	}
}

// claim returns the entry of a path, new and for the caller to load when mine.
func (c *Cache) claim(path string) (e *entry, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[path]; ok {
		e = el.Value.(*entry)
		if e.until.IsZero() || c.o.Now().Before(e.until) {
			c.order.MoveToFront(el)
			return e, false
		}
		c.remove(el)
	}
	e = &entry{path: path, done: make(chan struct{})}
	c.entries[path] = c.order.PushFront(e)
	return e, true
}

// settle publishes what was loaded and makes room. An aborted load is forgotten.
func (c *Cache) settle(e *entry, lookup Lookup, size int64, aborted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(e.done)
	el := c.entries[e.path]
	if aborted && lookup.File == nil {
		c.remove(el)
		return
	}
	e.lookup, e.size = lookup, size
	switch {
	case lookup.File != nil:
		c.bytes += size
	case lookup.Outcome.Transient():
		e.until = c.o.Now().Add(retryTransient)
	default:
		e.until = c.o.Now().Add(retryMissing)
	}
	if lookup.File == nil {
		c.negative++
	}
	c.evict(el)
}

// evict drops what was used longest ago until the limits hold, but never keep.
func (c *Cache) evict(keep *list.Element) {
	for el := c.order.Back(); el != nil && (c.bytes > c.o.MaxBytes || c.negative > maxNegative); {
		prev := el.Prev()
		e := el.Value.(*entry)
		loading := e.lookup.Outcome == ""
		if el != keep && !loading && (e.lookup.File != nil) == (c.bytes > c.o.MaxBytes) {
			c.remove(el)
		}
		el = prev
	}
}

func (c *Cache) remove(el *list.Element) {
	e := el.Value.(*entry)
	c.bytes -= e.size
	if e.lookup.Outcome != "" && e.lookup.File == nil {
		c.negative--
	}
	c.order.Remove(el)
	delete(c.entries, e.path)
}

// load asks the sources in order. A source that fails does not hide the next:
// the worst failure counts only if none has the file.
func (c *Cache) load(ctx context.Context, path string) (Lookup, int64) {
	outcome := Missing
	for _, source := range c.o.Sources {
		lookup, size, err := c.read(ctx, source, path)
		if err == nil {
			return lookup, size
		}
		if o := outcomeOf(err); outcome == Missing || o.Transient() {
			outcome = o
		}
	}
	return Lookup{Outcome: outcome}, 0
}

// errTooLarge: the text passes MaxFileBytes.
var errTooLarge = errors.New("symbol file too large")

// read opens and parses a source's file.
func (c *Cache) read(ctx context.Context, source Source, path string) (Lookup, int64, error) {
	r, err := source(ctx, path)
	if err != nil {
		return Lookup{}, 0, err
	}
	defer r.Close() //nolint:errcheck // read only
	sum := sha256.New()
	text := &bounded{src: r, left: c.o.MaxFileBytes}
	file, err := breakpad.Parse(io.TeeReader(text, sum), breakpad.ParseOptions{})
	if err != nil {
		return Lookup{}, 0, fmt.Errorf("%s: %w", path, err)
	}
	lookup := Lookup{File: file, Outcome: Found, SHA256: hex.EncodeToString(sum.Sum(nil))}
	if file.BadLines() > 0 {
		lookup.Outcome = FoundLossy
	}
	return lookup, text.read, nil
}

// bounded fails past its limit, where io.LimitReader would end.
type bounded struct {
	src        io.Reader
	left, read int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	b.read += int64(n)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

func outcomeOf(err error) Outcome {
	var netErr interface{ Timeout() bool }
	switch {
	case errors.Is(err, ErrNotFound):
		return Missing
	case errors.Is(err, ErrDenied):
		return Denied
	case errors.Is(err, breakpad.ErrNoModule), errors.Is(err, breakpad.ErrNameLimit), errors.Is(err, errTooLarge):
		return Malformed
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return Timeout
	}
	return Error
}
