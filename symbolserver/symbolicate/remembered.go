package symbolicate

import (
	"sync"

	"aftershock/symbolcache"
)

// remembered keeps what was written of frames lately, for crashes resemble each other:
// to copy that is several times faster than to look it up and to write it again. An
// entry never is out of date, because it is of a file with that content.
type remembered struct{ shards [shards]shard }

// shards let requests work side by side.
const shards = 16

// entryBytes is what an entry takes beside its text.
const entryBytes = 128

// shard has two generations: when the young one is full it becomes the old one, whose
// entries go unless they are asked for again.
type shard struct {
	mu         sync.Mutex
	young, old map[place]written
	bytes      int // of young
	limit      int
}

// place is an address of a file, as a version of the API writes it.
type place struct {
	file   [16]byte // of the SHA-256 of its text
	offset uint64
	v      version
}

// written is the members of a frame that tell names; none when there are none.
type written struct {
	text   string
	public bool // the name is of a PUBLIC record
}

// newRemembered bounds the bytes that are kept.
func newRemembered(bytes int64) *remembered {
	r := &remembered{}
	for i := range r.shards {
		r.shards[i].limit = int(bytes / shards / 2)
	}
	return r
}

func placeOf(f *symbolcache.File, offset uint64, v version) place {
	sum := f.TextSHA256()
	return place{[16]byte(sum[:16]), offset, v}
}

func (r *remembered) shard(p *place) *shard {
	const golden = 0x9e3779b97f4a7c15 // spreads neighbours
	return &r.shards[(p.offset*golden)>>60]
}

func (r *remembered) get(p *place) (written, bool) {
	s := r.shard(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.young[*p]
	if !ok {
		if w, ok = s.old[*p]; ok {
			s.put(p, w)
		}
	}
	return w, ok
}

// put keeps a copy of the text.
func (r *remembered) put(p *place, text []byte, public bool) {
	s := r.shard(p)
	if len(text) > s.limit/16 {
		return
	}
	w := written{string(text), public}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(p, w)
}

func (s *shard) put(p *place, w written) {
	if s.bytes += entryBytes + len(w.text); s.young == nil || s.bytes > s.limit {
		s.young, s.old, s.bytes = map[place]written{}, s.young, entryBytes+len(w.text)
	}
	s.young[*p] = w
}
