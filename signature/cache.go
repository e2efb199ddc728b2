package signature

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync/atomic"
)

// Bounds of a ruleset's caches. At worst they hold 16,384 names of 2 KiB with
// their keys and 8,192 stacks of 4 KiB, 64 MiB; a program's crashes are about
// 10 MiB.
const (
	cachedNames    = 1 << 14
	maxCachedName  = 1 << 10 // bytes of a name, and of its key
	cachedStacks   = 1 << 13
	maxCachedStack = 4 << 10 // bytes of a proto-signature
)

// table is a cache of fixed size: a new entry takes the place of an old one,
// which moves to the neighbouring slot once. Goroutines may use it at the same
// time and wait for nothing. A nil table is empty.
type table[K comparable, V any] struct {
	slots []atomic.Pointer[entry[K, V]] // a power of two
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newTable[K comparable, V any](slots int) *table[K, V] {
	return &table[K, V]{make([]atomic.Pointer[entry[K, V]], slots)}
}

// get returns the value of key, or nil. The caller must not change it.
func (t *table[K, V]) get(hash uint64, key K) *V {
	if t == nil {
		return nil
	}
	slot := hash & uint64(len(t.slots)-1)
	if e := t.slots[slot].Load(); e != nil && e.key == key {
		return &e.value
	}
	if e := t.slots[slot^1].Load(); e != nil && e.key == key {
		return &e.value
	}
	return nil
}

func (t *table[K, V]) put(hash uint64, e *entry[K, V]) {
	slot := hash & uint64(len(t.slots)-1)
	if old := t.slots[slot].Load(); old != nil {
		t.slots[slot^1].Store(old)
	}
	t.slots[slot].Store(e)
}

// cache is what a ruleset has made of frames and of stacks. A nil cache is
// empty and stays so.
type cache struct {
	seed   maphash.Seed
	names  *table[nameKey, name]
	stacks *table[stackKey, stackSignature]
}

func newCache() *cache {
	return &cache{
		seed:  maphash.MakeSeed(),
		names: newTable[nameKey, name](cachedNames), stacks: newTable[stackKey, stackSignature](cachedStacks),
	}
}

// nameKey is what a name is made of.
type nameKey struct {
	text string
	kind kind
}

func (c *cache) hash(key nameKey) uint64 {
	return maphash.String(c.seed, key.text) + uint64(key.kind)
}

func (c *cache) name(key nameKey) *name {
	if c == nil {
		return nil
	}
	return c.names.get(c.hash(key), key)
}

// putName keeps a name and returns it. A large one is not kept.
func (c *cache) putName(key nameKey, n name) *name {
	if c == nil || len(key.text) > maxCachedName || len(n.text) > maxCachedName {
		return &n
	}
	// The texts may be parts of a crash that is large.
	same := n.text == key.text
	key.text = strings.Clone(key.text)
	if same {
		n.text = key.text
	} else {
		n.text = strings.Clone(n.text)
	}
	e := &entry[nameKey, name]{key, n}
	c.names.put(c.hash(key), e)
	return &e.value
}

// stackKey stands for all that the signature of a stack is made of: a hash of
// each text under a seed that nobody knows, mixed in two ways.
type stackKey [2]uint64

func (c *cache) stackKey(frames []flatFrame, os string) stackKey {
	var k stackKey
	for i := range frames {
		f := &frames[i]
		what, text, more := f.material(os)
		h := maphash.String(c.seed, text) + uint64(what)
		if more != "" {
			h = h*hashFactor + maphash.String(c.seed, more)
		}
		if n := f.line(); n != 0 {
			h += uint64(n) * hashFactor
		} else if odd := f.lineText(); odd != none {
			h += maphash.String(c.seed, odd)
		}
		k[0] = (k[0]^h)*hashFactor + 1
		k[1] = bits.RotateLeft64(k[1], 23) + h
	}
	k[0] ^= k[0] >> 32 // the table takes the low bits
	return k
}

// hashFactor is odd and has its bits everywhere.
const hashFactor = 0x9e3779b97f4a7c15

// stackSignature is what the frames of a thread give.
type stackSignature struct {
	signature, proto string
	noFrames         bool
}

func (c *cache) putStack(key stackKey, s stackSignature) {
	if len(s.proto) <= maxCachedStack {
		s.signature, s.proto = strings.Clone(s.signature), strings.Clone(s.proto)
		c.stacks.put(key[0], &entry[stackKey, stackSignature]{key, s})
	}
}
