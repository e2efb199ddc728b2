package symbolcache

import (
	"container/list"
	"os"
	"sync/atomic"
	"time"
)

// Limits of the files that stay mapped while nobody uses them.
const (
	DefaultMaxOpen = 512
	// DefaultMaxMapped is address space, not memory: the kernel drops pages that
	// nobody reads.
	DefaultMaxMapped = 8 << 30
)

// handle is a mapped file. It is unmapped when the last of its references goes.
type handle struct {
	hash   string
	file   *File
	info   os.FileInfo
	bytes  int64
	loaded time.Time // when the load of what it holds began

	// The cache's mutex guards these.
	refs    int // leases, and one while the table has it
	touched time.Time
}

// handles is the table of mapped files, the most recently used in front. The
// cache's mutex guards it.
type handles struct {
	byHash           map[string]*list.Element
	order            *list.List
	mapped           int64
	maxOpen          int
	maxMapped        int64
	opened, unmapped int // ever; tests compare them
}

func newHandles(maxOpen int, maxMapped int64) *handles {
	return &handles{byHash: map[string]*list.Element{}, order: list.New(), maxOpen: maxOpen, maxMapped: maxMapped}
}

// get returns the handle of a hash, or nil.
func (t *handles) get(hash string) *handle {
	el := t.byHash[hash]
	if el == nil {
		return nil
	}
	t.order.MoveToFront(el)
	return el.Value.(*handle)
}

// put adds a handle, in the place of one with its hash, and drops those used
// longest ago until the limits hold; the new one stays in any case.
func (t *handles) put(h *handle) {
	t.drop(h.hash)
	t.opened++
	h.refs++
	t.byHash[h.hash] = t.order.PushFront(h)
	t.mapped += h.bytes
	for t.order.Len() > 1 && (t.order.Len() > t.maxOpen || t.mapped > t.maxMapped) {
		t.drop(t.order.Back().Value.(*handle).hash)
	}
}

// drop forgets a hash. Who uses the file keeps it.
func (t *handles) drop(hash string) {
	el := t.byHash[hash]
	if el == nil {
		return
	}
	h := el.Value.(*handle)
	t.order.Remove(el)
	delete(t.byHash, hash)
	t.mapped -= h.bytes
	t.release(h)
}

func (t *handles) release(h *handle) {
	if h.refs--; h.refs == 0 {
		t.unmapped++
		h.file.Close() //nolint:errcheck,gosec // of a mapping of ours: it cannot fail
	}
}

// lease is one user's reference.
type lease struct {
	cache *Cache
	h     *handle
	done  atomic.Bool
}

func (l *lease) release() {
	if l.done.Swap(true) {
		return
	}
	l.cache.mu.Lock()
	defer l.cache.mu.Unlock()
	l.cache.handles.release(l.h)
}
