package stream

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Headers of a dead letter.
const (
	HeaderClass            = "aftershock_class"
	HeaderStage            = "aftershock_stage"
	HeaderTopic            = "aftershock_topic"
	HeaderPartition        = "aftershock_partition"
	HeaderOffset           = "aftershock_offset"
	HeaderSignatureVersion = "aftershock_signature_version"
	// HeaderAttempt is how often the record was tried.
	HeaderAttempt = "aftershock_attempt"
	// HeaderError is a code of what a sink has against the record's row.
	HeaderError = "aftershock_error"
)

// DeadLetter is the record that keeps one that could not be handled: its bytes
// and key as they came, and in headers why and where from. Class and stage are
// codes, so that nothing private stands in a header.
func DeadLetter(in *kgo.Record, class, stage string, signatureVersion int32) *kgo.Record {
	header := func(key, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: []byte(value)} }
	return &kgo.Record{
		Topic: schema.TopicDeadLetter,
		Key:   in.Key,
		Value: in.Value,
		Headers: append([]kgo.RecordHeader{
			header(HeaderClass, class),
			header(HeaderStage, stage),
			header(HeaderTopic, in.Topic),
			header(HeaderPartition, strconv.Itoa(int(in.Partition))),
			header(HeaderOffset, strconv.FormatInt(in.Offset, 10)),
			header(HeaderSignatureVersion, strconv.Itoa(int(signatureVersion))),
			header(HeaderAttempt, "1"),
		}, in.Headers...),
	}
}

// attempted says how often the record was tried.
func attempted(letter *kgo.Record, times int) *kgo.Record {
	for i := range letter.Headers {
		if letter.Headers[i].Key == HeaderAttempt {
			letter.Headers[i].Value = []byte(strconv.Itoa(times))
			break
		}
	}
	return letter
}

// DeadFrom is the topic of the record that a dead letter keeps; empty when the
// dead letter does not tell.
func DeadFrom(r *kgo.Record) string {
	for _, h := range r.Headers { // ours come first
		if h.Key == HeaderTopic {
			return string(h.Value)
		}
	}
	return ""
}
