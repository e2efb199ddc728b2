package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// dlqVerbs look after dead letters.
type dlqVerbs struct {
	List  dlqListVerb  `cmd:"" help:"Count dead letters by class, stage and the topic they come from."`
	Show  dlqShowVerb  `cmd:"" help:"Show dead letters by their positions."`
	Retry dlqRetryVerb `cmd:"" help:"Ask for what became dead letters to be processed again. The letters stay, and one that was retried before is retried again: that is harmless, for the newer result is seen, and the lane's dead letters count the attempts."`
}

// letterFilter chooses dead letters.
type letterFilter struct {
	Class string `help:"Those of this class only." placeholder:"CLASS"`
	Stage string `help:"Those of this stage only: process, reprocess, resign, sink, telemetry." placeholder:"STAGE"`
	Since moment `help:"Those since then: a time, or how long ago." placeholder:"TIME"`
}

// takes tells whether a letter is chosen.
func (f *letterFilter) takes(r *kgo.Record, l stream.Letter) bool {
	return (f.Class == "" || f.Class == l.Class) && (f.Stage == "" || f.Stage == l.Stage) && !r.Timestamp.Before(f.Since.Time)
}

// unreadable is the class and stage that list gives to what has not the headers of
// a dead letter.
const unreadable = "(unreadable)"

// letterOf reads the headers, as well as they can be.
func letterOf(r *kgo.Record) stream.Letter {
	l, err := stream.ReadLetter(r)
	if err != nil {
		return stream.Letter{Class: unreadable, Stage: unreadable, From: schema.Position{Topic: unreadable}}
	}
	return l
}

type dlqListVerb struct {
	kafkaFlags
	letterFilter
	Positions bool `help:"Tell every letter, with the position that show and retry want."`
	JSON      bool `help:"One JSON object a line." name:"json"`
}

// letterGroup is a line of the list.
type letterGroup struct {
	Class   string    `json:"class"`
	Stage   string    `json:"stage"`
	Topic   string    `json:"topic"`
	Count   int       `json:"count"`
	Oldest  time.Time `json:"oldest"`
	Newest  time.Time `json:"newest"`
	Meaning string    `json:"meaning"`
}

// letterLine is a line of the list of positions.
type letterLine struct {
	Position         string    `json:"position"`
	At               time.Time `json:"at"`
	Class            string    `json:"class"`
	Stage            string    `json:"stage"`
	From             string    `json:"from"`
	SignatureVersion int32     `json:"signature_version"`
	Attempt          int32     `json:"attempt"`
}

// maxLetterGroups bounds the list: there are fewer classes, stages and topics,
// unless somebody else wrote the letters.
const maxLetterGroups = 1000

// Run reads the topic.
func (v *dlqListVerb) Run(r *run) error {
	groups, total := map[[3]string]*letterGroup{}, 0
	out := json.NewEncoder(r.stdout)
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	err = stream.EachSince(r.ctx, kafka, schema.TopicDeadLetter, v.Since.Time, func(rec *kgo.Record) error {
		l := letterOf(rec)
		if !v.takes(rec, l) {
			return nil
		}
		total++
		if v.Positions {
			return v.printLine(r, out, rec, l)
		}
		key := [3]string{l.Class, l.Stage, l.From.Topic}
		g := groups[key]
		if g == nil {
			if len(groups) == maxLetterGroups {
				return fmt.Errorf("more than %d classes, stages and topics: not all are ours; choose with --class, or look with --positions", maxLetterGroups)
			}
			g = &letterGroup{Class: l.Class, Stage: l.Stage, Topic: l.From.Topic, Oldest: rec.Timestamp, Newest: rec.Timestamp, Meaning: meaning(l.Class)}
			groups[key] = g
		}
		g.Count++
		if rec.Timestamp.Before(g.Oldest) {
			g.Oldest = rec.Timestamp
		}
		if rec.Timestamp.After(g.Newest) {
			g.Newest = rec.Timestamp
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.print(r, out, groups, total)
}

// print writes the groups, largest first.
func (v *dlqListVerb) print(r *run, out *json.Encoder, groups map[[3]string]*letterGroup, total int) error {
	sorted := make([]*letterGroup, 0, len(groups))
	for _, g := range groups {
		sorted = append(sorted, g)
	}
	slices.SortFunc(sorted, func(a, b *letterGroup) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Class, b.Class), strings.Compare(a.Stage, b.Stage), strings.Compare(a.Topic, b.Topic))
	})
	if v.JSON {
		for _, g := range sorted {
			if err := out.Encode(g); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(r.stdout, 0, 0, 2, ' ', 0)
	if len(sorted) > 0 {
		say(w, "CLASS\tSTAGE\tTOPIC\tCOUNT\tOLDEST\tNEWEST\tMEANING\n")
	}
	for _, g := range sorted {
		say(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", g.Class, g.Stage, g.Topic, g.Count, g.Oldest.UTC().Format(time.RFC3339), g.Newest.UTC().Format(time.RFC3339), g.Meaning)
	}
	say(w, "total %d\n", total)
	return w.Flush()
}

func (v *dlqListVerb) printLine(r *run, out *json.Encoder, rec *kgo.Record, l stream.Letter) error {
	line := letterLine{
		Position: letterPosition(rec), At: rec.Timestamp.UTC(), Class: l.Class, Stage: l.Stage,
		From: originOf(l), SignatureVersion: l.SignatureVersion, Attempt: l.Attempt,
	}
	if v.JSON {
		return out.Encode(line)
	}
	_, err := fmt.Fprintf(r.stdout, "%s %s %s %s from %s for v%d, attempt %d\n",
		line.Position, line.At.Format(time.RFC3339), line.Class, line.Stage, line.From, line.SignatureVersion, line.Attempt)
	return err
}

// meaning is what the catalogue says of a class.
func meaning(class string) string {
	for _, c := range schema.Catalogue {
		if c.Code == class {
			return c.Doc
		}
	}
	return "not in this release's catalogue"
}

// letterPosition is a dead letter's partition and offset.
func letterPosition(r *kgo.Record) string { return fmt.Sprintf("%d/%d", r.Partition, r.Offset) }

// originOf is where the record lies that a letter keeps.
func originOf(l stream.Letter) string {
	return fmt.Sprintf("%s/%d/%d", l.From.Topic, l.From.Partition, l.From.Offset)
}

// letterAt is an argument or flag PARTITION/OFFSET.
type letterAt struct {
	partition int32
	offset    int64
}

// UnmarshalText wants what list --positions prints.
func (p *letterAt) UnmarshalText(text []byte) error {
	partition, offset, ok := strings.Cut(string(text), "/")
	n, err := strconv.ParseInt(partition, 10, 32)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	if err = errors.Join(err, err2); !ok || err != nil || n < 0 || o < 0 {
		return fmt.Errorf("%.40q: want PARTITION/OFFSET, as dlq list --positions prints it", text)
	}
	*p = letterAt{int32(n), o}
	return nil
}

func (p letterAt) position() schema.Position {
	return schema.Position{Topic: schema.TopicDeadLetter, Partition: p.partition, Offset: p.offset}
}
