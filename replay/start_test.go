package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// starting are the options of a new version that differs from the announced one by its rules.
func starting(t *testing.T, change func(*StartOptions)) StartOptions {
	t.Helper()
	opts := StartOptions{Ruleset: rulesOf(t, "abort\nhelper\n"), ProcessVersion: 7, Registry: schema.DefaultRegistry, Source: schema.SourceRaw, Share: 0.5}
	change(&opts)
	return opts
}

// A version from raw crashes begins at the first one of its range, with its groups and its
// topic, and past requests are for others.
func TestAVersionFromRawBeginsWithItsRange(t *testing.T) {
	t.Parallel()
	r := rest(t, announced(t), 1)
	r.raw(0, 1, 2, 3, 4)
	r.raw(1, 2, 3)
	r.fill(schema.TopicReprocess, 0, 3)
	r.fill(schema.TopicReprocess, 1, 1)
	before := r.newest()
	opts := starting(t, func(o *StartOptions) { o.From, o.To = at(3).Add(999), at(9).Add(1999999) })
	got, err := r.o.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	want := schema.SignatureVersion{
		Number: 2, ProcessVersion: 7, RulesetHash: opts.Ruleset.Hash(), RegistryHash: schema.DefaultRegistry.Hash(), State: schema.StateLive, Source: schema.SourceRaw, Share: 0.5,
		From: new(at(3)), To: new(at(9).Add(time.Millisecond)), Begins: offsets(2, 1), BaseRequests: offsets(3, 1),
	}
	e := r.operated(schema.OpStart, 2)
	if d := differs(append(slices.Clone(before.Versions), want), e.Versions); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(before.Activation, e.Activation); d != "" || e.Promotion != nil {
		t.Errorf("what is seen has changed: %s, %+v", d, e.Promotion)
	}
	want.Ruleset = files(opts.Ruleset)
	if d := cmp.Diff(&want, got); d != "" {
		t.Error(d)
	}
	for group, of := range map[string]string{schema.ProcessGroup(2): schema.TopicRaw, schema.ReprocessGroup(2): schema.TopicReprocess} {
		if d := cmp.Diff(map[string][]schema.PartitionOffset{schema.TopicRaw: offsets(2, 1), schema.TopicReprocess: offsets(3, 1)}[of], r.at(group, of)); d != "" {
			t.Errorf("%s begins elsewhere:\n%s", group, d)
		}
	}
	made := r.c.TopicInfo(schema.ProcessedTopic(2))
	if made == nil || len(r.c.PartitionInfos(schema.ProcessedTopic(2))) != 2 || r.c.TopicInfo(schema.ProcessedTopic(3)) != nil {
		t.Errorf("its topic: %+v", made)
	}
	if rules, err := RulesetOf(t.Context(), r.k, e.Version(2)); err != nil || rules.Hash() != opts.Ruleset.Hash() {
		t.Errorf("its rules: %v", err)
	}

	// Without a bound it begins at the first crash that there is.
	streamtest.DeleteBefore(t, r.k, schema.TopicRaw, 0, 1)
	all, err := r.o.Start(t.Context(), starting(t, func(*StartOptions) {}))
	if err != nil {
		t.Fatal(err)
	}
	if all.Number != 3 || all.From != nil || all.To != nil || all.Base != 0 || !slices.Equal(all.Begins, offsets(1, 0)) || !slices.Equal(r.at(schema.ProcessGroup(3), schema.TopicRaw), offsets(1, 0)) {
		t.Errorf("%+v", all)
	}
}

// letter is what the dead letter topic keeps of a record.
func letter(topic string, partition int32, offset int64, version int32) *kgo.Record {
	in := &kgo.Record{Topic: topic, Partition: partition, Offset: offset, Key: []byte(crashID(int(offset), "261122")), Value: []byte("dead")}
	l := stream.DeadLetter(in, schema.DeadPanic, "process", version)
	l.Partition = partition
	return l
}

