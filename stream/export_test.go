package stream

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
