package symbolserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

// wanted is what upstreams are asked for: the file of a path, or the symbol file of a code
// id, of which is found out by the way what its path is.
type wanted struct {
	path store.Path
	code *code
}

// key is the path at an upstream.
func (w wanted) key() string {
	if w.code != nil {
		return w.code.file + "/" + w.code.id + w.code.path[lastSlash(w.code.path):]
	}
	return w.path.String()
}

func lastSlash(path string) int {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '/' {
			return i
		}
	}
	return 0
}

// keepTime bounds putting a file into the store.
const keepTime = 2 * time.Minute

// fetch is a download from an upstream under way, which all who want the file follow. It
// goes on when they leave: the next one finds the file.
type fetch struct {
	keys  []string      // in Server.loaded
	begun chan struct{} // closed when it is known whether there is a file

	// Set before begun is closed.
	outcome  symbolcache.Outcome // Found, or why there is none
	stored   bool                // the store has it, or another download: nothing is in the spool
	path     store.Path
	encoding string
	bytes    int64 // -1 when unknown
	spool    *spool

	// What is put when all has arrived.
	sha256, by string
	head       store.Head
}

// hasBegun is for the download itself.
func (f *fetch) hasBegun() bool {
	select {
	case <-f.begun:
		return true
	default:
		return false
	}
}

// fetch gets a file from the upstreams, or follows who does, until it is known whether
// there is one. The caller releases the spool of what is returned; nil has an outcome.
func (s *Server) fetch(ctx context.Context, w wanted, refresh bool) (*fetch, symbolcache.Outcome) {
	asked := s.askable(w)
	if len(asked) == 0 {
		return nil, symbolcache.Missing
	}
	f, outcome := s.join(w, asked, refresh)
	if f == nil {
		return nil, outcome
	}
	select {
	case <-f.begun:
		if f.outcome == symbolcache.Found {
			return f, symbolcache.Found
		}
	case <-ctx.Done():
	}
	defer f.spool.release()
	if !f.hasBegun() {
		return nil, symbolcache.Timeout
	}
	return nil, f.outcome
}

// askable are the upstreams that may have it.
func (s *Server) askable(w wanted) (out []int) {
	for i, up := range s.o.Upstreams {
		if up.Layout.has(w) {
			out = append(out, i)
		}
	}
	return out
}

// join returns the download of a file, which it starts if there is none; nil when it is
// known what became of one, or too many are under way.
func (s *Server) join(w wanted, asked []int, refresh bool) (*fetch, symbolcache.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.loaded[w.key()]
	if f == nil {
		if outcome, missed := s.misses.Get(w.key(), s.o.Now()); missed && !refresh {
			return nil, outcome
		}
		if len(s.loaded) >= s.o.MaxFetches {
			return nil, symbolcache.Timeout
		}
		f = &fetch{keys: []string{w.key()}, begun: make(chan struct{}), path: w.path, spool: newSpool(s.o.Folder)}
		s.loaded[w.key()] = f
		s.loads.Go(func() { s.load(f, w, asked) })
	}
	f.spool.retain()
	return f, symbolcache.Found
}

// load downloads and keeps a file.
func (s *Server) load(f *fetch, w wanted, asked []int) {
	defer f.spool.release()
	ctx, cancel := context.WithTimeout(s.ctx, s.o.FetchTime)
	defer cancel()
	s.o.Metrics.fetching(1)
	defer s.o.Metrics.fetching(-1)
	outcome, err := s.contained(ctx, f, w, asked)
	if outcome != symbolcache.Found { // who sees that it ended finds out why
		s.settle(f, w, outcome)
		f.spool.finish(err)
		return
	}
	f.spool.finish(nil)
	if err := s.keep(f, w); err != nil {
		s.failed(-1, w.key(), err)
	}
	s.settle(f, w, outcome)
}

