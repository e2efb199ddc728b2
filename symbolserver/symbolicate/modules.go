package symbolicate

import (
	"context"
	"strings"
	"sync"
	"time"

	"aftershock/symbolcache"
)

// lookup is the search for one module's symbols, which jobs share.
type lookup struct {
	key  symbolcache.Key
	done chan struct{} // closed when the answer is there; nil when it was at once
	symbolcache.Lookup
	took  time.Duration
	known bool // it was in memory
	other bool // the file is another module's: it says another debug id
}

// lookups of a request.
type lookups []*lookup

// lookUp begins to look for the modules that frames are in. Those that are in memory
// are there at once, the others come as they come: wait waits for one. When ctx ends
// each has an answer soon.
func (h *Handler) lookUp(ctx context.Context, q *request) lookups {
	var all lookups
	var places chan struct{}
	for i := range q.modules {
		m := &q.modules[i]
		if !m.needed || nameless(m.key) {
			continue
		}
		if _, ok := q.keys[m.key]; ok {
			continue
		}
		q.keys[m.key] = len(all)
		l := &lookup{key: m.key}
		all = append(all, l)
		if l.Lookup, l.known = h.cache.Known(m.key); l.known {
			l.other = l.isOther()
			continue
		}
		if places == nil {
			places = make(chan struct{}, lookupsAtOnce)
		}
		l.done = make(chan struct{})
		go h.get(ctx, l, places)
	}
	for i := range q.modules {
		if n, ok := q.keys[q.modules[i].key]; ok { // also where no frame of the job is in it
			q.modules[i].lookup = all[n]
		}
	}
	return all
}

// nameless tells whether a key can have no symbols, so that nobody is asked.
func nameless(k symbolcache.Key) bool {
	return k.DebugFile == "" && k.CodeFile == "" || k.DebugID == "" && k.CodeID == ""
}

// get waits for a place and for the answer.
func (h *Handler) get(ctx context.Context, l *lookup, places chan struct{}) {
	defer close(l.done)
	began := h.now()
	defer func() { l.took = h.now().Sub(began) }()
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		l.Lookup = symbolcache.Lookup{Outcome: symbolcache.Timeout}
		return
	}
	leave := sync.OnceFunc(func() { <-places })
	defer leave()
	defer time.AfterFunc(patience, leave).Stop()
	l.Lookup = h.cache.Get(ctx, l.key)
	l.other = l.isOther()
}

// ready tells whether wait would return at once.
func (l *lookup) ready() bool {
	if l == nil || l.done == nil {
		return true
	}
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *lookup) wait() {
	if l != nil && l.done != nil {
		<-l.done
	}
}

// release ends the use of all files.
func (all lookups) release(m *metrics) {
	for _, l := range all {
		l.wait()
		m.modules.WithLabelValues(string(l.Outcome)).Inc()
		l.Release()
	}
}

// isOther tells whether the file says that it is of another module than the one that
// was asked for.
func (l *lookup) isOther() bool {
	const guid = 32 // digits, before those of the age
	asked := l.key.DebugID
	if l.File == nil || len(asked) <= guid || strings.Trim(asked[:guid], "0") == "" { // it was asked for by its code id
		return false
	}
	has := l.File.DebugID
	return len(has) <= guid || !strings.EqualFold(has[:guid], asked[:guid]) ||
		!strings.EqualFold(strings.TrimLeft(has[guid:], "0"), strings.TrimLeft(asked[guid:], "0"))
}

// file is where v4 and v5 take names from; nil when there is none.
func (l *lookup) file() *symbolcache.File {
	if l == nil || l.other {
		return nil
	}
	return l.File
}
