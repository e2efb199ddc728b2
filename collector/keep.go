package collector

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"aftershock/schema"
)

// Kept is a report that another system took, or that was never sent.
type Kept struct {
	// CrashID is the one that it has; "" gives it one that is made of what it holds, so that
	// the same report has the same id whenever it comes.
	CrashID string
	// Received is when it came; zero is the day of its crash id, or now.
	Received time.Time
	// Annotations are read as a report's are, and count before those of JSON, which may be
	// nil: an object as a client sends it. Take tells of a member of it whether it is one.
	Annotations map[string]string
	JSON        io.Reader
	Take        func(name, value string) bool
	Dumps       []KeptDump
	// Throttle is what was decided then; Rate is asked for when the annotations are known.
	Rule    string
	Rate    func(annotations map[string]string) float64
	Payload schema.Payload
}

// KeptDump is one of its dumps.
type KeptDump struct {
	Name string
	Data []byte
}

// Make makes the raw crash of a report that another system took, as the door would have,
// and stores its blobs; it appends nothing. An error that is a report's is a
// *refusal, see Reason.
func (c *Collector) Make(ctx context.Context, k *Kept) (*schema.RawCrash, error) {
	rep := newReport(schema.KindReport, c.o.Limits)
	for _, name := range slices.Sorted(maps.Keys(k.Annotations)) {
		rep.text = true
		if err := rep.annotate(name, k.Annotations[name]); err != nil {
			return nil, err
		}
	}
	if k.JSON != nil {
		if err := rep.addObject(k.JSON, k.Take, nil); err != nil {
			return nil, err
		}
	}
	for _, d := range k.Dumps {
		if err := rep.packDump(d.Name, bytes.NewReader(d.Data)); err != nil {
			return nil, err
		}
	}
	id := k.CrashID
	if id == "" {
		if k.Received.IsZero() {
			k.Received = c.o.Now()
		}
		id = idOf(rep, k.Received)
	}
	day, err := schema.CrashDay(id)
	if err != nil {
		return nil, refuse(schema.RejectID, err)
	}
	if k.Received.IsZero() {
		k.Received = day
	}
	raw := &schema.RawCrash{
		CrashID: id, Kind: schema.KindReport, ReceivedAt: k.Received.UTC().Truncate(time.Millisecond),
		Throttle: schema.Throttle{Rule: k.Rule, Rate: k.Rate(rep.annotations), Result: schema.ThrottleAccept}, Payload: k.Payload,
	}
	return raw, c.fill(ctx, raw, rep)
}

// idOf is a crash id made of the report.
func idOf(rep *report, received time.Time) string {
	return crashIDOf(rep.identity(""), received)
}

// Reason is the code of the refusal that an error is, "" when it is none.
func Reason(err error) string {
	var no *refusal
	if errors.As(err, &no) {
		return no.reason
	}
	return ""
}
