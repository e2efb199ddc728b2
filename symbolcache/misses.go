package symbolcache

import (
	"sync"
	"time"
)

// Misses remembers why files were not found, by their paths, and for how long that is to
// be believed. It is bounded, and safe for concurrent use.
type Misses struct {
	mu     sync.Mutex
	missed *misses
}

// NewMisses returns an empty one.
func NewMisses() *Misses { return &Misses{missed: newMisses(maxMisses)} }

// Get tells what became of a file, if that is still believed.
func (m *Misses) Get(path string, now time.Time) (Outcome, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if miss := m.missed.get(path); miss != nil && miss.believed(now) {
		return miss.outcome, true
	}
	return "", false
}

// Put remembers an outcome.
func (m *Misses) Put(path string, o Outcome, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missed.put(&miss{hash: path, outcome: o, at: now})
}

// Drop forgets a file.
func (m *Misses) Drop(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missed.drop(path)
}

// DropTransient forgets what sources failed to answer.
func (m *Misses) DropTransient() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missed.dropTransient()
}
