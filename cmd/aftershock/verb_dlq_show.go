package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

type dlqShowVerb struct {
	kafkaFlags
	Positions []letterAt `arg:"" name:"position" help:"PARTITION/OFFSET, as list --positions prints it."`
	Values    bool       `help:"Show what the crash holds, too. It is private."`
}

// Run shows one letter after the other.
func (v *dlqShowVerb) Run(r *run) error {
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	for _, at := range v.Positions {
		rec, err := stream.RawAt(r.ctx, kafka, at.position())
		if err != nil {
			return err
		}
		if err := printText(r.stdout, v.text(rec)); err != nil {
			return err
		}
	}
	return nil
}

// text is what the headers say, and then the record that the letter keeps.
func (v *dlqShowVerb) text(rec *kgo.Record) string {
	l := letterOf(rec)
	var b strings.Builder
	say(&b, "%-12s %s, %s\n", "dead letter", letterPosition(rec), rec.Timestamp.UTC().Format(time.RFC3339))
	say(&b, "%-12s %s: %s\n", "class", l.Class, meaning(l.Class))
	say(&b, "%-12s %s, signature version %d, attempt %d\n", "stage", l.Stage, l.SignatureVersion, l.Attempt)
	say(&b, "%-12s %s\n", "from", originOf(l))
	b.WriteString(v.payload(rec, l))
	return b.String()
}

// payload decodes by the topic that the record came from.
func (v *dlqShowVerb) payload(rec *kgo.Record, l stream.Letter) string {
	var err error
	switch {
	case l.From.Topic == schema.TopicRaw:
		var raw *schema.RawCrash
		if raw, err = schema.Decode[schema.RawCrash](rec.Value); err == nil {
			return factsOf(raw, l.From, v.Values).text(v.Values)
		}
	case l.From.Topic == schema.TopicReprocess:
		var q *schema.ReprocessRequest
		if q, err = schema.Decode[schema.ReprocessRequest](rec.Value); err == nil {
			return fmt.Sprintf("%-12s crash %s at %s/%d/%d, versions %v, attempt %d, reason %q\n", "request",
				plain(q.CrashID), plain(q.Raw.Topic), q.Raw.Partition, q.Raw.Offset, q.Versions, q.Attempt, q.Reason)
		}
	case schema.IsProcessedTopic(l.From.Topic):
		var p *schema.ProcessedCrash
		if p, err = schema.Decode[schema.ProcessedCrash](rec.Value); err == nil {
			return v.processed(p, len(rec.Value))
		}
	}
	why := "the topic it comes from is not known"
	if err != nil {
		why = "it cannot be decoded"
	}
	text := fmt.Sprintf("%-12s %d bytes: %s\n", "payload", len(rec.Value), why)
	if v.Values {
		text += fmt.Sprintf("%-12s %q\n", "begins with", rec.Value[:min(len(rec.Value), maxShownBytes)])
	}
	return text
}

// maxShownBytes of what cannot be decoded are shown.
const maxShownBytes = 256

// processed describes a processed crash; what it holds of the client's, and of the
// dump, only when values are asked for.
func (v *dlqShowVerb) processed(p *schema.ProcessedCrash, size int) string {
	text := fmt.Sprintf("%-12s %s, version %d, revision %d, of %s/%d/%d: %d bytes, %d threads, %d modules, %d annotations\n", "processed",
		plain(p.CrashID), p.SignatureVersion, p.Revision, plain(p.Raw.Topic), p.Raw.Partition, p.Raw.Offset,
		size, len(p.Threads), len(p.Modules), len(p.Annotations))
	if v.Values {
		all, err := json.MarshalIndent(p, "", "  ")
		if err == nil {
			text += string(all) + "\n"
		}
	}
	return text
}
