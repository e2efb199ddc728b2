package ask

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"aftershock/sinks/clickhouse"
)

const (
	// maxRememberedBytes of one answer in a Memory. Larger ones are asked for each time.
	maxRememberedBytes = 1 << 20
	// maxMemoryBytes of all answers in a Memory. The oldest ones go first.
	maxMemoryBytes = 32 << 20
	// rememberedBytes are counted of an answer beside its text, so that many small ones have an end too.
	rememberedBytes = 1 << 10
)

// Memory has the answers of one database for a moment, so that what many look at is asked once: who
// asks what is being asked waits for that answer. Goroutines may use it at the same time.
type Memory struct {
	db       *clickhouse.DB
	lifetime time.Duration
	now      func() time.Time

	mu      sync.Mutex
	answers map[[sha256.Size]byte]*remembered
	oldest  []*remembered // that were kept, in the order in which they came
	size    int           // of oldest, in bytes
	epoch   int64         // see Follow
}

// remembered is an answer. What stands behind done may be read when it is closed.
type remembered struct {
	key  [sha256.Size]byte
	done chan struct{}
	text []byte
	came time.Time // zero: it did not come, or is too large
	err  error     // errTooLarge, errLeft, or why it did not come
}

var (
	errTooLarge = errors.New("too large to be remembered")
	errLeft     = errors.New("who asked has left")
)

// NewMemory returns a memory of the answers of db, each of which it has for so long. A lifetime of 0
// gives nil, which remembers nothing.
func NewMemory(db *clickhouse.DB, lifetime time.Duration, now func() time.Time) *Memory {
	if lifetime <= 0 {
		return nil
	}
	return &Memory{db: db, lifetime: lifetime, now: now, answers: map[[sha256.Size]byte]*remembered{}}
}

type memoryKey struct{}

// recalling is what a context has.
type recalling struct {
	memory *Memory
	anew   bool
}

// In returns a context in which questions to the memory's database may be answered by it. anew is of
// who wants to see what the tables say now: the memory learns it.
func (m *Memory) In(ctx context.Context, anew bool) context.Context {
	if m == nil {
		return ctx
	}
	return context.WithValue(ctx, memoryKey{}, recalling{m, anew})
}

// Forget empties it: something has changed. What is being asked now is not kept.
func (m *Memory) Forget() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
}

func (m *Memory) forget() {
	clear(m.answers)
	m.oldest, m.size = nil, 0
}

// Follow forgets everything if what is seen is of another epoch than it was.
func (m *Memory) Follow(epoch int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch != m.epoch {
		m.epoch = epoch
		m.forget()
	}
}

// recall is question, or what is remembered of it.
func recall(ctx context.Context, db *clickhouse.DB, sql string, values map[string]string, format string, question func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	of, _ := ctx.Value(memoryKey{}).(recalling)
	m := of.memory
	if m == nil || db != m.db {
		return question()
	}
	key := keyOf(sql, values, format)
	for {
		a, mine := m.find(key, of.anew)
		if mine {
			return m.learn(ctx, a, question)
		}
		select {
		case <-a.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case a.err == nil:
			return io.NopCloser(bytes.NewReader(a.text)), nil
		case errors.Is(a.err, errTooLarge):
			return question()
		case !errors.Is(a.err, errLeft):
			return nil, a.err
		}
	}
}

// find is the answer of a key, and whether the caller is to ask for it.
func (m *Memory) find(key [sha256.Size]byte, anew bool) (a *remembered, mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a = m.answers[key]
	if a != nil && (a.came.IsZero() || !anew && m.now().Sub(a.came) < m.lifetime) {
		return a, false
	}
	a = &remembered{key: key, done: make(chan struct{})}
	m.answers[key] = a
	return a, true
}

// learn asks, and keeps the answer if it is not too large.
func (m *Memory) learn(ctx context.Context, a *remembered, question func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	began, toOthers := m.now(), errLeft
	defer func() { m.end(a, began, toOthers) }() // also of a panic, for others wait
	failed := func(err error) error {
		if ctx.Err() == nil {
			toOthers = err
		}
		return err
	}
	body, err := question()
	if err != nil {
		return nil, failed(err)
	}
	text, err := io.ReadAll(io.LimitReader(body, maxRememberedBytes+1))
	if err == nil && len(text) > maxRememberedBytes {
		toOthers = errTooLarge
		return &resumed{io.MultiReader(bytes.NewReader(text), body), body}, nil
	}
	if closed := body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, failed(err)
	}
	a.text, toOthers = text, nil
	return io.NopCloser(bytes.NewReader(text)), nil
}

// end lets those go on who wait.
func (m *Memory) end(a *remembered, began time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer close(a.done)
	a.err = err
	if m.answers[a.key] != a { // forgotten meanwhile
		return
	}
	if err != nil {
		delete(m.answers, a.key)
		return
	}
	a.came = began
	m.oldest = append(m.oldest, a)
	m.size += a.size()
	for m.size > maxMemoryBytes || m.now().Sub(m.oldest[0].came) >= m.lifetime {
		first := m.oldest[0]
		m.oldest[0], m.oldest = nil, m.oldest[1:]
		m.size -= first.size()
		if m.answers[first.key] == first {
			delete(m.answers, first.key)
		}
		if len(m.oldest) == 0 {
			break
		}
	}
}

func (a *remembered) size() int { return len(a.text) + rememberedBytes }

// resumed is a body whose beginning has been read.
type resumed struct {
	io.Reader
	io.Closer
}

// keyOf tells questions apart.
func keyOf(sql string, values map[string]string, format string) [sha256.Size]byte {
	key := fmt.Appendf(nil, "%q %q", format, sql)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		key = fmt.Appendf(key, " %q %q", name, values[name])
	}
	return sha256.Sum256(key)
}
