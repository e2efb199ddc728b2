package stream

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// RecentTail is the least that a loop remembers of a partition.
const RecentTail = recentTail

// Limit makes a Verifier's limits small.
func (v *Verifier) Limit(span int64, dead, again, waiting int) {
	v.limits = verifyLimits{span, dead, again, waiting}
}

// Paused tells whether a version's replay has no share.
func (w *Workers) Paused(version int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lane(LaneReplay(version)).most == 0
}

// HealPause makes the waits of a Healer short until the test ends.
func HealPause(t *testing.T, pause time.Duration) {
	before := healPause
	healPause = pause
	t.Cleanup(func() { healPause = before })
}

// Limits of the answers that a reader keeps.
const (
	KeptBytes   = keptBytes
	KeptAnswers = keptAnswers
)

// AnswersKept keeps answers of one record of so many bytes, at offsets 0, 1 and so on, and
// returns the offsets that are kept.
func AnswersKept(n, bytes int) (offsets []int64) {
	var a answers
	for i := range int64(n) {
		a = a.keep(0, i, []*kgo.Record{{Offset: i, Value: make([]byte, bytes)}})
	}
	for i := range int64(n) {
		if _, known := a.find(0, i); known {
			offsets = append(offsets, i)
		}
	}
	return offsets
}

// Remembered gives a loop's memory so many partitions, adds identities to each, and tells
// how many of the newest of each are known.
func Remembered(partitions, each int, identity func(partition, n int) string) []int {
	r := recent{tail: 1}
	windows := map[int32]*window{}
	for p := range partitions {
		windows[int32(p)] = newWindow(recentWindow)
	}
	r.windows = windows
	r.bound()
	out := make([]int, partitions)
	for p := range partitions {
		for n := range each {
			windows[int32(p)].add(identity(p, n))
		}
		for n := each - 1; n >= 0 && windows[int32(p)].has(identity(p, n)); n-- {
			out[p]++
		}
		if len(windows[int32(p)].have) != out[p] {
			out[p] = 0
		}
	}
	return out
}

// RunsIn makes a Transform believe that it runs in another process.
func RunsIn(t *Transform, process string) { t.process = process }
