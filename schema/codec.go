package schema

import (
	"embed"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/avro"
)

//go:embed avsc/*.avsc
var avscFiles embed.FS

// Event is a Go type that travels in Kafka.
type Event interface {
	RawCrash | ProcessedCrash | TelemetryCrash | VersionEvent | ReprocessRequest
}

// Released is one released schema of an event.
type Released struct {
	// ID is what the wire format carries. It never changes and is never used again.
	ID int
	// Subject is the registry's name for the event: its topic's value.
	Subject string
	// Version counts the releases of the subject, from 1.
	Version int
	// Avsc is the schema's text.
	Avsc string

	record   string // name of the record, which is the Go type's
	parsed   *avro.Schema
	resolved *avro.Schema // reads what was written with it into the newest type
}

// released is append-only: ids, versions and files of a release never change.
var released = load([]Released{
	{ID: 1, Subject: "crash.raw-value", Version: 1, record: "RawCrash", Avsc: "raw_crash.v1.avsc"},
	{ID: 2, Subject: "crash.processed-value", Version: 1, record: "ProcessedCrash", Avsc: "processed_crash.v1.avsc"},
	{ID: 3, Subject: "crash.telemetry-value", Version: 1, record: "TelemetryCrash", Avsc: "telemetry_crash.v1.avsc"},
	{ID: 4, Subject: "crash.versions-value", Version: 1, record: "VersionEvent", Avsc: "version_event.v1.avsc"},
	{ID: 5, Subject: "crash.processed-value", Version: 2, record: "ProcessedCrash", Avsc: "processed_crash.v2.avsc"},
	{ID: 6, Subject: "crash.reprocess-value", Version: 1, record: "ReprocessRequest", Avsc: "reprocess_request.v1.avsc"},
})

func load(table []Released) []Released {
	for i := range table {
		text, err := avscFiles.ReadFile("avsc/" + table[i].Avsc)
		if err != nil {
			panic(err) // embedded: cannot be missing in a build that compiles
		}
		table[i].Avsc = string(text)
		table[i].parsed = avro.MustParse(string(text))
	}
	for i := range table {
		s := &table[i]
		s.resolved = s.parsed
		if n := newestOf(table, s.record); n.ID != s.ID {
			var err error
			if s.resolved, err = avro.Resolve(s.parsed, n.parsed); err != nil {
				panic(err) // embedded: a test resolves every pair
			}
		}
	}
	return table
}

// Schemas lists every released schema, by id. The caller must not change it.
func Schemas() []Released { return released }

// Errors of Decode.
var (
	// ErrNotConfluent: the value does not start with a zero byte and a schema id.
	ErrNotConfluent = errors.New("not in the Confluent wire format")
	// ErrUnknownSchema: no released schema of this event has the value's id.
	ErrUnknownSchema = errors.New("unknown schema id")
)

const headerBytes = 5 // zero byte, schema id in four bytes, big-endian

// newest maps an event to its newest schema.
func newest(record string) *Released { return newestOf(released, record) }

func newestOf(table []Released, record string) *Released {
	for i := len(table) - 1; i >= 0; i-- {
		if table[i].record == record {
			return &table[i]
		}
	}
	panic("schema: no released schema for " + record) // Event lists a type that the table lacks
}

func recordName(event any) string {
	switch event.(type) {
	case *RawCrash:
		return "RawCrash"
	case *ProcessedCrash:
		return "ProcessedCrash"
	case *TelemetryCrash:
		return "TelemetryCrash"
	case *VersionEvent:
		return "VersionEvent"
	case *ReprocessRequest:
		return "ReprocessRequest"
	}
	return ""
}

// AppendEncode appends the event in the newest released schema to dst.
// It is safe for concurrent use.
func AppendEncode[E Event](dst []byte, event *E) ([]byte, error) {
	name := recordName(event)
	s := newest(name)
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.ID))
	out, err := s.parsed.AppendEncode(dst, event)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", name, err)
	}
	return out, nil
}

// Encode is AppendEncode into a new slice.
func Encode[E Event](event *E) ([]byte, error) { return AppendEncode(nil, event) }

// Decode reads an event of any released version into the newest one's type.
// The result does not alias value. It is safe for concurrent use.
func Decode[E Event](value []byte) (*E, error) {
	event := new(E)
	name := recordName(event)
	if len(value) < headerBytes || value[0] != 0 {
		return nil, fmt.Errorf("decode %s: %w", name, ErrNotConfluent)
	}
	id := int(binary.BigEndian.Uint32(value[1:headerBytes]))
	resolved, err := reader(name, id)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", name, err)
	}
	rest, err := resolved.Decode(value[headerBytes:], event)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", name, err)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("decode %s: %d bytes after its end", name, len(rest))
	}
	return event, nil
}

// reader returns the schema that reads what was written with id into the newest type.
func reader(record string, id int) (*avro.Schema, error) {
	for i := range released {
		if s := &released[i]; s.ID == id && s.record == record {
			return s.resolved, nil
		}
	}
	return nil, fmt.Errorf("%w %d", ErrUnknownSchema, id)
}
