package symbolserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

// Layout is what an upstream has.
type Layout string

// Layouts. Each has its files at the paths at which a store has them.
const (
	// Tecken: symbol files, also by code file and code id, and packed modules.
	Tecken Layout = "tecken"
	// Microsoft: PDBs and modules, plain or packed as .pd_, .dl_, .ex_; no symbol files.
	Microsoft Layout = "microsoft"
	// Debuginfod: ELF files by build id.
	Debuginfod Layout = "debuginfod"
)

// Upstream is a server that is asked for what the store lacks.
type Upstream struct {
	Source symbolcache.Source
	Layout Layout
	// Host is host:port; upstreams of one host fail together.
	Host string
}

// maxPerUpstream bounds the downloads from one host at a time: servers answer more with 429.
const maxPerUpstream = 8

// ParseUpstream reads what a flag names: [tecken=|microsoft=|debuginfod=]URL. It may
// redirect to the Internet, and to those of redirects, host:port. Errors never repeat a
// URL: it may hold a password.
func ParseUpstream(name string, redirects ...string) (Upstream, error) {
	up := Upstream{Layout: Tecken}
	if layout, address, ok := strings.Cut(name, "="); ok && !strings.Contains(layout, ":") {
		up.Layout, name = Layout(layout), address
	}
	switch up.Layout {
	case Tecken, Microsoft, Debuginfod:
	default:
		return Upstream{}, fmt.Errorf("upstream: unknown layout %.20q: want tecken, microsoft or debuginfod", up.Layout)
	}
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Upstream{}, errors.New("upstream: not a URL: want [tecken=|microsoft=|debuginfod=]https://host/path")
	}
	up.Host, up.Source = u.Host, symbolcache.NewHTTP(u, redirects...)
	return up, nil
}

// has tells whether an upstream may have a file.
func (l Layout) has(w wanted) bool {
	if w.code != nil {
		return l == Tecken
	}
	switch l {
	case Debuginfod:
		return w.path.Kind == store.ByBuildID
	case Microsoft:
		return w.path.Kind != store.ByBuildID && !w.path.IsSym()
	default:
		return w.path.Kind != store.ByBuildID
	}
}

// health is what is known of a host.
type health struct {
	breaker symbolcache.Breaker
	asking  chan struct{}
}

// healthOf has an entry for each upstream; those of one host share it.
func healthOf(upstreams []Upstream) []*health {
	var out []*health
	hosts := map[string]*health{}
	for _, up := range upstreams {
		h := hosts[up.Host]
		if h == nil {
			h = &health{asking: make(chan struct{}, maxPerUpstream)}
			hosts[up.Host] = h
		}
		out = append(out, h)
	}
	return out
}

// errResting is about an upstream that is left alone.
var errResting = fmt.Errorf("%w: it failed too often, and is not asked for a while", context.DeadlineExceeded)

// leftAlone tells whether an upstream rests. When its rest is over it is asked whether it is
// well, beside the download that came first then.
func (s *Server) leftAlone(i int) bool {
	b := &s.health[i].breaker
	if !b.Resting() {
		return false
	}
	if b.Allow(s.o.Now()) {
		s.loads.Go(func() { // within a download, so that Close waits
			if b.Probe(s.ctx, s.o.Upstreams[i].Source, s.o.Now) {
				s.misses.DropTransient()
			}
			s.rests(i)
		})
	}
	return true
}

// rests tells the metrics.
func (s *Server) rests(i int) {
	for k, h := range s.health {
		if h == s.health[i] {
			s.o.Metrics.resting(strconv.Itoa(k+1), h.breaker.Resting())
		}
	}
}

// ask downloads from an upstream, unless it rests when it is the download's turn: those
// that wait for one that falls silent do not find out each by itself.
func (s *Server) ask(ctx context.Context, i int, f *fetch, w wanted) error {
	if s.leftAlone(i) {
		return errResting
	}
	h := s.health[i]
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.leftAlone(i) {
		return errResting
	}
	err := s.receive(ctx, s.o.Upstreams[i].Source, f, w)
	var disk *spoolError
	if !errors.As(err, &disk) { // that says nothing of the upstream
		h.breaker.Told(s.o.Now(), err)
	}
	s.rests(i)
	return err
}
