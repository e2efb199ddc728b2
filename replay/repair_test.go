package replay

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/stream"
)

// A repair lets groups go on behind what is gone, and the log says for ever what that was.
func TestARepairIsWrittenIntoTheLog(t *testing.T) {
	t.Parallel()
	r := rest(t, announced(t))
	r.raw(0, 1, 2, 3)
	before := r.newest()
	if err := r.o.Repair(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, r.newest()); d != "" {
		t.Errorf("nothing was gone, and yet:\n%s", d)
	}
	gone := []stream.Gone{
		{Group: "process.v1", Topic: schema.TopicRaw, Partition: 0, Committed: 1, From: 2, End: 3},
		{Group: "process.v1", Topic: schema.TopicRaw, Partition: 1, Committed: 7, From: 0, End: 0},
	}
	if err := r.o.Repair(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	e := r.newest()
	want := with(before, func(want *schema.VersionEvent) {
		want.Operation, want.Subject, want.Who, want.At = schema.OpRepair, 0, "ada", e.At
		want.Why = "a test; group process.v1: 1 records of crash.raw partition 0 are gone unread, offsets 1 to 1" +
			"; group process.v1 has come to offset 7 of crash.raw partition 1, which ends at 0: the topic was made anew"
	})
	if d := cmp.Diff(want, e); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if d := cmp.Diff(offsets(2, 0), r.at("process.v1", schema.TopicRaw)); d != "" {
		t.Error(d)
	}
	if err := rest(t, nil).o.Repair(t.Context(), gone); err == nil || err.Error() != "crash.versions is empty: topics create announces the first signature version" {
		t.Error(err)
	}
}

// Of many partitions the first hundred are named, and all go on.
func TestARepairNamesSoMany(t *testing.T) {
	t.Parallel()
	r := rest(t, announced(t))
	var gone []stream.Gone
	for n := range maxNamedGone + 1 {
		gone = append(gone, stream.Gone{Group: fmt.Sprintf("group.%d", n), Topic: schema.TopicRaw, From: 1, End: 1})
	}
	r.refusedEach(func(ctx context.Context) error { return r.o.Repair(ctx, gone[:3]) }, func() error {
		if r.newest().Operation != schema.OpRepair {
			return errNotWhole
		}
		return nil
	})
	if err := r.o.Repair(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(r.newest().Why, "; group "); n != 100 || !strings.Contains(r.newest().Why, "group.99:") {
		t.Errorf("%d are named: %s", n, r.newest().Why)
	}
	if d := cmp.Diff(offsets(1), r.at(fmt.Sprintf("group.%d", maxNamedGone), schema.TopicRaw)); d != "" {
		t.Error(d)
	}
}
