package collector

import "time"

// Limits bounds what the door takes. A zero field means its default.
type Limits struct {
	// BodyBytes is the largest body on the wire.
	BodyBytes int64
	// InflatedBytes is the largest body after gzip.
	InflatedBytes int64
	// Parts is the largest number of parts.
	Parts int

	// Arriving reports are read at once, PerAddress of them from one address
	// (an IPv6 /64); more wait a moment and are then asked to come again.
	Arriving   int64
	PerAddress int
	// HeldBytes of bodies lie in memory, of all reports together; what finds no
	// room, or is larger than SmallBytes, lies in files, of DiskBytes together.
	HeldBytes int64
	DiskBytes int64

	// Reports that have arrived are worked on at once, beside LargeReports of
	// more than SmallBytes; more wait.
	Reports      int64
	LargeReports int64
	SmallBytes   int64

	// A body must arrive at BytesPerSecond once Grace is over, without a pause longer than
	// Grace, and within BodyTime.
	BytesPerSecond int64
	Grace          time.Duration
	BodyTime       time.Duration
	// Annotations of a report are kept, the values of AnnotationBytes together; more are
	// noted, or refused.
	Annotations     int
	AnnotationBytes int
}

// Defaults of Limits.
const (
	DefaultBodyBytes       = 50 << 20
	DefaultInflatedBytes   = 100 << 20
	DefaultParts           = 1000
	DefaultAnnotationBytes = 24 << 20
	DefaultArriving        = 4096
	DefaultPerAddress      = 2048
	DefaultHeldBytes       = 64 << 20
	DefaultDiskBytes       = 4 << 30
	DefaultReports         = 256
	DefaultLargeReports    = 4
	DefaultSmallBytes      = 1 << 20
	DefaultBytesPerSecond  = 1 << 10
	DefaultGrace           = 15 * time.Second
	DefaultBodyTime        = 2 * time.Hour // 7 MB at the least rate
)

const (
	// arriveWait is how long a report waits to be read, placeWait to be worked on.
	arriveWait = 2 * time.Second
	placeWait  = 20 * time.Second
	// keepTime is how long storing a report may take. It is our own: a body
	// that has arrived does not depend on its client any more.
	keepTime = time.Minute
	// A server's own bound counts from the head of the request, and a slow body may take
	// longer: writing the answer has answerTime.
	answerTime = 30 * time.Second
	// lingerTime and lingerBytes bound what is read of a body that was refused
	// before its end, so that its client can read why.
	lingerTime  = 3 * time.Second
	lingerBytes = 64 << 20

	// MaxAnnotations and schema.MaxAnnotationName keep an event whose annotations
	// are all in the blob store well below schema.MaxRawBytes.
	MaxAnnotations = 800
	// maxTextBytes is the largest annotation that is a part of its own, as with the
	// reference; DefaultAnnotationBytes of all that are kept of a report leave room for it.
	maxTextBytes = 20 << 20
	// maxJSONBytes and maxJSONNames are read of a report's objects together, kept
	// or not, and values nested maxJSONDepth deep.
	maxJSONBytes = 8 << 20
	maxJSONNames = 10_000
	maxJSONDepth = 1000

	maxPartHeader       = 8 << 10
	maxPartHeaderLines  = 64
	maxBoundary         = 70 // RFC 2046 5.1.1
	maxBoundaryPadding  = 64
	maxDumps            = 16
	maxUserAgentBytes   = 256
	maxInlineAnnotation = 4 << 10
	// maxInlineAnnotations bounds what all annotations take of an event; the
	// largest go to the blob store until they fit.
	maxInlineAnnotations = 128 << 10
)

func (l Limits) withDefaults() Limits {
	l.BodyBytes = orDefault(l.BodyBytes, DefaultBodyBytes)
	l.InflatedBytes = orDefault(l.InflatedBytes, DefaultInflatedBytes)
	l.Parts = orDefault(l.Parts, DefaultParts)
	l.Arriving = orDefault(l.Arriving, DefaultArriving)
	l.PerAddress = orDefault(l.PerAddress, DefaultPerAddress)
	l.HeldBytes = orDefault(l.HeldBytes, DefaultHeldBytes)
	l.DiskBytes = orDefault(l.DiskBytes, DefaultDiskBytes)
	l.Reports = orDefault(l.Reports, DefaultReports)
	l.LargeReports = orDefault(l.LargeReports, DefaultLargeReports)
	l.SmallBytes = orDefault(l.SmallBytes, DefaultSmallBytes)
	l.BytesPerSecond = orDefault(l.BytesPerSecond, DefaultBytesPerSecond)
	l.Grace = orDefault(l.Grace, DefaultGrace)
	l.BodyTime = orDefault(l.BodyTime, DefaultBodyTime)
	l.Annotations = min(orDefault(l.Annotations, MaxAnnotations), MaxAnnotations)
	l.AnnotationBytes = orDefault(l.AnnotationBytes, DefaultAnnotationBytes)
	return l
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
