package schema

import "slices"

// ReprocessRequest asks for a raw crash to be processed again
// (avsc/reprocess_request.v1.avsc). Its offset in crash.reprocess, plus 1, is the
// revision of what comes of it.
type ReprocessRequest struct {
	CrashID string   `avro:"crash_id"`
	Raw     Position `avro:"raw"`
	// Versions are the signature versions that it is for; none means all that
	// are live.
	Versions []int32 `avro:"versions"`
	// Attempt is how often a dead letter of this crash was retried.
	Attempt int32  `avro:"attempt"`
	Reason  string `avro:"reason"`
}

// For tells whether the request is for a signature version.
func (r *ReprocessRequest) For(version int32) bool {
	return len(r.Versions) == 0 || slices.Contains(r.Versions, version)
}
