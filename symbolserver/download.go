package symbolserver

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

const (
	// linkTime is how long a link into the store is good.
	linkTime = 15 * time.Minute
	// retryAfter, in seconds, is when a client may ask again for what an upstream failed
	// to answer, or what there was no room for.
	retryAfter = 30
)

// download answers a request for a file.
func (s *Server) download(a *answer, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		a.Header().Set("Allow", "GET, HEAD")
		a.text(http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	path, ok := elements(r.URL)
	_, try := r.URL.Query()["try"]
	if codeTry, file, id, isCode := store.ParseCode(path); ok && isCode {
		s.byCode(a, r, code{try: try || codeTry, file: file, id: id, path: path})
		return
	}
	p, err := store.ParsePath(path)
	if err != nil || !ok {
		a.ignored = true
		a.notFound()
		return
	}
	s.byPath(a, r, p, try || p.Try)
}

// elements is a URL's path. An escaped slash is none: it is part of a name, which no file
// has.
func elements(u *url.URL) (string, bool) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, part := range parts {
		name, err := url.PathUnescape(part)
		if err != nil || strings.Contains(name, "/") {
			return "", false
		}
		parts[i] = name
	}
	return strings.Join(parts, "/"), true
}

// byPath hands out the file of a path, that of a regular build first.
func (s *Server) byPath(a *answer, r *http.Request, p store.Path, try bool) {
	p.Try = false
	tiers := []store.Path{p}
	if try {
		p.Try = true
		tiers = append(tiers, p)
	}
	for _, tier := range tiers {
		switch found, err := s.fromStore(a, r, tier); {
		case found:
			return
		case err != nil:
			s.failed(-1, tier.String(), err)
			s.unavailable(a, "The store did not answer")
			return
		}
	}
	s.fromUpstreams(a, r, tiers[0])
}

// fromStore answers with what the store has; false when it has nothing.
func (s *Server) fromStore(a *answer, r *http.Request, p store.Path) (found bool, err error) {
	if r.Method == http.MethodHead || s.o.Redirect {
		o, err := s.o.Store.Stat(r.Context(), p.String())
		if err != nil {
			return false, unlessMissing(err)
		}
		if r.Method == http.MethodHead {
			s.serve(a, r, p, file{Object: o})
			return true, nil
		}
		if accepts(r, o.Encoding) {
			link, err := s.o.Store.GetLink(r.Context(), p.String(), linkTime)
			if err == nil {
				s.redirect(a, link)
				return true, nil
			}
			if !errors.Is(err, store.ErrNoLinks) {
				return false, err
			}
		}
	}
	o, content, err := s.o.Store.Get(r.Context(), p.String())
	if err != nil {
		return false, unlessMissing(err)
	}
	defer content.Close() //nolint:errcheck // opened for reading
	f := file{Object: o, content: content}
	if p.IsSym() && o.Encoding == store.Identity && o.SHA256 == "" {
		if f.Encoding, err = sniff(content); err != nil { // other hands may have forgotten to say it
			return false, err
		}
	}
	s.serve(a, r, p, f)
	return true, nil
}

func unlessMissing(err error) error {
	if errors.Is(err, symbolcache.ErrNotFound) {
		return nil
	}
	return err
}

// fromUpstreams answers with what an upstream has.
func (s *Server) fromUpstreams(a *answer, r *http.Request, p store.Path) {
	f, outcome := s.fetch(r.Context(), wanted{path: p}, refresh(r))
	switch {
	case f != nil && f.stored:
		defer f.spool.release()
		if found, err := s.fromStore(a, r, p); err != nil || !found {
			s.unavailable(a, "The store did not answer")
		}
	case f != nil:
		content := f.spool.follow(r.Context())
		defer content.Close() //nolint:errcheck // opened for reading
		s.serve(a, r, p, file{Object: store.Object{Path: p.String(), Bytes: f.bytes, Encoding: f.encoding}, content: content, arriving: true})
	default:
		s.without(a, r, outcome)
	}
}

// without answers that there is no file, or that nobody knows: a client must be able to
// tell the two apart.
func (s *Server) without(a *answer, r *http.Request, outcome symbolcache.Outcome) {
	switch {
	case r.Context().Err() != nil:
		abort() // the client left
	case !outcome.Transient():
		a.notFound()
	case outcome == symbolcache.Timeout:
		a.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		a.text(http.StatusGatewayTimeout, "An upstream did not answer in time")
	default:
		a.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		a.text(http.StatusBadGateway, "An upstream failed")
	}
}

func (s *Server) unavailable(a *answer, why string) {
	a.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	a.text(http.StatusServiceUnavailable, why)
}

func (s *Server) redirect(a *answer, to string) {
	a.Header().Set("Location", to)
	a.WriteHeader(http.StatusFound)
}

// refresh tells whether a request asks not to believe what was found out before.
func refresh(r *http.Request) bool {
	_, has := r.URL.Query()["_refresh"]
	return has
}
