package replay

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks"
	"aftershock/stream/streamtest"
)

// signed is a processed crash of version 1 with a stack and the signature that a
// ruleset gives it.
func signed(t *testing.T, n int, ruleset *signature.Ruleset, functions ...string) *schema.ProcessedCrash {
	t.Helper()
	p := stored(crashID(n, "261122"), 1, 0, int64(n), noon, "", "").Processed
	p.DumpStatus, p.System.OS = schema.DumpOK, "Linux"
	p.Crash.CrashingThread = new(int32(0))
	var frames []schema.Frame
	for _, f := range functions {
		frames = append(frames, schema.Frame{Module: "app", Function: f})
	}
	p.Threads = []schema.Thread{{Frames: frames}}
	p.Signature = ruleset.Generate(signature.FromProcessed(p)).Signature
	return p
}

func files(r *signature.Ruleset) (out []schema.RulesetFile) {
	for _, f := range r.Files() {
		out = append(out, schema.RulesetFile{Name: f.Name, Text: f.Text})
	}
	return out
}

func TestExamplesSayWhatTheRulesAloneDo(t *testing.T) {
	t.Parallel()
	ruleset := func(prefixes string) *signature.Ruleset {
		r, err := signature.FromFiles(map[string]string{"prefix_signature_re.txt": prefixes})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	was, is := ruleset("abort\n"), ruleset("abort\nhelper\n")
	db := openDB(t)
	topic := schema.ProcessedTopic(1)
	k, _ := streamtest.Broker(t, 1, topic)
	after := func(p *schema.ProcessedCrash, signature string) sinks.Row {
		next := *p
		next.SignatureVersion, next.Signature = 2, signature
		return sinks.Row{Processed: &next}
	}
	var rows []sinks.Row
	var records []*kgo.Record
	for n, c := range []struct {
		stack []string
		to    string // in version 2
	}{
		{[]string{"abort", "helper", "f"}, "abort | helper | f"}, // as the rules say
		{[]string{"abort", "helper", "g"}, "abort | elsewhere"},  // the stack is another one, too
		{[]string{"abort", "h"}, "abort | i"},                    // the rules do nothing to it
		{[]string{"abort", "helper", "expired"}, "gone"},
	} {
		p := signed(t, n, was, c.stack...)
		if c.to == "gone" {
			p.Signature = "abort | other"
		}
		value, err := schema.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		at := schema.Position{Topic: topic, Offset: int64(n)}
		if c.to == "gone" {
			at.Offset = 99
		} else {
			records = append(records, &kgo.Record{Topic: topic, Key: []byte(p.CrashID), Value: value})
		}
		rows = append(rows, sinks.Row{Processed: p, Position: at}, after(p, c.to))
	}
	streamtest.Put(t, k, records...)
	write(t, db, rows...)
	a := &schema.SignatureVersion{Number: 1, RulesetHash: was.Hash(), Ruleset: files(was)}
	b := &schema.SignatureVersion{Number: 2, RulesetHash: is.Hash(), Ruleset: files(is)}
	d, err := (&DiffQuery{A: a, B: b, Limit: 10}).Run(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Explain(t.Context(), db, k, a, b); err != nil {
		t.Fatal(err)
	}
	got := map[string]Example{}
	for _, p := range d.Pairs {
		got[p.To] = p.Examples[0]
	}
	helper := signature.ListLine{File: "prefix_signature_re.txt", Number: 2, Text: "helper"}
	want := map[string]Example{
		"abort | helper | f": {crashID(0, "261122"), "the rules alone move it", helper, true},
		"abort | elsewhere":  {crashID(1, "261122"), "the rules alone move it elsewhere: the stack is another one, too", helper, true},
		"abort | i":          {crashID(2, "261122"), "the rules alone do not move it: the stack is another one", signature.ListLine{}, false},
		"gone":               {crashID(3, "261122"), "its processed crash is gone from crash.processed.v1", signature.ListLine{}, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, c := range d.Changes {
		if c.Kind == signature.Split && c.Moves[0].Cause == (signature.ListLine{}) && c.Moves[1].Cause == (signature.ListLine{}) {
			t.Errorf("no line in %+v", c)
		}
	}
}
