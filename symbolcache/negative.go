package symbolcache

import (
	"container/list"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// How long an outcome without a file is believed.
const (
	// RetryMissing is long for a file that is uploaded after the first crash and
	// short for a server that is asked for every system library. A directory's
	// new files are seen at once (changer).
	RetryMissing = time.Hour
	// RetryDenied: somebody has to change rights.
	RetryDenied = 15 * time.Minute
	// RetryMalformed: the file has to be made again. A new format version asks
	// again too, because it has a directory of its own.
	RetryMalformed = 24 * time.Hour
	// Transient outcomes wait twice as long each time in a row.
	MinRetryTransient = 30 * time.Second
	MaxRetryTransient = 10 * time.Minute
)

const (
	// maxMisses bounds what is remembered in memory.
	maxMisses = 100_000
	// maxMissedFiles bounds the files of one of the 256 directories of misses.
	maxMissedFiles = 128
	missedDir      = "missed"
)

// miss is an outcome without a file.
type miss struct {
	hash     string
	outcome  Outcome
	at       time.Time
	failures int // transient ones in a row
}

// until is when to ask again.
func (m *miss) until() time.Time {
	switch m.outcome {
	case Missing:
		return m.at.Add(RetryMissing)
	case Denied:
		return m.at.Add(RetryDenied)
	case Malformed:
		return m.at.Add(RetryMalformed)
	default:
		wait := MinRetryTransient
		for i := 1; i < m.failures && wait < MaxRetryTransient; i++ {
			wait *= 2
		}
		return m.at.Add(min(wait, MaxRetryTransient))
	}
}

func (m *miss) believed(now time.Time) bool {
	return !now.Before(m.at) && now.Before(m.until())
}

// misses remembers what was not found, the latest in front. The cache's mutex
// guards it.
type misses struct {
	byHash map[string]*list.Element
	order  *list.List
	max    int
}

func newMisses(maxEntries int) *misses {
	return &misses{byHash: map[string]*list.Element{}, order: list.New(), max: maxEntries}
}

func (t *misses) get(hash string) *miss {
	if el := t.byHash[hash]; el != nil {
		return el.Value.(*miss)
	}
	return nil
}

// put remembers a miss; how often in a row it failed is counted here.
func (t *misses) put(m *miss) {
	if m.outcome.Transient() {
		m.failures = 1
		if old := t.get(m.hash); old != nil && old.outcome.Transient() {
			m.failures += old.failures
		}
	}
	t.drop(m.hash)
	t.byHash[m.hash] = t.order.PushFront(m)
	if t.order.Len() > t.max {
		t.drop(t.order.Back().Value.(*miss).hash)
	}
}

// dropTransient forgets what sources failed to answer.
func (t *misses) dropTransient() {
	for hash, el := range t.byHash {
		if el.Value.(*miss).outcome.Transient() {
			t.drop(hash)
		}
	}
}

func (t *misses) drop(hash string) {
	if el := t.byHash[hash]; el != nil {
		t.order.Remove(el)
		delete(t.byHash, hash)
	}
}

// Misses that are not transient are kept on disk too, so that a restart does not
// ask for hundreds of modules again. Nothing depends on these files: one that is
// torn or cannot be written is a question asked again.

const missFormat = "missed 1 %s %d\n"

func (d *disk) missPath(hash string) string {
	return filepath.Join(d.root, versionDir(), missedDir, hash[:2], hash)
}

// saveMiss writes a miss down.
func (d *disk) saveMiss(m *miss) {
	path := d.missPath(m.hash)
	if os.MkdirAll(filepath.Dir(path), dirMode) != nil {
		return
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) >= maxMissedFiles {
		for _, e := range entries[:len(entries)/2] { // any half: all of them can be asked again
			os.Remove(filepath.Join(filepath.Dir(path), e.Name())) //nolint:errcheck,gosec // see above
		}
	}
	os.WriteFile(path, fmt.Appendf(nil, missFormat, m.outcome, m.at.UnixNano()), fileMode) //nolint:errcheck,gosec // see above
}

// readMiss returns what was written down, or nil.
func (d *disk) readMiss(hash string) *miss {
	text, err := os.ReadFile(d.missPath(hash))
	if err != nil {
		return nil
	}
	m := &miss{hash: hash}
	var at int64
	if n, err := fmt.Sscanf(string(text), missFormat, &m.outcome, &at); n != 2 || err != nil || !strings.HasSuffix(string(text), "\n") {
		return nil
	}
	if m.outcome != Missing && m.outcome != Denied && m.outcome != Malformed {
		return nil
	}
	m.at = time.Unix(0, at)
	return m
}

// dropMiss forgets a miss once there is a file.
func (d *disk) dropMiss(hash string) {
	os.Remove(d.missPath(hash)) //nolint:errcheck,gosec // most have none
}
