package schema

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/avro"
)

// ProcessedHead is what a processed crash begins with: which raw crash it was made
// of, and which result of it this is.
type ProcessedHead struct {
	CrashID          string    `avro:"crash_id"`
	ReceivedAt       time.Time `avro:"received_at"`
	Raw              Position  `avro:"raw"`
	SignatureVersion int32     `avro:"signature_version"`
	Revision         int64     `avro:"revision"`
}

// processedHead is the first fields of every released ProcessedCrash: Avro has
// nothing between fields, so that it reads their beginning.
var processedHead = avro.MustParse(`{"type": "record", "name": "ProcessedCrash", "namespace": "aftershock.v1", "fields": [
	{"name": "crash_id", "type": "string"},
	{"name": "received_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
	{"name": "raw", "type": {"type": "record", "name": "Position", "fields": [
		{"name": "topic", "type": "string"}, {"name": "partition", "type": "int"}, {"name": "offset", "type": "long"}]}},
	{"name": "signature_version", "type": "int"},
	{"name": "revision", "type": "long"}]}`)

// DecodeHead reads the head of a processed crash of any released version, and
// nothing behind it: a value that is cut later has a head. The result does not
// alias value. It is safe for concurrent use.
func DecodeHead(value []byte) (*ProcessedHead, error) {
	if len(value) < headerBytes || value[0] != 0 {
		return nil, fmt.Errorf("decode head of ProcessedCrash: %w", ErrNotConfluent)
	}
	if _, err := released.reader("ProcessedCrash", int(binary.BigEndian.Uint32(value[1:headerBytes]))); err != nil {
		return nil, fmt.Errorf("decode head of ProcessedCrash: %w", err)
	}
	head := new(ProcessedHead)
	if _, err := processedHead.Decode(value[headerBytes:], head); err != nil {
		return nil, fmt.Errorf("decode head of ProcessedCrash: %w", err)
	}
	return head, nil
}
