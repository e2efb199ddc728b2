package replay

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
	"aftershock/sinks"
)

// lacking is a row of a crash for which a symbol source did not answer.
func lacking(n int, version int32, revision int64, outcome string) sinks.Row {
	r := stored(crashID(n, "261122"), version, revision, int64(n), noon, "f", "")
	r.Position.Offset += revision
	r.Processed.Modules = []schema.Module{{Filename: "libok.so", Symbols: "found"}, {Filename: "libslow.so", Symbols: outcome}}
	if schema.TransientSymbols(outcome) {
		r.Processed.Notes = []schema.Note{{Code: schema.NoteSymbolsTransient, Stage: schema.StageSymbols, Index: 1}}
	}
	return r
}

func TestAPromotionIsRefusedWhileSymbolsAreMissingForAWhile(t *testing.T) {
	t.Parallel()
	o := &Operator{DB: openDB(t)}
	moves := []change{{schema.TimeBegin, schema.TimeEnd, 1, 2}}
	refused := func(seen *look, accepted int64) string {
		t.Helper()
		err := o.refuseTransient(t.Context(), moves, seen, accepted)
		if err == nil {
			return ""
		}
		if !errors.Is(err, ErrTransient) {
			t.Fatal(err)
		}
		return err.Error()
	}
	write(t, o.DB,
		lacking(1, 1, 0, "found"), lacking(1, 2, 0, "found"),
		lacking(2, 1, 0, "timeout"), lacking(2, 2, 0, "timeout"), // as before
		lacking(3, 1, 0, "missing"), lacking(3, 2, 0, "missing"),
		lacking(4, 1, 0, "timeout"), lacking(4, 2, 0, "found"),
		lacking(5, 1, 0, "found"), lacking(5, 2, 0, "error"), lacking(5, 2, 9, "found"), // healed
	)
	if got := refused(nil, 0); got != "" {
		t.Error(got)
	}
	write(t, o.DB, lacking(6, 1, 0, "found"), lacking(6, 2, 0, "timeout"), lacking(7, 1, 0, "found"), lacking(7, 2, 3, "error"))
	got := refused(nil, 0)
	for _, want := range []string{"2 in the new version", "--accept-transient 2", "timeout of libslow.so: 1 crashes", "error of libslow.so: 1 crashes"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q: %s", want, got)
		}
	}
	if refused(nil, 1) == "" || refused(nil, 2) != "" {
		t.Error("want a refusal of one more than is accepted")
	}
	// What was looked at before anything was held is not looked at again.
	seen := &look{before: noon.Add(time.Hour), stored: map[int32]map[int32]int64{2: {0: 3000}}}
	if got := refused(seen, 0); got != "" {
		t.Error(got)
	}
	write(t, o.DB, lacking(1003, 1, 0, "found"), lacking(1003, 2, 0, "timeout"))
	if got := refused(seen, 0); !strings.Contains(got, "1 in the new version") {
		t.Errorf("what came since: %q", got)
	}
	if got := refused(&look{before: noon, stored: map[int32]map[int32]int64{2: {0: 9000}}}, 0); !strings.Contains(got, "3 in the new version") {
		t.Errorf("what was received since: %q", got)
	}
}

// A refusal names ten modules, of whichever versions.
func TestARefusalNamesTenModules(t *testing.T) {
	t.Parallel()
	o := &Operator{DB: openDB(t)}
	var moves []change
	for winner := int32(2); winner <= 4; winner++ {
		for n := range 6 {
			row := lacking(n, winner, 0, "timeout")
			row.Processed.Modules[1].Filename = fmt.Sprintf("lib%d%d.so", winner, n)
			write(t, o.DB, row)
		}
		moves = append(moves, change{schema.TimeBegin, schema.TimeEnd, 1, winner})
	}
	err := o.refuseTransient(t.Context(), moves, nil, 17)
	if err == nil || strings.Count(err.Error(), "timeout of lib") != 10 || !strings.Contains(err.Error(), "18 in the new version") || strings.Contains(err.Error(), "lib34.so") || !strings.Contains(err.Error(), "lib33.so: 1 crashes") {
		t.Error(err)
	}
	if err := o.refuseTransient(t.Context(), moves, nil, 18); err != nil {
		t.Error(err)
	}
}

// While everything is held, only crashes are looked at that were not before.
func TestOnlyWhatCameSinceIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	moves := []change{{schema.TimeBegin, schema.TimeEnd, 1, 2}}
	put := func(n int, version int32, offset int64, at time.Time) {
		t.Helper()
		r := stored(crashID(n, at.Format("060102")), version, 0, int64(n), at, "f", "")
		r.Position.Offset = offset
		write(t, db, r)
	}
	count := func(seen *look) int64 {
		t.Helper()
		n, first, err := missing(t.Context(), db, moves, seen, 10)
		if err != nil || n != int64(len(first)) {
			t.Fatal(n, first, err)
		}
		return n
	}
	put(1, 1, 10, noon) // missing, and found so before
	put(2, 1, 11, noon)
	put(2, 2, 5, noon)
	seen := &look{before: noon.Add(time.Minute), stored: map[int32]map[int32]int64{1: {0: 12}, 2: {0: 6}}}
	if n := count(nil); n != 1 {
		t.Errorf("%d in all", n)
	}
	if n := count(seen); n != 0 {
		t.Errorf("%d that were looked at", n)
	}
	put(3, 1, 12, noon)                   // stored since, received long ago
	put(4, 1, 1, noon.Add(2*time.Minute)) // received since
	put(5, 1, 13, noon.Add(24*time.Hour)) // and is there
	put(5, 2, 7, noon.Add(24*time.Hour))  //
	put(6, 1, 14, noon.AddDate(0, -1, 0)) // came late
	if n := count(seen); n != 3 {
		t.Errorf("%d that came since", n)
	}
	until, err := moves[0].until(t.Context(), db)
	if err != nil || !until.Equal(noon.AddDate(0, -1, 0)) {
		t.Errorf("both have everything until %s, %v", until, err)
	}
	whole := change{noon.Add(time.Hour), schema.TimeEnd, 1, 2}
	if until, err := whole.until(t.Context(), db); err != nil || !until.Equal(schema.TimeEnd) {
		t.Errorf("both have everything until %s, %v", until, err)
	}
}
