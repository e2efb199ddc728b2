package stream

import (
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Letter is what the headers of a dead letter say.
type Letter struct {
	Class, Stage string
	// From is where the record lies that could not be handled.
	From             schema.Position
	SignatureVersion int32
	// Attempt is how often it was tried.
	Attempt int32
}

// errLetter: somebody else wrote to the dead letter topic, or a release to come.
var errLetter = errors.New("its headers are not those of a dead letter")

// maxCodeBytes bounds what is taken for a class, a stage or a topic.
const maxCodeBytes = 64

// ReadLetter reads the headers that DeadLetter writes. What they hold may be
// printed: they are codes, numbers, and the name of a topic.
func ReadLetter(r *kgo.Record) (Letter, error) {
	ours := map[string]string{}
	for _, h := range r.Headers {
		if _, twice := ours[h.Key]; !twice { // ours come first
			ours[h.Key] = string(h.Value)
		}
	}
	var l Letter
	for key, to := range map[string]*string{HeaderClass: &l.Class, HeaderStage: &l.Stage, HeaderTopic: &l.From.Topic} {
		if !isCode(ours[key]) {
			return Letter{}, errLetter
		}
		*to = ours[key]
	}
	for key, to := range map[string]*int32{HeaderPartition: &l.From.Partition, HeaderSignatureVersion: &l.SignatureVersion, HeaderAttempt: &l.Attempt} {
		n, err := strconv.ParseInt(ours[key], 10, 32)
		if err != nil || n < 0 {
			return Letter{}, errLetter
		}
		*to = int32(n)
	}
	offset, err := strconv.ParseInt(ours[HeaderOffset], 10, 64)
	if err != nil || offset < 0 {
		return Letter{}, errLetter
	}
	l.From.Offset = offset
	return l, nil
}

// isCode tells whether a text has the shape of a code or of a topic's name.
func isCode(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= maxCodeBytes
}
