package replay

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// Of a dropped version nothing is left but its number: no rows, no topic, no groups. Others
// keep theirs.
func TestADroppedVersionLeavesNothing(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	r := rest(t, with(beside(t), func(e *schema.VersionEvent) {
		v := e.Versions[1]
		v.Number, v.Base, v.BaseEnds = 3, 2, offsets(2, 0)
		e.Versions = append(e.Versions, v)
	}), 1, 2, 3)
	r.o.DB = db
	r.fill(schema.ProcessedTopic(2), 0, 2)
	kept := []string{schema.ProcessGroup(1), schema.ResignGroup(3), schema.TelemetryGroup(1, 1), schema.TelemetryGroup(20, 1), schema.SinkGroup(clickhouse.Name, 1)}
	for _, group := range slices.Concat(kept, processing(2), []string{schema.SinkGroup(clickhouse.Name, 2), schema.TelemetryGroup(2, 1), schema.TelemetryGroup(2, 17)}) {
		r.come(group, schema.ProcessedTopic(2), 1, 0)
	}
	for n := range 4 {
		write(t, db, stored(crashID(n, "261122"), 1, 0, int64(n), noon, "a", ""), stored(crashID(n, "261122"), 2, 0, int64(n), noon, "b", ""))
	}
	r.refuses(func() error { return r.o.Drop(t.Context(), 2) }, "signature version 3 is still being made from version 2: wait, or drop it first")
	r.refuses(func() error { return r.o.Drop(t.Context(), 1) }, "signature version 1 is seen for some crashes: promote another one for them first")
	r.refuses(func() error { return r.o.Drop(t.Context(), 9) }, "there is no signature version 9")
	r.come(schema.ResignGroup(3), schema.ProcessedTopic(2), 2, 0)
	before := r.newest()
	gone := false
	r.refusedEach(func(ctx context.Context) error {
		if gone {
			return nil
		}
		return r.o.Drop(ctx, 2)
	}, func() error {
		gone = true
		if e := r.newest(); e.Operation != schema.OpDropped || r.c.TopicInfo(schema.ProcessedTopic(2)) != nil {
			return fmt.Errorf("%w: %s, its topic: %+v", errNotWhole, e.Operation, r.c.TopicInfo(schema.ProcessedTopic(2)))
		}
		return nil
	})
	want := with(before, func(e *schema.VersionEvent) {
		v := e.Version(2)
		v.State, v.Begins, v.BaseRequests = schema.StateDropped, nil, nil
	})
	if d := differs(want.Versions, r.operated(schema.OpDropped, 2).Versions); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	slices.Sort(kept)
	left := r.groups()
	if slices.Sort(left); !slices.Equal(left, kept) {
		t.Errorf("groups %q, want %q", left, kept)
	}
	if got := asked(t, db, "SELECT toString(signature_version) FROM aftershock.crash_rows"); !slices.Equal(got, []string{"1", "1", "1", "1"}) {
		t.Errorf("rows of versions %q", got)
	}
	if r.c.TopicInfo(schema.ProcessedTopic(1)) == nil || r.c.TopicInfo(schema.ProcessedTopic(3)) == nil {
		t.Error("another version's topic is gone")
	}
	r.refuses(func() error { return r.o.Drop(t.Context(), 2) }, "signature version 2 is dropped")
	// What was made of it lives on without it.
	if s, err := r.o.Look(t.Context()); err != nil || len(s.Versions) != 2 || s.version(3).Base != 2 || s.version(3).Resign != nil || len(s.version(3).Raw) != 2 {
		t.Errorf("%+v, %v", s, err)
	}

	// Without tables it is not begun to be forgotten.
	db.Close()
	if err := r.o.Drop(t.Context(), 3); err == nil || r.newest().Version(3).State != schema.StateDropping || r.c.TopicInfo(schema.ProcessedTopic(3)) == nil {
		t.Errorf("%v, it is %s", err, r.newest().Version(3).State)
	}
}

func TestWhatIsMadeOfAVersion(t *testing.T) {
	t.Parallel()
	r := rest(t, nil, 2)
	g := groupsOn(t, r.k)
	r.fill(schema.ProcessedTopic(2), 0, 2)
	r.come(schema.ResignGroup(4), schema.ProcessedTopic(2), 1, 0)
	r.come(schema.ResignGroup(5), schema.ProcessedTopic(2), 2, 0)
	of := func(number, base int32, state string) schema.SignatureVersion {
		return schema.SignatureVersion{Number: number, Base: base, State: state, BaseEnds: offsets(2, 0)}
	}
	got, err := r.o.making(t.Context(), g, &schema.VersionEvent{Versions: []schema.SignatureVersion{
		of(1, 0, schema.StateLive), of(2, 0, schema.StateLive), of(3, 1, schema.StateLive), of(4, 2, schema.StateLive), of(5, 2, schema.StateLive),
		of(6, 2, schema.StateDropping), of(7, 2, schema.StateDropped), of(8, 2, schema.StateEnded),
	}}, 2)
	if d := cmp.Diff(map[int32]bool{4: true, 5: false, 8: true}, got); err != nil || d != "" {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
	if none, err := r.o.making(t.Context(), g, nil, 2); err != nil || len(none) != 0 {
		t.Errorf("of an empty log: %v, %v", none, err)
	}
}
