package collector

// Limits bounds what the door takes. A zero field means its default.
type Limits struct {
	// BodyBytes is the largest body on the wire.
	BodyBytes int64
	// InflatedBytes is the largest body after gzip.
	InflatedBytes int64
	// Parts is the largest number of parts.
	Parts int
	// Reports are taken at once; more wait.
	Reports int64
	// LargeReports of more than SmallBytes are held in memory at once; more
	// wait where they are. So memory stays below
	// Reports*SmallBytes + LargeReports*InflatedBytes, and some.
	LargeReports int64
	SmallBytes   int64
}

// Defaults of Limits.
const (
	DefaultBodyBytes     = 50 << 20
	DefaultInflatedBytes = 100 << 20
	DefaultParts         = 1000
	DefaultReports       = 256
	DefaultLargeReports  = 4
	DefaultSmallBytes    = 1 << 20
)

const (
	// maxAnnotations and maxAnnotationName keep an event whose annotations
	// are all in the blob store well below schema.MaxRawBytes.
	maxAnnotations      = 800
	maxAnnotationName   = 128
	maxDumps            = 16
	maxDumpName         = 30 // as Socorro's collector
	maxUserAgentBytes   = 256
	maxInlineAnnotation = 4 << 10
	// maxInlineAnnotations bounds what all annotations take of an event; the
	// largest go to the blob store until they fit.
	maxInlineAnnotations = 128 << 10
)

func (l Limits) withDefaults() Limits {
	set := func(v *int64, def int64) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&l.BodyBytes, DefaultBodyBytes)
	set(&l.InflatedBytes, DefaultInflatedBytes)
	set(&l.Reports, DefaultReports)
	set(&l.LargeReports, DefaultLargeReports)
	set(&l.SmallBytes, DefaultSmallBytes)
	if l.Parts <= 0 {
		l.Parts = DefaultParts
	}
	return l
}
