package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/collector/throttle"
	"aftershock/schema"
	"aftershock/stream"
)

// throttleTryVerb asks rules about reports that are there.
type throttleTryVerb struct {
	File    string   `arg:"" help:"The rules (docs/throttle.md)." type:"path"`
	Last    int64    `help:"Ask of about so many of the last raw crashes, instead of standard input, where a line is a JSON object of annotations." placeholder:"N"`
	Brokers []string `help:"Kafka brokers, host:port, for --last."`
	securityFlags
	registryFlag
	JSON bool `help:"Print one JSON object a report." name:"json"`
}

// maxTried bounds --last.
const maxTried = 10_000_000

// Run prints a line a rule: how many reports it held of, and what it made of them.
func (v *throttleTryVerb) Run(r *run) error {
	switch {
	case v.Last < 0 || v.Last > maxTried:
		return &usageError{fmt.Sprintf("--last: want 1 to %d", maxTried)}
	case (v.Last > 0) != (len(v.Brokers) > 0):
		return &usageError{"--last and --brokers go together"}
	}
	file, err := throttle.Open(v.File)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(r.stdout)
	t := trial{rules: file.Rules(), counts: map[string]map[throttle.Result]int64{}, failed: map[string]int64{}, results: map[throttle.Result]int64{}}
	if v.JSON {
		t.each = json.NewEncoder(out)
	}
	if v.Last > 0 {
		err = v.last(r, &t)
	} else {
		err = t.lines(os.Stdin)
	}
	if err == nil && !v.JSON {
		err = t.print(out)
	}
	return errors.Join(err, out.Flush())
}

// last asks of raw crashes. What the door has not stored of them the rules do not see:
// annotations that are never stored, and the values of those that lie in the blob store.
func (v *throttleTryVerb) last(r *run, t *trial) error {
	kafka, err := kafkaFlags{v.Brokers, v.securityFlags, v.registryFlag}.kafka(r.log)
	if err != nil {
		return err
	}
	return stream.Last(context.WithoutCancel(r.ctx), kafka, schema.TopicRaw, v.Last, func(rec *kgo.Record) error {
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		raw, err := schema.Decode[schema.RawCrash](rec.Value)
		if err != nil {
			t.unreadable++
			return nil //nolint:nilerr // it is counted
		}
		return t.ask(reportOf(r.ctx, raw))
	})
}

// reportOf is a raw crash as the rules see it.
func reportOf(ctx context.Context, raw *schema.RawCrash) throttle.Report {
	rep := throttle.Report{Kind: schema.KindOf(raw.Kind), Annotations: map[string]string{}, CrashID: raw.CrashID, Received: raw.ReceivedAt}
	maps.Copy(rep.Annotations, raw.Annotations)
	for _, ref := range raw.AnnotationOverflow {
		rep.Annotations[ref.Name] = ""
	}
	if d := raw.Main(); d != nil {
		rep.Dump = throttle.Dump{Present: true, Size: d.Size, Kind: throttle.KindStack}
		if rep.Kind != schema.KindPing {
			rep.Dump.Kind = kindOf(ctx, *d)
		}
	}
	return rep
}

// kindOf is that of an inline dump; of one in the blob store nobody says that it is none.
func kindOf(ctx context.Context, d schema.Dump) string {
	if d.Blob != nil || d.Inline == nil {
		return throttle.KindMinidump
	}
	data, err := stream.FetchDump(ctx, nil, &d)
	if err != nil || !bytes.HasPrefix(data, []byte(schema.MinidumpSignature)) {
		return throttle.KindOther
	}
	return throttle.KindMinidump
}

// trial counts what rules make of reports.
type trial struct {
	rules      *throttle.Rules
	each       *json.Encoder // not nil: a line a report
	counts     map[string]map[throttle.Result]int64
	failed     map[string]int64
	results    map[throttle.Result]int64
	weight     float64 // of those that are accepted
	all        int64
	pings      int64 // of all
	unreadable int64
}

