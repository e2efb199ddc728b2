package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream/streamtest"
)

// beside is the announced version, and a second one from raw crashes beside it.
func beside(t *testing.T) *schema.VersionEvent {
	t.Helper()
	return with(announced(t), func(e *schema.VersionEvent) {
		v := e.Versions[0]
		rules := rulesOf(t, "abort\nhelper\n")
		v.Number, v.Share, v.RulesetHash, v.Ruleset, v.Begins, v.BaseRequests = 2, 0.5, rules.Hash(), files(rules), offsets(1, 1), offsets(0, 1)
		e.Versions = append(e.Versions, v)
	})
}

func TestAReplayIsSteered(t *testing.T) {
	t.Parallel()
	r := rest(t, beside(t))
	for _, step := range []struct {
		do        func(context.Context, int32) error
		operation string
		paused    bool
		share     float64
	}{
		{r.o.Pause, schema.OpPause, true, 0.5},
		{func(ctx context.Context, n int32) error { return r.o.SetShare(ctx, n, 0.125) }, schema.OpSet, true, 0.125},
		{r.o.Resume, schema.OpResume, false, 0.125},
	} {
		before := r.newest()
		if err := step.do(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		e := r.operated(step.operation, 2)
		want := with(before, func(want *schema.VersionEvent) {
			want.Operation, want.Subject, want.Who, want.Why, want.At = step.operation, 2, "ada", "a test", e.At
			want.Versions[1].Paused, want.Versions[1].Share = step.paused, step.share
		})
		if d := cmp.Diff(want, e); d != "" {
			t.Errorf("%s (-want +got)\n%s", step.operation, d)
		}
	}
	r.refuses(func() error { return r.o.Pause(t.Context(), 3) }, "there is no signature version 3")
}

// A version that is retired stops where its groups are, and goes on from there.
func TestARetiredVersionGoesOnFromWhereItStopped(t *testing.T) {
	t.Parallel()
	r := rest(t, beside(t), 1, 2)
	r.raw(0, 1, 2, 3, 4)
	r.raw(1, 1, 2)
	r.fill(schema.TopicReprocess, 0, 2)
	r.come(schema.ProcessGroup(2), schema.TopicRaw, 3, -1) // of the second partition nothing is committed: it is where it began
	r.come(schema.ReprocessGroup(2), schema.TopicReprocess, 2, -1)
	before := r.newest()
	if err := r.o.Retire(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if got := r.events(2); got != "halt 2, retire 2" {
		t.Errorf("%s", got)
	}
	e := r.operated(schema.OpRetire, 2)
	want := with(before, func(want *schema.VersionEvent) {
		v := want.Version(2)
		v.State, v.Ends, v.RequestEnds = schema.StateEnded, offsets(3, 1), offsets(2, 1)
	})
	if d := differs(want.Versions, e.Versions); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if err := r.o.Retire(t.Context(), 2); err == nil || err.Error() != "signature version 2 is ended" {
		t.Errorf("retired again: %v", err)
	}

	// Its groups are lost, and one partition has forgotten what lies there.
	if _, err := r.admin.DeleteGroups(t.Context(), schema.ProcessGroup(2), schema.ReprocessGroup(2)); err != nil {
		t.Fatal(err)
	}
	streamtest.DeleteBefore(t, r.k, schema.TopicRaw, 1, 2)
	if err := r.o.Reopen(t.Context(), 2, 0.25); err != nil {
		t.Fatal(err)
	}
	if got := r.events(2); got != "retire 2, reopen 2" {
		t.Errorf("%s", got)
	}
	e = r.operated(schema.OpReopen, 2)
	want.Version(2).State, want.Version(2).Ends, want.Version(2).RequestEnds, want.Version(2).Share = schema.StateLive, nil, nil, 0.25
	if d := differs(want.Versions, e.Versions); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if d := cmp.Diff(offsets(3, 2), r.at(schema.ProcessGroup(2), schema.TopicRaw)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(offsets(2, 1), r.at(schema.ReprocessGroup(2), schema.TopicReprocess)); d != "" {
		t.Error(d)
	}
	if want := []string{"crash.raw partition 1 has forgotten offsets 1 to 1: it goes on behind them"}; !slices.Equal(r.heard(), want) {
		t.Errorf("told %q, want %q", r.told, want)
	}
	r.refuses(func() error { return r.o.Retire(t.Context(), 1) }, "signature version 1 is what is seen of crashes that come now: promote another one first")
	r.refuses(func() error { return r.o.Reopen(t.Context(), 3, 1) }, "there is no signature version 3")
	empty := rest(t, nil)
	if err := empty.o.Retire(t.Context(), 1); err == nil || !strings.HasPrefix(err.Error(), "crash.versions is empty") {
		t.Error(err)
	}
}

// A version that is live is reopened from its own commits, wherever they are.
func TestALiveVersionIsReopenedWhereItIs(t *testing.T) {
	t.Parallel()
	r := rest(t, beside(t), 2)
	r.raw(0, 1, 2)
	r.come(schema.ProcessGroup(2), schema.TopicRaw, 2, 0)
	if err := r.o.Reopen(t.Context(), 2, 1); err != nil {
		t.Fatal(err)
	}
	if got := r.events(2); got != "halt 2, reopen 2" {
		t.Errorf("%s", got)
	}
	if v := r.operated(schema.OpReopen, 2).Version(2); v.State != schema.StateLive || v.Share != 1 {
		t.Errorf("%+v", v)
	}
	if d := cmp.Diff(offsets(2, 0), r.at(schema.ProcessGroup(2), schema.TopicRaw)); d != "" || slices.Contains(r.groups(), schema.ReprocessGroup(2)) {
		t.Errorf("its groups were moved: %s", d)
	}
}

// What a version has made is stored before it is retired, if anybody stores it.
func TestARetiredVersionIsStored(t *testing.T) {
	t.Parallel()
	r := rest(t, beside(t), 2)
	r.fill(schema.ProcessedTopic(2), 1, 2)
	r.come(schema.SinkGroup(clickhouse.Name, 2), schema.ProcessedTopic(2), 0, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := r.o.Retire(ctx, 2)
	if !waited(err, "sink.clickhouse.v2", "1 records of crash.processed.v2 behind", "context deadline exceeded") || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if e := r.operated(schema.OpHalt, 2); e.Version(2).State != schema.StateHeld {
		t.Errorf("%+v", e.Version(2))
	}
	r.come(schema.SinkGroup(clickhouse.Name, 2), schema.ProcessedTopic(2), 0, 2)
	if err := r.o.Retire(t.Context(), 2); err != nil { // it goes on
		t.Fatal(err)
	}
	if e := r.operated(schema.OpRetire, 2); e.Version(2).State != schema.StateEnded {
		t.Errorf("%+v", e.Version(2))
	}
}

// Who is refused by the brokers in the middle does the rest with the same command.
func TestRetiringAndReopeningGoOn(t *testing.T) {
	t.Parallel()
	r := rest(t, beside(t), 1, 2)
	r.raw(0, 1, 2, 3)
	r.fill(schema.TopicReprocess, 0, 1)
	r.fill(schema.ProcessedTopic(2), 0, 1)
	r.come(schema.ProcessGroup(2), schema.TopicRaw, 2, 0)
	r.come(schema.ReprocessGroup(2), schema.TopicReprocess, 1, 0)
	r.come(schema.SinkGroup(clickhouse.Name, 2), schema.ProcessedTopic(2), 1, 0)
	is := func(state string, ends []schema.PartitionOffset) func() error {
		before := r.newest()
		return func() error {
			if v := r.newest().Version(2); v.State != state || !slices.Equal(v.Ends, ends) {
				return fmt.Errorf("%w: %s, %v", errNotWhole, v.State, v.Ends)
			}
			r.back(before)
			return nil
		}
	}
	r.refusedEach(func(ctx context.Context) error { return r.o.Retire(ctx, 2) }, is(schema.StateEnded, offsets(2, 0)))
	if err := r.o.Retire(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	r.come(schema.ProcessGroup(2), schema.TopicRaw, 0, 0)
	r.refusedEach(func(ctx context.Context) error { return r.o.Reopen(ctx, 2, 1) }, is(schema.StateLive, nil))
	if d := cmp.Diff(offsets(2, 0), r.at(schema.ProcessGroup(2), schema.TopicRaw)); d != "" {
		t.Error(d)
	}
	if err := r.o.Reopen(t.Context(), 2, 1); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(context.Context) error{
		"pause": func(ctx context.Context) error { return r.o.Pause(ctx, 2) },
		"abort": func(ctx context.Context) error {
			if err := r.o.Abort(ctx, 2); err == nil || err.Error() != "no promotion is under way" {
				return err
			}
			return nil
		},
	} {
		r.refusedEach(do, func() error {
			if name == "pause" && !r.newest().Version(2).Paused {
				return errNotWhole
			}
			return nil
		})
	}
}
