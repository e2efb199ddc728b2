package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// narrowed is a log in which version 1 is seen of what was received before day 10 alone, and
// has stopped at these offsets.
func narrowed(t *testing.T) *schema.VersionEvent {
	t.Helper()
	return with(beside(t), func(e *schema.VersionEvent) {
		e.Versions[0].State, e.Versions[0].Ends, e.Versions[0].RequestEnds = schema.StateNarrowed, offsets(2, 0), offsets(1, 0)
		e.Activation = schema.Activation{Epoch: 2, Ranges: []schema.ActiveRange{ranged(begin, 10, 1, 1), ranged(10, end, 2, 2)}}
	})
}

// late is a resting fleet with what the loops of a narrowed version have not come to: a crash
// that was received in its range, and somebody's request.
func late(t *testing.T) *resting {
	t.Helper()
	r := rest(t, narrowed(t), 1, 2)
	r.raw(0, 1, 2, 3, 11)
	r.raw(1, 12, 4)
	r.deferred(1, 5)
	r.come(schema.ProcessGroup(1), schema.TopicRaw, 3, -1) // past its ends in one partition, not begun again in the other
	r.fill(schema.TopicReprocess, 0, 1)
	r.ask(0, crashID(1, "261122"), 1)
	r.ask(0, crashID(2, "261122"), 2)
	r.ask(0, crashID(3, "261122"))
	r.put(&kgo.Record{Topic: schema.TopicReprocess, Partition: 1, Value: []byte("no request")})
	r.fill(schema.ProcessedTopic(1), 0, 2)
	r.come(schema.SinkGroup(clickhouse.Name, 1), schema.ProcessedTopic(1), 2, 0)
	r.come(schema.SinkGroup(clickhouse.Name, 2), schema.ProcessedTopic(2), 0, 0)
	r.come(schema.TelemetryGroup(1, 1), schema.ProcessedTopic(1), 2, 0)
	return r
}

// archivedWhole tells what is not as an archived version is left.
func (r *resting) archivedWhole() error {
	switch e := r.newest(); {
	case e.Operation != schema.OpArchived || e.Version(1).State != schema.StateArchived:
		return fmt.Errorf("%w: %s, it is %s", errNotWhole, e.Operation, e.Version(1).State)
	case !slices.Equal(r.groups(), []string{schema.SinkGroup(clickhouse.Name, 2)}):
		return fmt.Errorf("%w: groups %q", errNotWhole, r.groups())
	}
	return nil
}

// An archived version has no groups, and what its loops had not come to is asked for.
func TestAnArchivedVersionLeavesRequestsAndNoGroups(t *testing.T) {
	t.Parallel()
	r := late(t)
	before := r.newest()
	if err := r.o.Archive(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if got := r.events(2); got != "archive 1, archived 1" {
		t.Errorf("%s", got)
	}
	want := with(before, func(e *schema.VersionEvent) { e.Version(1).State = schema.StateArchived })
	e := r.operated(schema.OpArchived, 1)
	if d := differs(want.Versions, e.Versions); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if d := cmp.Diff(want.Activation, e.Activation); d != "" {
		t.Error(d)
	}
	if err := r.archivedWhole(); err != nil {
		t.Error(err)
	}
	asked := func(id int, raw schema.Position, attempt int32, reason string, versions ...int32) schema.ReprocessRequest {
		raw.Topic = schema.TopicRaw
		return schema.ReprocessRequest{CrashID: crashID(id, "261122"), Raw: raw, Versions: versions, Attempt: attempt, Reason: reason}
	}
	requests := []schema.ReprocessRequest{
		asked(1, schema.Position{}, 3, "asked", 1), asked(1, schema.Position{}, 3, "asked", 1), // of before, and of now
		asked(2, schema.Position{}, 3, "asked", 2),
		asked(3, schema.Position{}, 3, "asked"), asked(3, schema.Position{}, 3, "asked", 1),
		asked(4, schema.Position{Partition: 1, Offset: 1}, 0, "left behind when it was archived", 1),
	}
	got := r.requests(len(requests) + 2)
	slices.SortStableFunc(got, func(a, b schema.ReprocessRequest) int {
		return strings.Compare(a.CrashID+fmt.Sprint(len(a.Versions)), b.CrashID+fmt.Sprint(len(b.Versions)))
	})
	if d := cmp.Diff(requests, got, cmp.Transformer("none", func(versions []int32) string { return fmt.Sprint(versions) })); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	r.refuses(func() error { return r.o.Archive(t.Context(), 1) }, "signature version 1 is archived: only one that is narrowed can be archived")
	r.refuses(func() error { return r.o.Archive(t.Context(), 2) }, "signature version 2 is what is seen of crashes that come now: promote another one first")
	r.refuses(func() error { return r.o.Archive(t.Context(), 9) }, "there is no signature version 9")
	empty := rest(t, nil)
	if err := empty.o.Archive(t.Context(), 1); err == nil || !strings.HasPrefix(err.Error(), "crash.versions is empty") {
		t.Error(err)
	}
}

// An operator who is refused at a step is told, and the version is left at that step.
func TestArchivingIsToldWhatTheBrokersRefuse(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup // each waits until everybody knows
	for name, tc := range map[string]struct {
		key  kmsg.Key
		nth  int // of these requests
		left string
	}{
		"who is in its groups":             {kmsg.DescribeGroups, 1, schema.StateArchiving},
		"where its groups are":             {kmsg.OffsetFetch, 1, schema.StateArchiving},
		"what came late":                   {kmsg.ListOffsets, 9, schema.StateArchiving},
		"the last step":                    {kmsg.InitProducerID, 2, schema.StateArchiving},
		"which groups there are":           {kmsg.ListGroups, 1, schema.StateArchived},
		"who is in its groups at the last": {kmsg.DescribeGroups, 3, schema.StateArchived},
		"to delete them":                   {kmsg.DeleteGroups, 1, schema.StateArchived},
	} {
		r := late(t)
		refusal := r.refuse(tc.key, tc.nth)
		all.Go(func() {
			err := r.o.Archive(t.Context(), 1)
			if !errors.Is(err, kerr.TopicAuthorizationFailed) && !errors.Is(err, kerr.GroupAuthorizationFailed) || refusal.Hits() == 0 {
				t.Errorf("%s: refused %d times: %v", name, refusal.Hits(), err)
			}
			if now, err := stream.NewestVersions(t.Context(), r.k); err != nil || now.Version(1).State != tc.left {
				t.Errorf("%s: it is %s, want %s, %v", name, now.Version(1).State, tc.left, err)
			}
			// The next call goes on.
			if err := r.o.Archive(t.Context(), 1); err != nil {
				t.Errorf("%s: then %v", name, err)
			} else if err := r.archivedWhole(); err != nil {
				t.Errorf("%s: then %v", name, err)
			}
		})
	}
	// What is not stored or published yet is waited for.
	for _, group := range []string{schema.SinkGroup(clickhouse.Name, 1), schema.TelemetryGroup(1, 1)} {
		r := late(t)
		r.come(group, schema.ProcessedTopic(1), 1, 0)
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), archivePatience)
			defer cancel()
			err := r.o.Archive(ctx, 1)
			if !waited(err, group, "1 records of crash.processed.v1 behind", "context deadline exceeded") {
				t.Error(err)
			}
			if now, err := stream.NewestVersions(t.Context(), r.k); err != nil || now.Operation != schema.OpArchive || now.Version(1).State != schema.StateArchiving {
				t.Errorf("%s: it is %s, %v", group, now.Version(1).State, err)
			}
		})
	}
	all.Wait()
}

