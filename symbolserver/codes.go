package symbolserver

import (
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

// What the index says of a code id is believed for a while, and so is that it says nothing;
// that for less long, because a symbol file may just be uploaded.
const (
	knownTime   = 10 * time.Minute
	unknownTime = time.Minute
	// maxCodes bounds what is remembered.
	maxCodes = 100_000
)

// code is a question for a symbol file by code file and code id.
type code struct {
	try      bool
	file, id string
	path     string // as it was asked
}

// byCode sends the client to the symbol file's own path.
func (s *Server) byCode(a *answer, r *http.Request, c code) {
	p, err := s.lookup(r, c)
	switch {
	case err == nil:
		s.redirectTo(a, r, p)
		return
	case !errors.Is(err, symbolcache.ErrNotFound):
		s.failed(-1, c.path, err)
		s.unavailable(a, "The store did not answer")
		return
	}
	if p, err := store.ParsePath(c.path); err == nil { // 40 digits may be a debug id too
		s.byPath(a, r, p, c.try)
		return
	}
	f, outcome := s.fetch(r.Context(), wanted{code: &c}, refresh(r))
	if f == nil {
		s.without(a, r, outcome)
		return
	}
	defer f.spool.release()
	s.redirectTo(a, r, f.path) // who goes there follows the same download
}

func (s *Server) redirectTo(a *answer, r *http.Request, p store.Path) {
	s.redirect(a, (&url.URL{Path: "/" + p.String(), RawQuery: r.URL.RawQuery}).String())
}

// lookup asks the index, that of regular builds first.
func (s *Server) lookup(r *http.Request, c code) (store.Path, error) {
	tiers := []bool{false}
	if c.try {
		tiers = append(tiers, true)
	}
	for _, try := range tiers {
		key := codeKey{try, c.file, c.id}
		now := s.o.Now()
		p, known := s.codes.get(key, now)
		if !known || refresh(r) {
			var err error
			p, err = store.LookupCode(r.Context(), s.o.Store, try, c.file, c.id)
			if err != nil && !errors.Is(err, symbolcache.ErrNotFound) {
				return store.Path{}, err
			}
			s.codes.put(key, p, now)
		}
		if p != (store.Path{}) {
			return p, nil
		}
	}
	return store.Path{}, symbolcache.ErrNotFound
}

type codeKey struct {
	try      bool
	file, id string
}

// codes remembers what the index said. It is safe for concurrent use.
type codes struct {
	mu    sync.Mutex
	known map[codeKey]codeAnswer
}

// codeAnswer is a path, or none.
type codeAnswer struct {
	path  store.Path
	until time.Time
}

func newCodes() *codes { return &codes{known: map[codeKey]codeAnswer{}} }

func (c *codes) get(k codeKey, now time.Time) (store.Path, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.known[k]
	return a.path, ok && now.Before(a.until)
}

func (c *codes) put(k codeKey, p store.Path, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCodes {
		clear(c.known) // any can be asked again
	}
	believed := knownTime
	if p == (store.Path{}) {
		believed = unknownTime
	}
	c.known[k] = codeAnswer{p, now.Add(believed)}
}
