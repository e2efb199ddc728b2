// Package memo keeps what was made of what comes again and again.
package memo

import "sync/atomic"

// Table is a cache of fixed size: a new entry pushes the oldest one of its set
// out. Goroutines may use it at the same time and wait for nothing; where two
// put into one set at once, an entry may get lost. A nil table is empty.
//
// The caller hashes: the low bits choose the set, all 64 tell whether a key has been seen.
type Table[K comparable, V any] struct {
	sets []set[K, V] // a power of two
	seen []atomic.Uint32
}

// seenEntries is how many hashes are remembered for each entry.
const seenEntries = 4

// setEntries is how many keys whose hashes collide are kept.
const setEntries = 4

type set[K comparable, V any] [setEntries]atomic.Pointer[Entry[K, V]]

// Entry is a key with its value.
type Entry[K comparable, V any] struct {
	Key   K
	Value V
}

// New is a table of so many entries, a power of two from 4 on.
func New[K comparable, V any](entries int) *Table[K, V] {
	return &Table[K, V]{make([]set[K, V], entries/setEntries), make([]atomic.Uint32, entries*seenEntries)}
}

// Entries is how many there is room for.
func (t *Table[K, V]) Entries() int { return len(t.sets) * setEntries }

// Wants tells whether to put: a key is kept when it comes a second time. Keeping
// costs as much as making, and much comes only once.
func (t *Table[K, V]) Wants(hash uint64) bool {
	if t == nil {
		return false
	}
	seen := &t.seen[hash>>32&uint64(len(t.seen)-1)]
	if seen.Load() == uint32(hash) {
		return true
	}
	seen.Store(uint32(hash))
	return false
}

// Get returns the value of key, or nil. The caller must not change it.
func (t *Table[K, V]) Get(hash uint64, key K) *V {
	if t == nil {
		return nil
	}
	set := &t.sets[hash&uint64(len(t.sets)-1)]
	for i := range set {
		e := set[i].Load()
		if e == nil {
			break
		}
		if e.Key == key {
			return &e.Value
		}
	}
	return nil
}

// Put keeps an entry, which must not be changed any more.
func (t *Table[K, V]) Put(hash uint64, e *Entry[K, V]) {
	set := &t.sets[hash&uint64(len(t.sets)-1)]
	for i := range set {
		if e = set[i].Swap(e); e == nil {
			break
		}
	}
}
