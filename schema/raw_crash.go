package schema

import "time"

// MainDump is the part name of a report's main minidump.
const MainDump = "upload_file_minidump"

// SHA256 is the digest of a blob's original, uncompressed bytes.
type SHA256 [32]byte

// Encoding says how stored dump bytes are compressed.
type Encoding string

// Encodings of a dump's stored bytes.
const (
	EncodingNone Encoding = "none"
	EncodingZstd Encoding = "zstd"
)

// RawCrash is one crash as the client reported it (avsc/raw_crash.v1.avsc).
// It is immutable: only the door makes and appends one.
type RawCrash struct {
	CrashID            string            `avro:"crash_id"`
	ReceivedAt         time.Time         `avro:"received_at"`
	Annotations        map[string]string `avro:"annotations"`
	AnnotationOverflow []AnnotationRef   `avro:"annotation_overflow"`
	Dumps              []Dump            `avro:"dumps"`
	Throttle           Throttle          `avro:"throttle"`
	Notes              []string          `avro:"notes"`
	Payload            Payload           `avro:"payload"`
	Envelope           []byte            `avro:"envelope,omitzero"`
}

// AnnotationRef points at an annotation value too large for the event.
type AnnotationRef struct {
	Name   string `avro:"name"`
	Size   int64  `avro:"size"`
	SHA256 SHA256 `avro:"sha256"`
	Blob   string `avro:"blob"`
}

// Dump is one minidump of a report: Inline, or under Blob in the blob store.
type Dump struct {
	Name     string   `avro:"name"`
	Size     int64    `avro:"size"`
	SHA256   SHA256   `avro:"sha256"`
	Encoding Encoding `avro:"encoding"`
	Inline   []byte   `avro:"inline,omitzero"`
	Blob     *string  `avro:"blob"`
}

// Throttle is what the door decided about keeping the report.
type Throttle struct {
	Rule   string  `avro:"rule"`
	Rate   float64 `avro:"rate"`
	Result string  `avro:"result"`
}

// Payload tells how the report travelled.
type Payload struct {
	Kind      string `avro:"kind"`
	Gzip      bool   `avro:"gzip"`
	Size      int64  `avro:"size"`
	UserAgent string `avro:"user_agent"`
}
