package stream

// Limit makes a Verifier's limits small.
func (v *Verifier) Limit(span int64, dead, again, waiting int) {
	v.limits = verifyLimits{span, dead, again, waiting}
}