func TestWhatIsLeftBehindIsAllOrAnError(t *testing.T) {
	t.Parallel()
	r := late(t)
	g := groupsOn(t, r.k)
	now := r.newest()
	var found []schema.ReprocessRequest
	r.refusedEach(func(ctx context.Context) (err error) {
		found, err = r.o.leftBehind(ctx, g, now, now.Version(1))
		return err
	}, func() error {
		if len(found) != 3 {
			return fmt.Errorf("%w: %+v", errNotWhole, found)
		}
		return nil
	})
	r.refusedEach(func(ctx context.Context) error {
		names, err := groupsOf(ctx, g, 1)
		if err == nil && len(names) != 5 {
			return fmt.Errorf("%w: %q", errNotWhole, names)
		}
		return err
	}, func() error { return nil })
}

// archivePatience is long enough to come to what is waited for last, and no longer.
const archivePatience = stream.CurrentAge + patience

// Behind a promotion what is seen of the past alone is archived, and nothing else.
func TestWhatIsSeenOfThePastAloneIsArchived(t *testing.T) {
	t.Parallel()
	r := rest(t, with(narrowed(t), func(e *schema.VersionEvent) {
		third, fourth := e.Versions[1], e.Versions[1]
		third.Number, third.State, third.Ends = 3, schema.StateNarrowed, offsets(0, 0)
		fourth.Number, fourth.State, fourth.Ends = 4, schema.StateArchiving, offsets(0, 0)
		e.Versions = append(e.Versions, third, fourth)
		e.Activation.Ranges = []schema.ActiveRange{ranged(begin, 10, 1, 1), ranged(10, 11, 4, 3), ranged(11, 21, 2, 2), ranged(21, end, 3, 3)}
	}), 1, 2, 3, 4)
	r.fill(schema.ProcessedTopic(1), 0, 1)
	ctx, cancel := context.WithTimeout(t.Context(), archivePatience)
	defer cancel()
	r.o.archiveNarrowed(ctx)
	if got := states(r.newest()); got != "archiving live narrowed archiving" {
		t.Errorf("%s", got)
	}
	r.said("signature version 1, which is seen of the past alone, is not archived: waiting for sink.clickhouse.v1: ", " (replay archive 1 tries again)")
	r.come(schema.SinkGroup(clickhouse.Name, 1), schema.ProcessedTopic(1), 1, 0)
	r.told = nil
	r.o.archiveNarrowed(t.Context())
	if got := states(r.newest()); got != "archived live narrowed archived" || slices.ContainsFunc(r.told, func(text string) bool { return strings.Contains(text, "not archived") }) {
		t.Errorf("%s, told %q", got, r.told)
	}
	r.o.Kafka.Brokers = []string{"127.0.0.1:1"}
	gone, end := context.WithTimeout(t.Context(), pollPause)
	defer end()
	r.o.archiveNarrowed(gone)
	r.said("what is seen of the past alone is not archived yet: ", "")
}
