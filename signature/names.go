package signature

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// name is a frame as normalised, and what the lists say of it, which is found
// out when somebody asks.
type name struct {
	text     string
	sentinel bool
	verdict  atomic.Uint32
}

// What the lists say of a name.
const (
	judged uint32 = 1 << iota
	irrelevant
	prefix
	wholeModule // several in a row say no more than one
)

// judge returns what the lists say of n. Goroutines may find it out twice; they
// find the same.
func (r *Ruleset) judge(n *name) uint32 {
	if v := n.verdict.Load(); v != 0 {
		return v
	}
	v := judged
	if r.irrelevant.match(n.text) {
		v |= irrelevant
	}
	if r.prefix.match(n.text) {
		v |= prefix
	}
	if isWholeModule(n.text) {
		v |= wholeModule
	}
	n.verdict.Store(v)
	return v
}

// isWholeModule tells whether all that is known of a frame is its module.
func isWholeModule(frame string) bool {
	if strings.HasPrefix(frame, "(unloaded") {
		return false
	}
	return hasSuffixFold(frame, ".dll") || hasSuffixFold(frame, ".so") ||
		frame == "XUL" || frame == "<name omitted>" || strings.HasPrefix(frame, "<unknown in")
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// kind is how a text becomes a name.
type kind uint8

const (
	plain kind = iota // it is one
	cpp               // a function of C, C++ and everything that is not Rust
	rust
	module
	windowsModule
)

// functionName returns the name of f's function, nil when nothing is left of it.
func (r *Ruleset) functionName(language kind, function string, f *Frame) *name {
	if n := r.cache.get(language, function); n != nil {
		return n
	}
	text, lined, ok := r.normalizeFunction(language, function, f)
	if !ok {
		return nil
	}
	n := &name{text: text, sentinel: r.sentinels[text]}
	if !lined { // else it is another name on another line
		r.cache.put(language, function, n)
	}
	return n
}

// textName returns the name of a frame that is no function.
func (r *Ruleset) textName(k kind, text string) *name {
	if n := r.cache.get(k, text); n != nil {
		return n
	}
	key := text
	if k == windowsModule {
		text = strings.ToLower(text)
	}
	if k != plain {
		text = strings.Trim(text, "[]")
	}
	n := &name{text: text, sentinel: r.sentinels[text]}
	r.cache.put(k, key, n)
	return n
}

// Bounds of a ruleset's cache: at worst cacheSlots names and keys of
// maxCachedBytes each, 32 MiB; a program's names are about 2 MiB.
const (
	cacheSlots     = 1 << 14
	maxCachedBytes = 1 << 10
)

// cache holds names by what they were made of. It is a fixed table: a new entry
// takes the place of an old one, and the one that was there moves to the
// neighbouring slot once. Readers and writers need no lock. A nil cache is empty.
type cache struct {
	seed  maphash.Seed
	slots [cacheSlots]atomic.Pointer[cacheEntry]
}

type cacheEntry struct {
	kind kind
	key  string
	name *name
}

func newCache() *cache { return &cache{seed: maphash.MakeSeed()} }

func (c *cache) slot(k kind, key string) uint64 {
	return (maphash.String(c.seed, key) + uint64(k)) % cacheSlots
}

func (c *cache) get(k kind, key string) *name {
	if c == nil {
		return nil
	}
	slot := c.slot(k, key)
	for _, i := range [...]uint64{slot, slot ^ 1} {
		if e := c.slots[i].Load(); e != nil && e.kind == k && e.key == key {
			return e.name
		}
	}
	return nil
}

func (c *cache) put(k kind, key string, n *name) {
	if c == nil || len(key) > maxCachedBytes || len(n.text) > maxCachedBytes {
		return
	}
	slot := c.slot(k, key)
	if old := c.slots[slot].Load(); old != nil {
		c.slots[slot^1].Store(old)
	}
	key = strings.Clone(key) // it may be part of a crash that is large
	if n.text == key {
		n.text = key
	} else {
		n.text = strings.Clone(n.text)
	}
	c.slots[slot].Store(&cacheEntry{k, key, n})
}
