package symbolcache

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"time"

	"aftershock/breakpad"
)

// A source that failed is asked again within the load, after a pause.
const (
	maxTries   = 3
	retryPause = 200 * time.Millisecond // doubles, and is up to half longer
)

// load answers a request from the directory or the sources: with a handle, or
// with what became of it.
func (c *Cache) load(ctx context.Context, r request) (*handle, *miss) {
	if h, m := c.fromDisk(r); h != nil || m != nil {
		return h, m
	}
	unlock, err := c.disk.lock(ctx, r.hash)
	if err != nil {
		return nil, c.missed(r, OutcomeOf(err))
	}
	defer unlock()
	// Another process may have loaded it meanwhile.
	if h, m := c.fromDisk(r); h != nil || m != nil {
		return h, m
	}
	h, outcome := c.fromSources(ctx, r)
	if h != nil {
		c.disk.dropMiss(r.hash)
		return h, nil
	}
	m := c.missed(r, outcome)
	if !outcome.Transient() && c.ctx.Err() == nil {
		c.disk.saveMiss(m)
	}
	return nil, m
}

// missed is an outcome of now: what is written to a directory while it is being
// asked counts as later.
func (c *Cache) missed(r request, outcome Outcome) *miss {
	at := r.began
	if outcome.Transient() {
		at = c.o.Now() // the pause begins after the failure
	}
	return &miss{hash: r.hash, outcome: outcome, at: at}
}

// fromDisk looks into the directory; nil and nil mean: load it.
func (c *Cache) fromDisk(r request) (*handle, *miss) {
	h, err := c.disk.open(r.hash)
	switch {
	case err == nil && !c.changed(r.path, h.loaded):
		return h, nil
	case err == nil:
		h.file.Close() //nolint:errcheck,gosec // of a mapping of ours: it cannot fail
	case !errors.Is(err, fs.ErrNotExist):
		return nil, c.missed(r, Error)
	}
	m := c.disk.readMiss(r.hash)
	if m == nil || !m.believed(c.o.Now()) || c.changed(r.path, m.at) || r.refresh && m.at.Before(r.began) {
		return nil, nil
	}
	return nil, m
}

// fromSources asks the sources in order. One that fails does not hide the next:
// the worst failure counts only if none has the file.
func (c *Cache) fromSources(ctx context.Context, r request) (*handle, Outcome) {
	outcome := Missing
	for i := range c.o.Sources {
		h, err := c.ask(ctx, i, r)
		if err == nil {
			return h, Found
		}
		if c.o.Failed != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, errResting) && c.ctx.Err() == nil {
			c.o.Failed(i, r.path, err)
		}
		var full *DiskError
		if errors.As(err, &full) {
			return nil, OutcomeOf(err) // nothing another source has would fit
		}
		if o := OutcomeOf(err); outcome == Missing || o.Transient() {
			outcome = o
		}
	}
	return nil, outcome
}

// fromSource asks one source, again if that may help.
func (c *Cache) fromSource(ctx context.Context, s Source, r request) (*handle, error) {
	for try := 1; ; try++ {
		h, err := c.fetch(ctx, s, r)
		if err == nil || !errors.Is(err, ErrTemporary) || try == maxTries {
			return h, err
		}
		pause := retryPause << (try - 1)
		select {
		case <-time.After(pause + rand.N(pause/2)): //nolint:gosec // not a secret
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fetch streams a file from a source through the compiler into the directory.
// Which module the text says it is of is not looked at: neither
// minidump-stackwalk nor Breakpad does, and people rename symbol files to make
// them fit.
func (c *Cache) fetch(ctx context.Context, s Source, r request) (*handle, error) {
	began := time.Now()
	body, err := s.Open(ctx, r.path)
	if errors.Is(err, ErrNotFound) && !c.o.Modules {
		if path, ok := otherCase(r.path); ok {
			body, err = s.Open(ctx, path)
		}
	}
	if err != nil {
		return nil, err
	}
	if body.Remote && c.o.Downloading != nil {
		body.ReadCloser = c.o.Downloading(r.path, body.Bytes, body.ReadCloser)
	}
	defer body.Close() //nolint:errcheck // opened for reading
	if body.Bytes > c.o.MaxFetchBytes {
		return nil, errTooLarge
	}
	leave, err := c.compiles.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	from := &fetched{src: contextReader{ctx, body}, limit: c.o.MaxFetchBytes}
	defer func() {
		if body.Remote {
			c.o.Metrics.downloaded(from.read)
			r.fetched.Add(from.read)
		}
	}()
	text, err := unpack(from, c.o.MaxTextBytes)
	if err != nil {
		return nil, err
	}
	defer text.close()
	var leaveLarge func()
	defer func() {
		if leaveLarge != nil {
			leaveLarge()
		}
	}()
	memory := &meter{need: func(bytes int64) (int64, error) { return c.budget.need(ctx, bytes, &leaveLarge) }}
	h, err := c.disk.publish(r.hash, began, func(w io.Writer) error { return c.compile(w, text, memory) })
	if err == nil {
		c.o.Metrics.made(h.bytes)
	}
	c.o.Metrics.used(c.disk.space.used.Load())
	return h, err
}

// compile reads what a source has: text, or a module's own file.
func (c *Cache) compile(w io.Writer, from io.Reader, memory *meter) error {
	if !c.o.Modules {
		return compile(newOutput(w), from, memory, nil)
	}
	data, unmap, err := mapText(filepath.Join(c.disk.root, "tmp"), from, maxModuleBytes)
	if err != nil {
		return err
	}
	defer unmap()
	return compileModule(newOutput(w), data, memory)
}

// contextReader ends a read of what knows no context, between two reads.
type contextReader struct {
	ctx context.Context //nolint:containedctx // io.Reader has none
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// OutcomeOf is what an error of a source, or of reading what it sent, makes of a lookup.
func OutcomeOf(err error) Outcome {
	var disk *DiskError
	switch {
	case isTimeout(err), errors.Is(err, context.Canceled):
		return Timeout
	case errors.As(err, &disk):
		return Error
	case errors.Is(err, ErrNotFound):
		return Missing
	case errors.Is(err, ErrDenied):
		return Denied
	case errors.Is(err, breakpad.ErrNoModule), errors.Is(err, breakpad.ErrDamaged), errors.Is(err, breakpad.ErrNameLimit), errors.Is(err, breakpad.ErrSymbolLimit), errors.Is(err, ErrTooLarge),
		errors.Is(err, errTooLarge), errors.Is(err, errPacked), errors.Is(err, errModule):
		return Malformed
	}
	return Error
}
