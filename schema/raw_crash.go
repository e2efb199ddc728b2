package schema

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kinds of crashes: two populations, which are never counted together.
const (
	// KindReport is a report: annotations and dumps.
	KindReport = "report"
	// KindPing is a crash ping: annotations, and a stack without memory that the client has
	// walked, without names.
	KindPing = "ping"
)

// KindOf is the kind that a crash counts as: doors that are not ours can write anything.
func KindOf(kind string) string {
	if kind == KindPing {
		return KindPing
	}
	return KindReport
}

const (
	// MainDump is the part name of a report's main minidump.
	MainDump = "upload_file_minidump"
	// MinidumpSignature is what minidumps begin with.
	MinidumpSignature = "MDMP"
	// MemoryReport is the name of the dump that is a memory report of Firefox: JSON in gzip.
	MemoryReport = "memory_report"
	// PingStack is the name of the dump that is a ping's stack, as JSON.
	PingStack = "stack_traces"
)

// What doors keep of a report.
const (
	MaxAnnotationName = 128 // bytes, without control characters
	MaxDumpName       = 30  // letters, digits and underscores; as the reference
)

// ValidAnnotationName tells whether an annotation has a name that doors keep: names are for
// people and columns.
func ValidAnnotationName(name string) bool {
	return name != "" && len(name) <= MaxAnnotationName && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}

// ReservedDumpName tells whether the reference's storage uses a name itself.
func ReservedDumpName(name string) bool {
	return name == "dump_names" || name == "processed_crash" || name == "raw_crash"
}

// SHA256 is the digest of a blob's original, uncompressed bytes.
type SHA256 [32]byte

// Encoding says how stored dump bytes are compressed.
type Encoding string

// Encodings of a dump's stored bytes.
const (
	EncodingNone Encoding = "none"
	EncodingZstd Encoding = "zstd"
)

// RawCrash is one crash as the client reported it (avsc/raw_crash.v2.avsc).
// It is immutable: only the door makes and appends one.
type RawCrash struct {
	CrashID            string            `avro:"crash_id"`
	ReceivedAt         time.Time         `avro:"received_at"`
	Kind               string            `avro:"kind"`
	Annotations        map[string]string `avro:"annotations"`
	AnnotationOverflow []AnnotationRef   `avro:"annotation_overflow"`
	Dumps              []Dump            `avro:"dumps"`
	Throttle           Throttle          `avro:"throttle"`
	Notes              []string          `avro:"notes"`
	Payload            Payload           `avro:"payload"`
	Envelope           []byte            `avro:"envelope,omitzero"`
}

// MainDumpOf is the name of the dump that the stacks of a kind are made of: of a report its
// main minidump, of a ping its stack.
func MainDumpOf(kind string) string {
	if KindOf(kind) == KindPing {
		return PingStack
	}
	return MainDump
}

// Main is the dump that the stacks are made of, see MainDumpOf. It is nil when there is none.
func (r *RawCrash) Main() *Dump {
	name := MainDumpOf(r.Kind)
	for i := range r.Dumps {
		if r.Dumps[i].Name == name {
			return &r.Dumps[i]
		}
	}
	return nil
}

const (
	// MaxAdditionalDumps of a report are walked.
	MaxAdditionalDumps = 4
	// MaxBesideBytes is what all dumps beside the main one may have to be looked at.
	MaxBesideBytes = 64 << 20
)

// AdditionalDumpName tells whether a dump is a minidump beside the main one: of another
// process that had to do with the crash.
func AdditionalDumpName(name string) bool { return strings.HasPrefix(name, MainDump+"_") }

// Beside are the dumps beside the main one that processing looks at: minidumps, the first
// MaxAdditionalDumps, and the memory report, as long as all together have no more than
// MaxBesideBytes. A ping has none.
func (r *RawCrash) Beside() (dumps []*Dump) {
	if KindOf(r.Kind) == KindPing {
		return nil
	}
	additional, bytes := 0, int64(0)
	for i := range r.Dumps {
		d := &r.Dumps[i]
		switch {
		case d.Size < 0 || d.Size > MaxBesideBytes-bytes:
			continue
		case d.Name == MemoryReport:
		case AdditionalDumpName(d.Name) && additional < MaxAdditionalDumps:
			additional++
		default:
			continue
		}
		bytes += d.Size
		dumps = append(dumps, d)
	}
	return dumps
}

// AnnotationRef points at an annotation value too large for the event.
type AnnotationRef struct {
	Name   string `avro:"name"`
	Size   int64  `avro:"size"`
	SHA256 SHA256 `avro:"sha256"`
	Blob   string `avro:"blob"`
}

// Dump is one minidump of a report, or the stack of a ping: Inline, or under Blob in the blob store.
type Dump struct {
	Name     string   `avro:"name"`
	Size     int64    `avro:"size"`
	SHA256   SHA256   `avro:"sha256"`
	Encoding Encoding `avro:"encoding"`
	Inline   []byte   `avro:"inline,omitzero"`
	Blob     *string  `avro:"blob"`
}

// Results of the door's rules. One that is deferred is not processed until somebody asks for
// it.
const (
	ThrottleAccept = "accept"
	ThrottleDefer  = "defer"
)

// Deferred tells whether the crash is processed only when somebody asks for it.
func (r *RawCrash) Deferred() bool { return r.Throttle.Result == ThrottleDefer }

// Throttle is what the door's rules decided about keeping the report. Rate is the share of
// such reports that was decided so, a fraction: 1/Rate is the report's weight.
type Throttle struct {
	Rule   string  `avro:"rule"`
	Rate   float64 `avro:"rate"`
	Result string  `avro:"result"`
}

// ruleName is a rule's name: it is public.
var ruleName = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// Valid tells whether rule and rate are what rules can decide. They are public, and doors
// that are not ours can write anything.
func (t Throttle) Valid() bool { return ruleName.MatchString(t.Rule) && t.Rate > 0 && t.Rate <= 1 }

// Shown are rule and rate as they may be shown: no name and 1 where they are not Valid.
func (t Throttle) Shown() (rule string, rate float64) {
	if !t.Valid() {
		return "", 1
	}
	return t.Rule, t.Rate
}

// Payload tells how the report travelled.
type Payload struct {
	Kind      string `avro:"kind"`
	Gzip      bool   `avro:"gzip"`
	Size      int64  `avro:"size"`
	UserAgent string `avro:"user_agent"`
}
