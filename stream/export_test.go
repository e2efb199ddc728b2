package stream

import (
	"testing"
	"time"
)

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
