package symbolserver

// For tests of what is remembered.
const (
	KnownTime   = knownTime
	UnknownTime = unknownTime
)
