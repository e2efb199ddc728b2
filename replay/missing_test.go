package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
)

// Days come first: what stands before the day in an id is chance.
func TestDaysOfCrashIDs(t *testing.T) {
	for id, want := range map[string]string{"00000001-0000-4000-8000-00000f261122": "261122", "abc": "abc", "": "", "1234567": "234567"} {
		if got := dayDigits(MissingCrash{CrashID: id}); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

func TestMissingAreTheCrashesThatWouldVanish(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	cut := noon.Add(time.Hour)
	p := Promotion{
		From: noon, To: noon.Add(48 * time.Hour), Version: 3,
		Before: []schema.ActiveRange{
			{From: schema.TimeBegin, To: cut, SignatureVersion: 1},
			{From: cut, To: noon.Add(24 * time.Hour), SignatureVersion: 2},
			{From: noon.Add(24 * time.Hour), To: schema.TimeEnd, SignatureVersion: 3},
		},
	}
	put := func(n int, version int32, revision int64, at time.Time) {
		t.Helper()
		write(t, db, stored(crashID(n, at.Format("060102")), version, revision, int64(n), at, "f", ""))
	}
	put(1, 1, 0, noon)                      // missing
	put(2, 1, 0, noon)                      // both
	put(2, 3, 0, noon)                      //
	put(3, 1, 0, noon.Add(-time.Second))    // before the range
	put(4, 1, 0, cut)                       // not seen: 2 is
	put(5, 2, 0, cut)                       // missing
	put(5, 2, 7, cut)                       // its newest revision: once
	put(6, 2, 0, cut.Add(-time.Second))     // not seen: 1 is
	put(7, 2, 0, noon.Add(13*time.Hour))    // missing, of the next day
	put(8, 3, 0, noon.Add(30*time.Hour))    // seen in 3 already
	put(9, 2, 0, noon.Add(24*time.Hour))    // not seen
	put(10, 1, 0, noon.Add(59*time.Minute)) // only in an older version
	put(10, 2, 0, noon.Add(59*time.Minute)) // missing
	// The first raw record is the crash: what was received in the range is not seen.
	write(t, db, stored(crashID(11, "261122"), 1, 0, 11, noon.Add(-time.Minute), "f", ""))
	write(t, db, stored(crashID(11, "261122"), 1, 0, 99, noon.Add(time.Minute), "f", ""))
	ids := func(limit int) (int64, []string) {
		t.Helper()
		n, first, err := Missing(t.Context(), db, p, limit)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, m := range first {
			out = append(out, fmt.Sprintf("%s v%d %s/%d/%d", m.CrashID, m.Version, m.Raw.Topic, m.Raw.Partition, m.Raw.Offset))
		}
		return n, out
	}
	want := []string{
		crashID(1, "261122") + " v1 crash.raw/0/1", crashID(5, "261122") + " v2 crash.raw/0/5",
		crashID(10, "261122") + " v1 crash.raw/0/10", crashID(7, "261123") + " v2 crash.raw/0/7",
	}
	for _, limit := range []int{0, 1, 3, 4, MaxMissing} {
		if n, got := ids(limit); n != 4 || !slices.Equal(got, want[:min(limit, 4)]) {
			t.Errorf("limit %d: %d, %q", limit, n, got)
		}
	}
	for _, n := range []int{1, 5, 10} {
		put(n, 3, 0, noon) // received_at does not matter for what is there
	}
	write(t, db, stored(crashID(7, "261123"), 3, 0, 7, noon.Add(13*time.Hour), "f", ""))
	if n, got := ids(10); n != 0 || len(got) != 0 {
		t.Errorf("%d, %q", n, got)
	}
	if n, first, err := missing(t.Context(), db, []change{{noon, noon.Add(time.Hour), 0, 3}}, nil, 10); n != 0 || len(first) > 0 || err != nil {
		t.Errorf("where nothing is seen nothing is missing: %d, %v", n, err)
	}
	if _, _, err := Missing(t.Context(), db, p, MaxMissing+1); err == nil || !strings.Contains(err.Error(), "want 0 to") {
		t.Errorf("%v", err)
	}
}
