package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// rawFacts describe a raw crash for people and, as JSON, for programs. What the
// client sent stands in it only when values are asked for.
type rawFacts struct {
	CrashID     string            `json:"crash_id"`
	Kind        string            `json:"kind"`
	ReceivedAt  time.Time         `json:"received_at"`
	Topic       string            `json:"topic"`
	Partition   int32             `json:"partition"`
	Offset      int64             `json:"offset"`
	Annotations []annotationFacts `json:"annotations"`
	Dumps       []dumpFacts       `json:"dumps"`
	Notes       []string          `json:"notes"`
	Throttle    throttleFacts     `json:"throttle"`
	Payload     payloadFacts      `json:"payload"`
}

type annotationFacts struct {
	Name  string       `json:"name"`
	Class schema.Class `json:"class"`
	Size  int64        `json:"size"`
	Blob  string       `json:"blob,omitempty"`
	Value *string      `json:"value,omitempty"`
}

type dumpFacts struct {
	Name     string          `json:"name"`
	Size     int64           `json:"size"`
	SHA256   string          `json:"sha256"`
	Encoding schema.Encoding `json:"encoding"`
	// Inline is how many bytes travel in the event; else they lie under Blob.
	Inline int    `json:"inline,omitempty"`
	Blob   string `json:"blob,omitempty"`
}

type throttleFacts struct {
	Rule   string  `json:"rule"`
	Rate   float64 `json:"rate"`
	Result string  `json:"result"`
}

type payloadFacts struct {
	Kind      string  `json:"kind"`
	Gzip      bool    `json:"gzip"`
	Size      int64   `json:"size"`
	UserAgent *string `json:"user_agent,omitempty"`
}

// factsOf describes a raw crash and the record that holds it.
func factsOf(raw *schema.RawCrash, at schema.Position, values bool) *rawFacts {
	f := &rawFacts{
		CrashID: raw.CrashID, Kind: schema.KindOf(raw.Kind), ReceivedAt: raw.ReceivedAt, Topic: at.Topic, Partition: at.Partition, Offset: at.Offset, Notes: raw.Notes,
		Annotations: []annotationFacts{}, Dumps: []dumpFacts{},
		Throttle: throttleFacts(raw.Throttle), Payload: payloadFacts{Kind: raw.Payload.Kind, Gzip: raw.Payload.Gzip, Size: raw.Payload.Size},
	}
	if values {
		f.Payload.UserAgent = &raw.Payload.UserAgent
	}
	for _, name := range slices.Sorted(maps.Keys(raw.Annotations)) {
		value := raw.Annotations[name]
		a := annotationFacts{Name: name, Class: schema.DefaultRegistry.Lookup(name).Class, Size: int64(len(value))}
		if values {
			a.Value = &value
		}
		f.Annotations = append(f.Annotations, a)
	}
	for _, ref := range raw.AnnotationOverflow {
		f.Annotations = append(f.Annotations, annotationFacts{Name: ref.Name, Class: schema.DefaultRegistry.Lookup(ref.Name).Class, Size: ref.Size, Blob: ref.Blob})
	}
	for i := range raw.Dumps {
		d := &raw.Dumps[i]
		facts := dumpFacts{Name: d.Name, Size: d.Size, SHA256: hex.EncodeToString(d.SHA256[:]), Encoding: d.Encoding, Inline: len(d.Inline)}
		if d.Blob != nil {
			facts.Blob = *d.Blob
		}
		f.Dumps = append(f.Dumps, facts)
	}
	return f
}

// text is the description for people.
func (f *rawFacts) text(values bool) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s "+format+"\n", append([]any{name}, args...)...)
	}
	line("crash", "%s", plain(f.CrashID))
	line("kind", "%s", f.Kind)
	line("received", "%s", f.ReceivedAt.UTC().Format(time.RFC3339Nano))
	line("position", "%s partition %d offset %d", f.Topic, f.Partition, f.Offset)
	line("payload", "%s, gzip %v, %d bytes on the wire", plain(f.Payload.Kind), f.Payload.Gzip, f.Payload.Size)
	line("throttle", "%s, rate %g, %s", plain(f.Throttle.Rule), f.Throttle.Rate, plain(f.Throttle.Result))
	for _, d := range f.Dumps {
		where := fmt.Sprintf("%d bytes in the event", d.Inline)
		if d.Blob != "" {
			where = "blob " + plain(d.Blob)
		}
		line("dump", "%s: %d bytes, sha256 %s, %s: %s", plain(d.Name), d.Size, d.SHA256, plain(string(d.Encoding)), where)
	}
	for _, a := range f.Annotations {
		switch {
		case a.Value != nil:
			line("annotation", "%s (%s, %d bytes): %q", plain(a.Name), a.Class, a.Size, *a.Value)
		case a.Blob != "":
			line("annotation", "%s (%s, %d bytes): blob %s", plain(a.Name), a.Class, a.Size, plain(a.Blob))
		default:
			line("annotation", "%s (%s, %d bytes)", plain(a.Name), a.Class, a.Size)
		}
	}
	for _, n := range f.Notes {
		line("note", "%s", plain(n))
	}
	if values {
		line("user agent", "%q", *f.Payload.UserAgent)
		line("PRIVATE", "the values above are for nobody but those who may see this crash")
	}
	return b.String()
}

// plain is a text that a terminal shows as it is; what would move its cursor is
// quoted.
func plain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// positionOf is where a record lies.
func positionOf(r *kgo.Record) schema.Position {
	return schema.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
}

// printText writes a description and tells whether that failed.
func printText(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}
