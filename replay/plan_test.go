package replay

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stream/streamtest"
)

// planned is a resting fleet whose first version has processed crashes with a stack, one a
// day, the even ones in the first partition.
func planned(t *testing.T, days int) (r *resting, eventBytes int64) {
	t.Helper()
	r = rest(t, beside(t), 1, 2)
	rules := rulesOf(t, "abort\n")
	for day := 1; day <= days; day++ {
		p := signed(t, day, rules, "abort", "helper", []string{"f", "g"}[day%2])
		p.ReceivedAt = at(day)
		value, err := schema.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		eventBytes = int64(len(value))
		r.raw(int32(day%2), day)
		r.put(&kgo.Record{Topic: schema.ProcessedTopic(1), Partition: int32(day % 2), Key: []byte(p.CrashID), Value: value})
	}
	r.fill(schema.ProcessedTopic(1), 0, 1) // what cannot be read is a replay's dead letter
	r.come(schema.ProcessGroup(1), schema.TopicRaw, 9, 9)
	return r, eventBytes
}

func TestAPlanSaysWhatWouldChange(t *testing.T) {
	t.Parallel()
	r, eventBytes := planned(t, 6)
	before := r.newest()
	plan := func(change func(*PlanOptions)) *Plan {
		t.Helper()
		opts := PlanOptions{Ruleset: rulesOf(t, "abort\nhelper\n"), Sample: 1000}
		change(&opts)
		p, err := r.o.Plan(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	estimates := func(p *Plan, crashes int64) *Plan {
		p.All, p.EventBytes = crashes, eventBytes
		p.Raw = Estimate{crashes, float64(crashes) / 1000, crashes * eventBytes}
		p.Processed = &Estimate{crashes, float64(crashes) / 3000, crashes * eventBytes}
		return p
	}
	helper := signature.ListLine{File: "prefix_signature_re.txt", Number: 2, Text: "helper"}
	got := plan(func(*PlanOptions) {})
	of := func(sampled, changed int) (out []ProductMoves, warnings []string) {
		if changed > 0 {
			warnings = []string{fmt.Sprintf(`100 %% of ""'s crashes move: %d of %d`, changed, sampled)}
		}
		return []ProductMoves{{Sampled: sampled, Changed: changed}}, warnings
	}
	products, warnings := of(6, 6)
	want := estimates(&Plan{Base: 1, Sampled: 6, Changed: 6, Changes: got.Changes, Products: products, Warnings: warnings}, 6)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if len(got.Changes) == 0 || got.Changes[0].Signature != "abort | helper" || got.Changes[0].Kind != signature.Split || got.Changes[0].Moves[0].Cause != helper {
		t.Errorf("%+v", got.Changes)
	}
	got = plan(func(o *PlanOptions) { o.From, o.To = at(2), at(5) })
	products, warnings = of(3, 3)
	if d := cmp.Diff(estimates(&Plan{Base: 1, Sampled: 3, Changed: 3, Changes: got.Changes, Products: products, Warnings: warnings}, 3), got); d != "" {
		t.Errorf("of some days (-want +got)\n%s", d)
	}
	got = plan(func(o *PlanOptions) { o.Ruleset = rulesOf(t, "abort\n") })
	products, _ = of(6, 0)
	if d := cmp.Diff(estimates(&Plan{Base: 1, Sampled: 6, Changes: got.Changes, Products: products}, 6), got); d != "" || len(got.Changes) > 0 {
		t.Errorf("of the same rules (-want +got)\n%s", d)
	}
	got = plan(func(o *PlanOptions) { o.From = at(20) })
	if d := cmp.Diff(&Plan{Base: 1, Changes: got.Changes, Processed: &Estimate{}}, got); d != "" {
		t.Errorf("of nothing (-want +got)\n%s", d)
	}
	// Another base, which has nothing, and of which something is forgotten.
	r.fill(schema.ProcessedTopic(2), 0, 2)
	streamtest.DeleteBefore(t, r.k, schema.ProcessedTopic(2), 0, 2)
	got = plan(func(o *PlanOptions) { o.Base = 2 })
	want = &Plan{
		Base: 2, All: 6, Changes: got.Changes, Raw: Estimate{Crashes: 6, CoreSeconds: 0.006},
		Refused: "crash.processed.v2 partition 0 has forgotten crashes of the range: its first offset is 2",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("of another base (-want +got)\n%s", d)
	}
	if d := cmp.Diff(before, r.newest()); d != "" {
		t.Errorf("a plan changes something:\n%s", d)
	}
}

func TestAPlanIsRefusedWhereThereIsNothingToCompareWith(t *testing.T) {
	t.Parallel()
	r := rest(t, with(beside(t), func(e *schema.VersionEvent) { e.Versions[1].State = schema.StateDropping }), 1)
	for name, tc := range map[string]struct {
		o    *Operator
		base int32
		want string
	}{
		"none":      {r.o, 9, "there is no signature version 9"},
		"going":     {r.o, 2, "signature version 2 is dropping"},
		"empty log": {rest(t, nil).o, 0, "crash.versions is empty: there is nothing to compare with"},
	} {
		if p, err := tc.o.Plan(t.Context(), PlanOptions{Ruleset: rulesOf(t, "abort\n"), Sample: 1, Base: tc.base}); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %+v, %v, want %s", name, p, err, tc.want)
		}
	}
	broken := with(announced(t), func(e *schema.VersionEvent) {
		e.Versions[0].Ruleset = []schema.RulesetFile{{Name: "prefix_signature_re.txt", Text: "(\n"}}
	})
	if _, err := RulesetOf(t.Context(), r.k, broken.Version(1)); err == nil {
		t.Error("rules that are none")
	}
}

func TestAPlanIsWholeOrAnError(t *testing.T) {
	t.Parallel()
	r, _ := planned(t, 3)
	var p *Plan
	r.refusedEach(func(ctx context.Context) (err error) {
		p, err = r.o.Plan(ctx, PlanOptions{Ruleset: rulesOf(t, "abort\nhelper\n"), Sample: 100, To: at(9)})
		return err
	}, func() error {
		if p == nil || p.Sampled != 3 || p.All != 3 || p.Raw.Crashes != 3 || p.Refused == "" && p.Processed == nil {
			return errNotWhole
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.o.Plan(ctx, PlanOptions{Ruleset: rulesOf(t, "abort\n"), Sample: 100}); err == nil {
		t.Error("planned after it was given up")
	}
}

func TestAPlanCoversAHalfOpenRange(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from, to int
		want     []int // of the days 1 to 5
	}{
		"everything": {0, 0, []int{1, 2, 3, 4, 5}}, "from a day on": {3, 0, []int{3, 4, 5}}, "until a day": {0, 3, []int{1, 2}}, "some days": {2, 4, []int{2, 3}},
	} {
		var opts PlanOptions
		if tc.from > 0 {
			opts.From = at(tc.from)
		}
		if tc.to > 0 {
			opts.To = at(tc.to)
		}
		var got []int
		for day := 1; day <= 5; day++ {
			if opts.covers(at(day)) {
				got = append(got, day)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
