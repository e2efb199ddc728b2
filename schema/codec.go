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
	RawCrash | ProcessedCrash | TelemetryCrash | VersionEvent | ReprocessRequest | RulesetEvent | SymbolsEvent | AuditEvent
}

// Released is one released schema of an event.
type Released struct {
	// ID is what the wire format carries, unless a registry gives ids: see UseIDs. It
	// never changes and is never used again.
	ID int
	// Subject is the registry's name for the event: its topic's value.
	Subject string
	// Version counts the releases of the subject, from 1.
	Version int
	// Avsc is the schema's text.
	Avsc string

	record string // name of the record, which is the Go type's
	parsed *avro.Schema
	reads  *avro.Schema // reads what this one wrote into the newest one's type
}

// table holds the released schemas of all events, by id.
type table []Released

// released is append-only: ids, versions and files of a release never change.
var released = load(table{
	{ID: 1, Subject: "crash.raw-value", Version: 1, record: "RawCrash", Avsc: "raw_crash.v1.avsc"},
	{ID: 2, Subject: "crash.processed-value", Version: 1, record: "ProcessedCrash", Avsc: "processed_crash.v1.avsc"},
	{ID: 3, Subject: "crash.telemetry-value", Version: 1, record: "TelemetryCrash", Avsc: "telemetry_crash.v1.avsc"},
	{ID: 4, Subject: "crash.versions-value", Version: 1, record: "VersionEvent", Avsc: "version_event.v1.avsc"},
	{ID: 5, Subject: "crash.processed-value", Version: 2, record: "ProcessedCrash", Avsc: "processed_crash.v2.avsc"},
	{ID: 6, Subject: "crash.reprocess-value", Version: 1, record: "ReprocessRequest", Avsc: "reprocess_request.v1.avsc"},
	{ID: 7, Subject: "crash.versions-value", Version: 2, record: "VersionEvent", Avsc: "version_event.v2.avsc"},
	{ID: 8, Subject: "crash.rulesets-value", Version: 1, record: "RulesetEvent", Avsc: "ruleset.v1.avsc"},
	{ID: 9, Subject: "crash.raw-value", Version: 2, record: "RawCrash", Avsc: "raw_crash.v2.avsc"},
	{ID: 10, Subject: "crash.processed-value", Version: 3, record: "ProcessedCrash", Avsc: "processed_crash.v3.avsc"},
	{ID: 11, Subject: "crash.telemetry-value", Version: 2, record: "TelemetryCrash", Avsc: "telemetry_crash.v2.avsc"},
	{ID: 12, Subject: "crash.processed-value", Version: 4, record: "ProcessedCrash", Avsc: "processed_crash.v4.avsc"},
	{ID: 13, Subject: "crash.telemetry-value", Version: 3, record: "TelemetryCrash", Avsc: "telemetry_crash.v3.avsc"},
	{ID: 14, Subject: "crash.symbols-value", Version: 1, record: "SymbolsEvent", Avsc: "symbols_event.v1.avsc"},
	{ID: 15, Subject: "crash.audit-value", Version: 1, record: "AuditEvent", Avsc: "audit_event.v1.avsc"},
	{ID: 16, Subject: "crash.processed-value", Version: 5, record: "ProcessedCrash", Avsc: "processed_crash.v5.avsc"},
	{ID: 17, Subject: "crash.telemetry-value", Version: 4, record: "TelemetryCrash", Avsc: "telemetry_crash.v4.avsc"},
})

func load(t table) table {
	for i := range t {
		text, err := avscFiles.ReadFile("avsc/" + t[i].Avsc)
		if err != nil {
			panic(err) // embedded: cannot be missing in a build that compiles
		}
		t[i].Avsc = string(text)
	}
	t, err := t.parse()
	if err != nil {
		panic(err) // embedded, and released: a test looks at every pair
	}
	return t
}

// parse makes the codecs of schemas that have their text.
func (t table) parse() (table, error) {
	var err error
	for i := range t {
		if t[i].parsed, err = avro.Parse(t[i].Avsc); err != nil {
			return nil, fmt.Errorf("schema %d: %w", t[i].ID, err)
		}
	}
	for i, s := range t {
		if t[i].reads, err = avro.Resolve(s.parsed, t.newest(s.record).parsed); err != nil {
			return nil, fmt.Errorf("schema %d: the newest %s cannot read it: %w", s.ID, s.record, err)
		}
	}
	return t, nil
}

// Schemas lists every released schema, by id. The caller must not change it.
func Schemas() []Released { return released }

// Errors of Decode.
var (
	// ErrNotConfluent: the value does not start with a zero byte and a schema id.
	ErrNotConfluent = errors.New("not in the Confluent wire format")
	// ErrUnknownSchema: no released schema of this event has the value's id.
	ErrUnknownSchema = errors.New("this release knows no schema of the event with the id")
)

const headerBytes = 5 // zero byte, schema id in four bytes, big-endian

// newest maps an event to its newest schema.
func (t table) newest(record string) Released {
	for i := len(t) - 1; i >= 0; i-- {
		if t[i].record == record {
			return t[i]
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
	case *RulesetEvent:
		return "RulesetEvent"
	case *SymbolsEvent:
		return "SymbolsEvent"
	case *AuditEvent:
		return "AuditEvent"
	}
	return ""
}

// AppendEncode appends the event in the newest released schema to dst.
// It is safe for concurrent use.
func AppendEncode[E Event](dst []byte, event *E) ([]byte, error) {
	name := recordName(event)
	s := released.newest(name)
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(WireID(s.ID)))
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
	resolved, err := released.reader(name, id)
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

// reader returns the schema that reads what was written with an id of the wire into
// the newest type.
func (t table) reader(record string, id int) (*avro.Schema, error) {
	builtIn := builtInID(id)
	for _, s := range t {
		if s.ID == builtIn && s.record == record {
			return s.reads, nil
		}
	}
	return nil, fmt.Errorf("%w %d", ErrUnknownSchema, id)
}