// contained makes a panic an outcome: one bad file must not end the process.
func (s *Server) contained(ctx context.Context, f *fetch, w wanted, asked []int) (outcome symbolcache.Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			outcome, err = symbolcache.Error, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			s.failed(-1, w.key(), err)
		}
	}()
	return s.fromEach(ctx, f, w, asked)
}

// fromEach asks the upstreams in order. One that fails does not hide the next: the worst
// failure counts only if none has the file. One that fails when clients have got some of
// the file is the last.
func (s *Server) fromEach(ctx context.Context, f *fetch, w wanted, asked []int) (symbolcache.Outcome, error) {
	if w.code == nil { // another may have kept it since the store was looked at
		if _, err := s.o.Store.Stat(ctx, w.path.String()); err == nil {
			f.stored = true
			return symbolcache.Found, nil
		}
	}
	outcome, last := symbolcache.Missing, symbolcache.ErrNotFound
	for _, i := range asked {
		f.by = store.ByUpstream + s.o.Upstreams[i].Host
		err := s.ask(ctx, i, f, w)
		if err == nil {
			return symbolcache.Found, nil
		}
		if !errors.Is(err, symbolcache.ErrNotFound) && !errors.Is(err, errResting) {
			s.failed(i, w.key(), err)
		}
		o := outcomeOf(err)
		if f.hasBegun() {
			return o, err
		}
		if outcome == symbolcache.Missing || o.Transient() {
			outcome, last = o, err
		}
		if err := f.spool.reset(); err != nil {
			return symbolcache.Error, err
		}
	}
	return outcome, last
}

// begin lets those follow who wait. It is false when another download of that path is
// under way, or the store has it.
func (s *Server) begin(ctx context.Context, f *fetch, w wanted) bool {
	if w.code != nil {
		if _, err := s.o.Store.Stat(ctx, f.path.String()); err == nil {
			f.stored = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.code != nil && !f.stored {
		if at := f.path.String(); s.loaded[at] != nil {
			f.stored = true
		} else {
			f.keys = append(f.keys, at)
			s.loaded[at] = f
		}
	}
	f.outcome = symbolcache.Found
	close(f.begun)
	return !f.stored
}

// keep puts what has arrived into the store, and into the index, also when the server is
// about to end.
func (s *Server) keep(f *fetch, w wanted) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), keepTime)
	defer cancel()
	if there, err := s.o.Store.Stat(ctx, f.path.String()); err == nil && !there.OfUpstream() {
		f.stored = true // somebody has uploaded the module's meanwhile: that stays
	}
	if !f.stored {
		o := store.Object{Path: f.path.String(), Bytes: f.spool.bytes(), Encoding: f.encoding, SHA256: f.sha256, By: f.by}
		if err := s.o.Store.Put(ctx, o, io.NewSectionReader(f.spool.file, 0, o.Bytes)); err != nil {
			return err
		}
		if f.path.IsSym() {
			if err := store.IndexCode(ctx, s.o.Store, f.path, f.head); err != nil {
				return err
			}
		}
	}
	if w.code == nil {
		return nil
	}
	s.codes.put(codeKey{false, w.code.file, w.code.id}, f.path, s.o.Now())
	return store.IndexCode(ctx, s.o.Store, f.path, store.Head{CodeFile: w.code.file, CodeID: w.code.id})
}

// settle tells those who still wait, and remembers what was not found.
func (s *Server) settle(f *fetch, w wanted, outcome symbolcache.Outcome) {
	s.o.Metrics.fetched(outcome, f.spool.bytes())
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range f.keys {
		delete(s.loaded, key)
	}
	switch {
	case outcome == symbolcache.Found:
		s.misses.Drop(w.key())
	case s.ctx.Err() == nil: // else the server ends: that says nothing of the file
		s.misses.Put(w.key(), outcome, s.o.Now())
	}
	if !f.hasBegun() {
		f.outcome = outcome
		close(f.begun)
	}
}