// processed is a record of a version's topic, of a raw crash.
func processed(t *testing.T, version, partition int32, raw, revision int64) *kgo.Record {
	t.Helper()
	value, err := schema.Encode(&schema.ProcessedCrash{
		CrashID: crashID(int(raw), "261122"), ReceivedAt: noon, SignatureVersion: version, Revision: revision, Raw: schema.Position{Topic: schema.TopicRaw, Partition: partition, Offset: raw},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Topic: schema.ProcessedTopic(version), Partition: partition, Key: []byte(crashID(int(raw), "261122")), Value: value}
}

// A version from processed crashes begins where its base has come, signs again what that has
// made, and makes from raw crashes what is dead there.
func TestAVersionFromProcessedBeginsWhereItsBaseHasCome(t *testing.T) {
	t.Parallel()
	r := rest(t, with(announced(t), func(e *schema.VersionEvent) { e.Versions[0].Begins = offsets(0, 1) }), 1)
	r.raw(0, 1, 2, 3, 4)
	r.raw(1, 2, 3)
	r.come(schema.ProcessGroup(1), schema.TopicRaw, 3, -1)
	r.fill(schema.TopicReprocess, 0, 2)
	r.come(schema.ReprocessGroup(1), schema.TopicReprocess, 2, 0)
	for raw := range int64(3) {
		r.put(processed(t, 1, 0, raw, 0))
	}
	r.put(
		letter(schema.TopicRaw, 0, 1, 1),
		letter(schema.TopicRaw, 0, 2, 1),
		letter(schema.TopicRaw, 0, 3, 1),       // its base has not come to it
		letter(schema.TopicRaw, 1, 0, 1),       // before its base began
		letter(schema.TopicRaw, 0, 0, 4),       // another version's
		letter(schema.TopicReprocess, 0, 0, 1), // a request's
		&kgo.Record{Topic: schema.TopicDeadLetter, Value: []byte("nobody's")},
	)
	v, err := r.o.Start(t.Context(), starting(t, func(o *StartOptions) { o.Source = schema.SourceProcessed }))
	if err != nil {
		t.Fatal(err)
	}
	if v.Base != 1 || v.Source != schema.SourceProcessed {
		t.Errorf("made from version %d", v.Base)
	}
	for name, of := range map[string][2][]schema.PartitionOffset{
		"its begin": {v.Begins, offsets(3, 1)}, "requests": {v.BaseRequests, offsets(2, 0)}, "the end of what is signed again": {v.BaseEnds, offsets(3, 0)},
		"its group": {r.at(schema.ProcessGroup(2), schema.TopicRaw), offsets(3, 1)}, "its requests' group": {r.at(schema.ReprocessGroup(2), schema.TopicReprocess), offsets(2, 0)},
	} {
		if d := cmp.Diff(of[1], of[0]); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
	request := func(partition int32, offset int64) schema.ReprocessRequest {
		return schema.ReprocessRequest{
			CrashID: crashID(int(offset), "261122"), Raw: schema.Position{Topic: schema.TopicRaw, Partition: partition, Offset: offset},
			Versions: []int32{2}, Reason: "dead in signature version 1",
		}
	}
	if d := cmp.Diff([]schema.ReprocessRequest{request(1, 0), request(0, 1), request(0, 2)}, r.requests(5)); d != "" {
		t.Errorf("what is dead in the base (-want +got)\n%s", d)
	}
}

// Of a base that is named nothing is asked of what is seen, and one that is not yet made, or
// whose topic has forgotten crashes of the range, is none.
func TestAVersionFromProcessedNeedsAllOfItsBase(t *testing.T) {
	t.Parallel()
	second := func(e *schema.VersionEvent) {
		v := e.Versions[0]
		v.Number, v.Base, v.Source, v.BaseEnds = 2, 1, schema.SourceProcessed, offsets(2, 0)
		e.Versions = append(e.Versions, v)
	}
	const hint = " (--source raw makes everything anew)"
	forgotten := func(version int, first int) string {
		return fmt.Sprintf("--source processed: crash.processed.v%d partition 0 has forgotten crashes of the range: its first offset is %d%s", version, first, hint)
	}
	for name, tc := range map[string]struct {
		base   int32
		forget int64
		from   time.Time
		signed int64 // records that the second version has signed again
		made   []*kgo.Record
		gone   bool   // the first version is dropped
		want   string // empty: it is started
	}{
		"everything is there":                   {base: 1, made: []*kgo.Record{processed(t, 1, 0, 0, 0), processed(t, 1, 0, 1, 0)}},
		"something is forgotten":                {base: 1, forget: 1, made: []*kgo.Record{processed(t, 1, 0, 0, 0), processed(t, 1, 0, 1, 0)}, want: forgotten(1, 1)},
		"what is forgotten is before the range": {base: 1, forget: 1, from: at(2), made: []*kgo.Record{processed(t, 1, 0, 0, 0), processed(t, 1, 0, 1, 0)}},
		"something of the range is forgotten":   {base: 1, forget: 1, from: at(2), made: []*kgo.Record{processed(t, 1, 0, 1, 0), processed(t, 1, 0, 2, 0)}, want: forgotten(1, 1)},
		"the first was asked for":               {base: 1, forget: 1, from: at(2), made: []*kgo.Record{processed(t, 1, 0, 0, 0), processed(t, 1, 0, 1, 1)}, want: forgotten(1, 1)},
		"everything is forgotten":               {base: 1, forget: 2, from: at(2), made: []*kgo.Record{processed(t, 1, 0, 0, 0), processed(t, 1, 0, 1, 0)}, want: forgotten(1, 2)},
		"a base that was signed again":          {base: 2, signed: 2, made: []*kgo.Record{processed(t, 2, 0, 0, 0), processed(t, 2, 0, 1, 0)}},
		"one that is still being made":          {base: 2, signed: 1, made: []*kgo.Record{processed(t, 2, 0, 0, 0)}, want: "--source processed: signature version 2 is still being made: 1 records are left" + hint},
		"one that has forgotten anything":       {base: 2, signed: 2, forget: 1, from: at(2), made: []*kgo.Record{processed(t, 2, 0, 0, 0), processed(t, 2, 0, 1, 0)}, want: forgotten(2, 1)},
		"one whose own base is dropped":         {base: 2, gone: true, made: []*kgo.Record{processed(t, 2, 0, 0, 0)}},
		"one that there is not":                 {base: 9, want: "--source processed: there is no signature version 9" + hint},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rest(t, with(announced(t), second), 1, 2)
			r.raw(0, 1, 2, 3)
			if tc.gone {
				r.state(with(r.newest(), func(e *schema.VersionEvent) { e.At, e.Versions[0].State = r.now(), schema.StateDropped }))
				if err := r.c.DeleteTopic(schema.ProcessedTopic(1)); err != nil {
					t.Fatal(err)
				}
			}
			if tc.base == 2 && !tc.gone {
				r.fill(schema.ProcessedTopic(1), 0, 2)
				r.come(schema.ResignGroup(2), schema.ProcessedTopic(1), tc.signed)
			}
			r.put(tc.made...)
			if tc.forget > 0 {
				streamtest.DeleteBefore(t, r.k, schema.ProcessedTopic(tc.base), 0, tc.forget)
			}
			opts := starting(t, func(o *StartOptions) { o.Source, o.Base, o.From = schema.SourceProcessed, tc.base, tc.from })
			if tc.want != "" {
				r.refuses(func() error { _, err := r.o.Start(t.Context(), opts); return err }, tc.want)
				return
			}
			if v, err := r.o.Start(t.Context(), opts); err != nil || v.Number != 3 || v.Base != tc.base {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

func TestOnlyWhatDiffersByItsRulesIsSignedAgain(t *testing.T) {
	t.Parallel()
	base := schema.SignatureVersion{Number: 1, State: schema.StateLive, ProcessVersion: 7, RegistryHash: schema.DefaultRegistry.Hash()}
	next := schema.SignatureVersion{Number: 2, Base: 1, ProcessVersion: 7, RegistryHash: schema.DefaultRegistry.Hash()}
	const part = "signature version 1 is not made for all crashes of the range"
	for name, tc := range map[string]struct {
		change func(base, next *schema.SignatureVersion)
		want   string
	}{
		"the same":                   {func(*schema.SignatureVersion, *schema.SignatureVersion) {}, ""},
		"an ended one":               {func(b, _ *schema.SignatureVersion) { b.State = schema.StateEnded }, ""},
		"an archived one":            {func(b, _ *schema.SignatureVersion) { b.State = schema.StateArchived }, ""},
		"a held one":                 {func(b, _ *schema.SignatureVersion) { b.State = schema.StateHeld }, "signature version 1 is held"},
		"a narrowed one":             {func(b, _ *schema.SignatureVersion) { b.State = schema.StateNarrowed }, "signature version 1 is narrowed"},
		"one that is being dropped":  {func(b, _ *schema.SignatureVersion) { b.State = schema.StateDropping }, "signature version 1 is dropping"},
		"a dropped one":              {func(b, _ *schema.SignatureVersion) { b.State = schema.StateDropped }, "signature version 1 is dropped"},
		"another process version":    {func(_, n *schema.SignatureVersion) { n.ProcessVersion = 8 }, "signature version 1 was made by process version 7, this release has 8: more than the ruleset changes"},
		"another registry":           {func(_, n *schema.SignatureVersion) { n.RegistryHash = "other" }, "signature version 1 was made with another annotation registry: more than the ruleset changes"},
		"as far back":                {func(b, n *schema.SignatureVersion) { b.From, n.From = new(at(3)), new(at(3)) }, ""},
		"less far back":              {func(b, n *schema.SignatureVersion) { b.From, n.From = new(at(3)), new(at(4)) }, ""},
		"further back":               {func(b, n *schema.SignatureVersion) { b.From, n.From = new(at(3)), new(at(2)) }, part},
		"to the beginning":           {func(b, _ *schema.SignatureVersion) { b.From = new(at(3)) }, part},
		"as long":                    {func(b, n *schema.SignatureVersion) { b.To, n.To = new(at(9)), new(at(9)) }, ""},
		"less long":                  {func(b, n *schema.SignatureVersion) { b.To, n.To = new(at(9)), new(at(8)) }, ""},
		"longer":                     {func(b, n *schema.SignatureVersion) { b.To, n.To = new(at(9)), new(at(10)) }, part},
		"to the live end":            {func(b, _ *schema.SignatureVersion) { b.To = new(at(9)) }, part},
		"a part of what has no ends": {func(_, n *schema.SignatureVersion) { n.From, n.To = new(at(3)), new(at(9)) }, ""},
	} {
		b, n := base, next
		tc.change(&b, &n)
		err := resignable(&b, &n)
		if (err == nil) != (tc.want == "") || err != nil && err.Error() != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	if err := resignable(nil, &next); err == nil || err.Error() != "there is no signature version 1" {
		t.Errorf("none: %v", err)
	}
}

func TestAStartIsRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	full := with(announced(t), func(e *schema.VersionEvent) {
		for n := int32(2); n <= maxVersions; n++ {
			e.Versions = append(e.Versions, schema.SignatureVersion{Number: n, State: schema.StateLive})
		}
	})
	r := rest(t, full, 1)
	r.refuses(func() error {
		_, err := r.o.Start(t.Context(), starting(t, func(*StartOptions) {}))
		return err
	}, "20 signature versions are being made: retire, archive or drop one first")
	if r.c.TopicInfo(schema.ProcessedTopic(21)) != nil {
		t.Error("it has a topic")
	}
	empty := rest(t, nil)
	if _, err := empty.o.Start(t.Context(), starting(t, func(*StartOptions) {})); err == nil || err.Error() != "crash.versions is empty: topics create announces the first signature version" {
		t.Error(err)
	}
}

// Of two who start at once the second is told, and its number is the first one's.
func TestASecondStartAtTheSameTimeIsTold(t *testing.T) {
	t.Parallel()
	r := rest(t, announced(t), 1)
	var once atomic.Bool
	r.c.ControlKey(int16(kmsg.CreateTopics), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !once.Swap(true) {
			r.c.SleepControl(func() {
				r.state(with(announced(t), func(e *schema.VersionEvent) {
					e.Versions = append(e.Versions, schema.SignatureVersion{Number: 2, State: schema.StateLive})
				}))
			})
		}
		return nil, nil, false
	})
	_, err := r.o.Start(t.Context(), starting(t, func(*StartOptions) {}))
	if want := "signature version 2: " + stream.ErrOtherOperator.Error(); !errors.Is(err, stream.ErrOtherOperator) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if e := r.newest(); len(e.Versions) != 2 || e.Versions[1].Share != 0 {
		t.Errorf("%+v", e.Versions)
	}
	if groups := r.groups(); len(groups) != 0 {
		t.Errorf("the loser leaves groups: %q", groups)
	}
}

// A topic that the brokers do not have, or do not tell of, ends a start.
func TestAStartNeedsItsTopics(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{schema.TopicRaw, schema.TopicReprocess} {
		r := rest(t, announced(t), 1)
		if err := r.c.DeleteTopic(topic); err != nil {
			t.Fatal(err)
		}
		if v, err := r.o.Start(t.Context(), starting(t, func(*StartOptions) {})); err == nil {
			t.Errorf("started without %s: %+v", topic, v)
		}
	}
}

func TestAStartThatIsRefusedByTheBrokersIsNone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*StartOptions){
		"from raw":       func(o *StartOptions) { o.From = at(2) },
		"from processed": func(o *StartOptions) { o.Source, o.Base, o.From = schema.SourceProcessed, 2, at(2) },
		"from forgotten": func(o *StartOptions) { o.Source, o.Base, o.From = schema.SourceProcessed, 1, at(2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rest(t, with(announced(t), func(e *schema.VersionEvent) {
				v := e.Versions[0]
				v.Number, v.Base, v.Source, v.BaseEnds = 2, 1, schema.SourceProcessed, offsets(2, 0)
				e.Versions = append(e.Versions, v)
			}), 1, 2)
			r.raw(0, 1, 2, 3)
			r.put(processed(t, 1, 0, 0, 0), processed(t, 1, 0, 1, 0), letter(schema.TopicRaw, 0, 0, 1), letter(schema.TopicRaw, 0, 0, 2))
			r.come(schema.ProcessGroup(1), schema.TopicRaw, 2, 0)
			r.come(schema.ProcessGroup(2), schema.TopicRaw, 2, 0)
			r.come(schema.ResignGroup(2), schema.ProcessedTopic(1), 2, 0)
			streamtest.DeleteBefore(t, r.k, schema.ProcessedTopic(1), 0, 1)
			before := r.newest()
			var v *schema.SignatureVersion
			r.refusedEach(func(ctx context.Context) (err error) {
				v, err = r.o.Start(ctx, starting(t, change))
				return err
			}, func() error {
				if e := r.newest(); v == nil || len(e.Versions) != 3 || e.Operation != schema.OpStart || v.Number != 3 {
					return fmt.Errorf("%w: %+v", errNotWhole, v)
				}
				r.back(before)
				return nil
			})
			if asked := v.Base != 0; asked != (len(r.requests(0)) > 0) {
				t.Errorf("the dead of version %d: %+v", v.Base, r.requests(0))
			}
		})
	}
}
