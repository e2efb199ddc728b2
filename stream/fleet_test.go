package stream_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/sinks/telemetry"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// fleet is a process with every role that stands between topics, and an operator.
type fleet struct {
	t     *testing.T
	k     stream.Kafka
	admin *kadm.Client
	sent  []int
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	k, _ := streamtest.Broker(t, 2, append(slices.Clone(pipeline), schema.TopicTelemetry)...)
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	fl := &fleet{t: t, k: k, admin: kadm.NewClient(cl)}
	fl.change(func(state *schema.VersionEvent) {
		one(state)
		state.Activation = shows(1, 0)
		state.Activation.Ranges = state.Activation.Ranges[:1]
		state.Activation.Ranges[0].To = schema.TimeEnd
	})
	f := streamtest.Following(t, k)
	workers := stream.NewWorkers(2, 0.5)
	processor := func(version int32) *stream.Processor {
		p := processorOf(k, f, version)
		p.Workers = workers
		if v := f.Newest().Version(version); v != nil {
			p.Begins = v.Begins
		}
		return p
	}
	fl.loop(f, workers, wantedIf(func(v *schema.SignatureVersion) bool { return v.Processed() }), func(ctx context.Context, v *schema.SignatureVersion, _ stream.Part) error {
		return processor(v.Number).Run(ctx)
	})
	fl.loop(f, workers, wantedIf(func(v *schema.SignatureVersion) bool { return v.Processed() }), func(ctx context.Context, v *schema.SignatureVersion, _ stream.Part) error {
		return (&stream.Reprocessor{Processor: *processor(v.Number), Of: v}).Run(ctx)
	})
	fl.loop(f, workers, wantedIf(func(v *schema.SignatureVersion) bool { return v.State == schema.StateLive && v.Base > 0 }), func(ctx context.Context, v *schema.SignatureVersion, _ stream.Part) error {
		r := resignerOf(k, f, v)
		r.Workers = workers
		return r.Run(ctx)
	})
	fl.loop(f, workers, func(state *schema.VersionEvent) (parts []stream.Part) {
		for _, r := range state.Activation.Ranges {
			parts = append(parts, stream.Part{Version: r.SignatureVersion, Epoch: r.Epoch})
		}
		return parts
	}, func(ctx context.Context, _ *schema.SignatureVersion, part stream.Part) error {
		return telemetry.Run(ctx, telemetry.Options{
			Kafka: k, Versions: f, Version: part.Version, Epoch: part.Epoch, Instance: "0", Annotations: schema.DefaultRegistry, Log: zerolog.Nop(),
		})
	})
	return fl
}

// loop keeps the parts going until the test ends.
func (fl *fleet) loop(f *stream.Following, workers *stream.Workers, wanted func(*schema.VersionEvent) []stream.Part, run func(context.Context, *schema.SignatureVersion, stream.Part) error) {
	streamtest.Run(fl.t, func(ctx context.Context) error {
		stream.PerVersion(ctx, f, stream.VersionLoop{
			Changed: func(_ context.Context, state *schema.VersionEvent) { workers.Follow(state) },
			Wanted:  wanted, Run: run, Failed: func(part stream.Part, err error) { fl.t.Errorf("%v: %v", part, err) },
		})
		return nil
	})
}

func wantedIf(wanted func(*schema.SignatureVersion) bool) func(*schema.VersionEvent) []stream.Part {
	return func(state *schema.VersionEvent) (parts []stream.Part) {
		for i := range state.Versions {
			if wanted(&state.Versions[i]) {
				parts = append(parts, stream.Part{Version: state.Versions[i].Number})
			}
		}
		return parts
	}
}

func (fl *fleet) change(change func(state *schema.VersionEvent)) {
	fl.t.Helper()
	versions(fl.t, fl.k, change)
}

// state is the newest one's version.
func state(number int32, s string) func(*schema.VersionEvent) {
	return func(e *schema.VersionEvent) { e.Version(number).State = s }
}

// send appends crashes that were received at the hours of their numbers.
func (fl *fleet) send(numbers ...int) {
	fl.t.Helper()
	sendRaw(fl.t, fl.k, numbers...)
	fl.sent = append(fl.sent, numbers...)
}

// whole waits until a version has each of these crashes, and finds none twice.
func (fl *fleet) whole(version int32, numbers []int) {
	fl.t.Helper()
	got := streamtest.Keys(streamtest.Committed(fl.t, fl.k, schema.ProcessedTopic(version), len(numbers)))
	want := ids(numbers...)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		fl.t.Fatalf("version %d has %d results, want %d, each once:\n%q", version, len(got), len(want), got)
	}
}

// empty waits until groups have no members.
func (fl *fleet) empty(groups ...string) {
	fl.t.Helper()
	for _, group := range groups {
		for end := time.Now().Add(20 * time.Second); streamtest.Members(fl.t, fl.k, group) > 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				fl.t.Fatalf("%s has members", group)
			}
		}
	}
}

// offsets are what a group has committed of a topic.
func (fl *fleet) offsets(group, topic string) (out []schema.PartitionOffset) {
	fl.t.Helper()
	offsets, err := fl.admin.FetchOffsetsForTopics(fl.t.Context(), group, topic)
	if err != nil {
		fl.t.Fatal(err)
	}
	offsets.Each(func(o kadm.OffsetResponse) {
		out = append(out, schema.PartitionOffset{Partition: o.Partition, Offset: max(o.At, 0)})
	})
	return out
}