// maxReportLine is the longest line of annotations.
const maxReportLine = 32 << 20

// lines asks of JSON objects of annotations, one a line. Each has a crash id made of its text:
// what is sampled is the same the next time.
func (t *trial) lines(in io.Reader) error {
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxReportLine)
	for n := 1; s.Scan(); n++ {
		if len(s.Bytes()) == 0 {
			continue
		}
		var sent map[string]any
		if err := json.Unmarshal(s.Bytes(), &sent); err != nil {
			return fmt.Errorf("line %d: want a JSON object of annotations: %w", n, err)
		}
		rep := throttle.Report{Annotations: map[string]string{}, Received: time.Now()}
		for name, value := range sent {
			text, is := value.(string)
			if !is && value != nil {
				b, err := json.Marshal(value)
				if err != nil {
					return fmt.Errorf("line %d: %w", n, err)
				}
				text = string(b)
			}
			rep.Annotations[name] = text
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", n, s.Bytes()))
		rep.CrashID = uuid.UUID(sum[:16]).String()
		if err := t.ask(rep); err != nil {
			return err
		}
	}
	return s.Err()
}

// ask asks of one.
func (t *trial) ask(rep throttle.Report) error {
	d := t.rules.Explain(rep, func(rule string, result throttle.Result) {
		if t.counts[rule] == nil {
			t.counts[rule] = map[throttle.Result]int64{}
		}
		t.counts[rule][result]++
	})
	t.all++
	if rep.Kind == schema.KindPing {
		t.pings++
	}
	t.results[d.Result]++
	if d.Result == throttle.Accept {
		t.weight += 1 / d.Rate
	}
	for _, rule := range d.Failed {
		t.failed[rule]++
	}
	if t.each == nil {
		return nil
	}
	return t.each.Encode(struct {
		CrashID string          `json:"crash_id"`
		Rule    string          `json:"rule"`
		Result  throttle.Result `json:"result"`
		Rate    float64         `json:"rate"`
		Failed  []string        `json:"failed,omitempty"`
	}{rep.CrashID, d.Rule, d.Result, d.Rate, d.Failed})
}

// print tells of every rule, also of those that held of nothing: a misspelt one is seen so.
func (t *trial) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	order := []throttle.Result{throttle.Accept, throttle.Defer, throttle.Reject, throttle.FakeAccept, throttle.Continue}
	fmt.Fprintln(w, "held\taccept\tdefer\treject\tfake\tcontinue\tfailed\t  rule") //nolint:errcheck // Flush tells
	row := func(name string, counts map[throttle.Result]int64, failed int64) {
		held := int64(0)
		for _, n := range counts {
			held += n
		}
		fmt.Fprintf(w, "%d\t", held) //nolint:errcheck // as above
		for _, result := range order {
			fmt.Fprintf(w, "%s\t", orDash(counts[result])) //nolint:errcheck // as above
		}
		fmt.Fprintf(w, "%s\t  %s\n", orDash(failed), name) //nolint:errcheck // as above
	}
	names := t.rules.Names()
	for _, name := range slices.Sorted(maps.Keys(t.counts)) {
		if !slices.Contains(names, name) { // the one of pings that a file need not have
			names = append(names, name)
		}
	}
	for _, name := range names {
		row(name, t.counts[name], t.failed[name])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if t.unreadable > 0 {
		if _, err := fmt.Fprintf(out, "%d records are no raw crashes\n", t.unreadable); err != nil {
			return err
		}
	}
	kept, pings := t.results[throttle.Accept], ""
	if t.pings > 0 {
		pings = fmt.Sprintf(" and %d pings", t.pings)
	}
	_, err := fmt.Fprintf(out, "%d reports%s: %d accepted, which stand for %.0f; %d deferred, %d rejected, %d only seem to be taken\n",
		t.all-t.pings, pings, kept, t.weight, t.results[throttle.Defer], t.results[throttle.Reject], t.results[throttle.FakeAccept])
	return err
}

func orDash(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