// reset lets a group stand at offsets, as an operator's transaction does.
func (fl *fleet) reset(group, topic string, at []schema.PartitionOffset) {
	fl.t.Helper()
	var offsets kadm.Offsets
	for _, o := range at {
		offsets.AddOffset(topic, o.Partition, o.Offset, -1)
	}
	if err := fl.admin.CommitAllOffsets(fl.t.Context(), group, offsets); err != nil {
		fl.t.Fatal(err)
	}
}

// published waits until the newest record of every crash is of the version that is
// shown for it, and finds no result published twice since one epoch.
func (fl *fleet) published(a schema.Activation) {
	fl.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		last, seen := map[string]string{}, map[string]bool{}
		for _, r := range streamtest.Committed(fl.t, fl.k, schema.TopicTelemetry, 0) {
			for _, h := range r.Headers {
				if h.Key != stream.HeaderIdentity {
					continue
				}
				if id := string(h.Value); seen[id] {
					fl.t.Fatalf("%s is published twice", id)
				} else {
					seen[id] = true
					last[string(r.Key)] = id
				}
			}
		}
		want := map[string]string{}
		for _, n := range fl.sent {
			shown := a.Range(hour(n))
			want[crashID(n)] = fmt.Sprintf("%s/%d/0/%d", crashID(n), shown.SignatureVersion, shown.Epoch)
		}
		if maps.Equal(last, want) {
			return
		}
		if time.Now().After(end) {
			fl.t.Fatalf("published:\n%s\nwant:\n%s", strings.Join(slices.Sorted(maps.Values(last)), "\n"), strings.Join(slices.Sorted(maps.Values(want)), "\n"))
		}
	}
}

func numbers(from, to int) (out []int) {
	for n := from; n < to; n++ {
		out = append(out, n)
	}
	return out
}

// A version's whole life beside the live one: begun from raw and from processed crashes,
// paused, promoted for a range and for everything, and the other one back again. Every
// crash is in every version once, and published as the activation shows it.
func TestVersionsComeAndGoAndEveryCrashIsThereOnce(t *testing.T) {
	t.Parallel()
	fl := newFleet(t)
	starts := []schema.PartitionOffset{{Partition: 0}, {Partition: 1}}
	fl.send(numbers(0, 10)...)
	fl.whole(1, fl.sent)

	fl.change(func(e *schema.VersionEvent) {
		e.Versions = append(e.Versions, schema.SignatureVersion{Number: 2, State: schema.StateLive, Source: schema.SourceRaw, Share: 0.5})
	})
	fl.send(numbers(10, 15)...)
	fl.whole(2, fl.sent)
	fl.change(func(e *schema.VersionEvent) { e.Version(2).Paused = true })
	fl.send(numbers(15, 20)...)
	fl.whole(1, fl.sent)
	fl.change(func(e *schema.VersionEvent) { e.Version(2).Paused = false })
	fl.whole(2, fl.sent)

	v3 := schema.SignatureVersion{Number: 3, State: schema.StateLive, Source: schema.SourceProcessed, Share: 1, Base: 1}
	fl.send(numbers(20, 25)...) // some of them before it begins, some after
	v3.BaseRequests = starts
	v3.Begins = fl.offsets(schema.ProcessGroup(1), schema.TopicRaw)
	ends, err := fl.admin.ListEndOffsets(t.Context(), schema.ProcessedTopic(1))
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		v3.BaseEnds = append(v3.BaseEnds, schema.PartitionOffset{Partition: o.Partition, Offset: o.Offset})
	})
	fl.change(func(e *schema.VersionEvent) { e.Versions = append(e.Versions, v3) })
	fl.send(numbers(25, 30)...)
	for version := range int32(3) {
		fl.whole(version+1, fl.sent)
	}
	fl.published(schema.Activation{Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 1, Epoch: 1}}})

	// Version 2 is promoted from the 12th hour on.
	fl.change(state(1, schema.StateHeld))
	fl.send(numbers(30, 33)...)
	fl.empty(schema.ProcessGroup(1), schema.ReprocessGroup(1))
	stopped := fl.offsets(schema.ProcessGroup(1), schema.TopicRaw)
	before := numbers(0, 30)
	fl.whole(1, before)
	fl.whole(2, fl.sent)
	fl.change(func(e *schema.VersionEvent) {
		e.Version(1).State, e.Version(1).Ends, e.Activation = schema.StateNarrowed, stopped, shows(2, 12)
	})
	fl.send(1005) // it comes late, and is shown in version 1
	fl.whole(1, append(slices.Clone(before), 1005))
	fl.whole(2, fl.sent)
	fl.published(shows(2, 12))

	// And then for everything: version 1 ends.
	fl.change(state(1, schema.StateHeld))
	fl.empty(schema.ProcessGroup(1), schema.ReprocessGroup(1))
	all := shows(2, 12)
	all.Epoch, all.Ranges[0].SignatureVersion, all.Ranges[0].Epoch = 3, 2, 3
	fl.change(func(e *schema.VersionEvent) { e.Version(1).State, e.Activation = schema.StateEnded, all })
	fl.send(numbers(33, 36)...)
	fl.whole(2, fl.sent)
	fl.whole(1, append(slices.Clone(before), 1005))
	fl.published(all)

	// Version 1 goes on from its ends.
	fl.reset(schema.ProcessGroup(1), schema.TopicRaw, stopped)
	fl.change(state(1, schema.StateLive))
	fl.send(numbers(36, 38)...)
	for version := range int32(3) {
		fl.whole(version+1, fl.sent)
	}
}
