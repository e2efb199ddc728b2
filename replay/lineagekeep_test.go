package replay

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// flips is a log of promotions to and fro between versions 1 and 2, from epoch 2 on.
func (r *resting) flips(n int64) {
	r.t.Helper()
	for epoch := int64(2); epoch < 2+n; epoch++ {
		r.state(with(r.newest(), func(e *schema.VersionEvent) {
			e.At, e.Activation = r.now(), schema.Activation{Epoch: epoch, Ranges: []schema.ActiveRange{ranged(begin, end, int32(1+(epoch+1)%2), epoch)}}
		}))
	}
}

// What promotions made of signatures is made up for, the last ones first, and where a version
// is gone it no longer can be.
func TestLineagesOfThePastAreMadeUpFor(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(*schema.VersionEvent) {})
	r.stores(1, "f", 1, 2)
	r.stores(2, "g", 1, 2)
	r.flips(7)
	r.state(with(r.newest(), func(e *schema.VersionEvent) { e.At = r.now() })) // changes nothing of what is seen
	kept := func() []string {
		return asked(t, r.o.DB, "SELECT toString(epoch) FROM aftershock.signature_lineage WHERE complete = 1 ORDER BY epoch")
	}
	todo, err := r.o.withoutLineage(t.Context())
	if err != nil || len(todo) != 7 || todo[0].epoch != 2 || !slices.Equal(todo[0].moves, []change{{at(begin), at(end), 1, 2}}) || !slices.Equal(todo[1].moves, []change{{at(begin), at(end), 2, 1}}) {
		t.Errorf("%+v, %v", todo, err)
	}
	r.o.keepLineage(t.Context())
	if got := kept(); !slices.Equal(got, []string{"4", "5", "6", "7", "8"}) {
		t.Errorf("%q", got)
	}
	r.o.keepLineage(t.Context())
	if got := kept(); !slices.Equal(got, []string{"2", "3", "4", "5", "6", "7", "8"}) {
		t.Errorf("%q", got)
	}
	r.flips(9) // epochs 9 and 10 are new
	r.state(with(r.newest(), func(e *schema.VersionEvent) { e.At, e.Versions[0].State = r.now(), schema.StateDropping }))
	if todo, err = r.o.withoutLineage(t.Context()); err != nil || len(todo) != 0 {
		t.Errorf("%+v, %v", todo, err)
	}
	if len(r.heard()) > 0 {
		t.Errorf("told %q", r.told)
	}
}

// Where a lineage cannot be kept, that is told: the next promotion does it.
func TestALineageIsKeptOrItIsTold(t *testing.T) {
	t.Parallel()
	db, queries := refusing(t)
	r := promotable(t, db, func(*schema.VersionEvent) {})
	r.stores(1, "f", 1, 2)
	r.stores(2, "g", 1, 2)
	r.flips(2)
	const told = "what became of signatures is not kept yet, the next promotion does it: "
	keep := func(ctx context.Context) error {
		r.told = nil
		r.o.keepLineage(ctx)
		if len(r.told) == 0 {
			return nil
		}
		if !strings.HasPrefix(r.told[0], told) || len(r.told) > 1 {
			t.Errorf("told %q", r.told)
		}
		return errNotWhole
	}
	whole := func() error {
		if todo, err := r.o.withoutLineage(t.Context()); err != nil || len(todo) > 0 {
			return fmt.Errorf("%w: %+v, %w", errNotWhole, todo, err)
		}
		return nil
	}
	queries.refusedEach(t, keep, whole)
	r.state(with(r.newest(), func(e *schema.VersionEvent) {
		e.At, e.Activation = r.now(), schema.Activation{Epoch: 4, Ranges: []schema.ActiveRange{ranged(begin, end, 2, 4)}}
	}))
	r.refusedEach(keep, whole)
	lines := asked(t, db, "SELECT concat(toString(epoch), ': ', toString(from_version), old_signature, ' > ', toString(to_version), new_signature, ' ', toString(crashes), toString(majority)) FROM aftershock.signature_lineage FINAL WHERE complete = 0 ORDER BY epoch, batch")
	if want := []string{"2: 1f > 2g 21", "3: 2g > 1f 21", "4: 1f > 2g 21"}; !slices.Equal(slices.Compact(lines), want) {
		t.Errorf("%q, want %q", lines, want)
	}
}

// A part of time that nothing showed has no lineage.
func TestWhatWasNotSeenBecomesNothing(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	write(t, db, stored(crashID(1, "261122"), 1, 0, 1, noon, "f", ""), stored(crashID(1, "261122"), 2, 0, 1, noon, "g", ""))
	for epoch, c := range map[int64]change{2: {at(begin), at(end), 0, 2}, 3: {at(begin), at(end), 1, 0}, 4: {at(begin), at(end), 1, 2}} {
		if err := storeLineage(t.Context(), db, epoch, []change{c}); err != nil {
			t.Fatal(err)
		}
	}
	if got := asked(t, db, "SELECT concat(toString(epoch), toString(complete)) FROM aftershock.signature_lineage ORDER BY epoch, complete"); !slices.Equal(got, []string{"21", "31", "40", "41"}) {
		t.Errorf("%q", got)
	}
	if got := asked(t, db, "SELECT concat(old_signature, toString(first_seen)) FROM aftershock.signature_lineage WHERE epoch = 4 ORDER BY complete"); !slices.Equal(got, []string{"f2026-11-22 12:00:00.000", "1970-01-01 00:00:00.000"}) {
		t.Errorf("%q", got)
	}
}

func TestALineageIsToldInWords(t *testing.T) {
	t.Parallel()
	step := func(epoch int64, from, to int32, old, becomes string, majority bool) Step {
		return Step{Epoch: epoch, FromVersion: from, ToVersion: to, Old: old, New: becomes, Crashes: 12, Share: 0.25, Majority: majority}
	}
	for name, tc := range map[string]struct {
		of   Lineage
		want string
	}{
		"nobody knows it": {Lineage{Signature: "f"}, "\"f\"\nno crash has this signature, and no promotion knows it\n"},
		"nothing changed it": {
			Lineage{Signature: "f", FirstSeen: new(noon.Add(time.Hour).In(time.FixedZone("", 3600)))},
			"\"f\"\nfirst seen 2026-11-22T13:00:00Z, with what it came from\ncame from: no promotion changed it\nbecame: no promotion changed it\n",
		},
		"much did": {
			Lineage{
				Signature: "f", FirstSeen: new(noon), Cut: true,
				CameFrom: []Step{step(3, 1, 2, "a", "f", true), step(3, 1, 2, "b", "f", false), step(3, 4, 2, "c", "f", false), step(3, 4, 5, "c", "f", false), step(2, 4, 5, "d", "c", false)},
				Became:   []Step{step(4, 2, 3, "f", "g", false)},
			},
			`"f"
first seen 2026-11-22T12:00:00Z, with what it came from
came from:
  epoch 3, signature version 1 to 2
       12    25 % of "a" → "f" (most of it)
       12    25 % of "b" → "f"
  epoch 3, signature version 4 to 2
       12    25 % of "c" → "f"
  epoch 3, signature version 4 to 5
       12    25 % of "c" → "f"
  epoch 2, signature version 4 to 5
       12    25 % of "d" → "c"
became:
  epoch 4, signature version 2 to 3
       12    25 % of "f" → "g"
and more, which are not followed
`,
		},
	} {
		var out bytes.Buffer
		if err := tc.of.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tc.want, out.String()); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
		if err := tc.of.WriteText(full{}); err == nil {
			t.Errorf("%s: nobody was told that the disk is full", name)
		}
	}
	var out bytes.Buffer
	if err := (&Lineage{Signature: "<f>", CameFrom: []Step{}, Became: []Step{}}).WriteJSON(&out); err != nil || out.String() != `{"signature":"<f>","first_seen":null,"came_from":[],"became":[],"cut":false}`+"\n" {
		t.Errorf("%s, %v", &out, err)
	}
	if err := (&Lineage{}).WriteJSON(full{}); err == nil {
		t.Error("nobody was told that the disk is full")
	}
}

// Of more steps than are kept the first ones are, and that there are more is said; one as
// many as may be is whole.
func TestAWalkIsCutWhereItIsTooLong(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	if err := db.Activate(t.Context(), schema.Activation{Epoch: 9}); err != nil {
		t.Fatal(err)
	}
	rows := newLineageRows(5, noon)
	for n := range maxSteps {
		rows.rows = append(rows.rows, Descent{1, 2, "old", fmt.Sprint(n), int64(maxSteps - n), n == 0, noon})
	}
	if err := rows.store(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	follow := func() ([]Step, []string, bool) {
		w := walk{db: db}
		steps, all, err := w.follow(t.Context(), []int64{5, 9}, "old", forwards)
		if err != nil {
			t.Fatal(err)
		}
		return steps, all, w.cut
	}
	steps, all, _ := follow()
	if len(steps) != 2000 || len(all) != 100 || steps[0].New != "0" || steps[1999].New != "1999" || steps[0].Crashes != 2000 {
		t.Errorf("%d steps, %d names", len(steps), len(all))
	}
	more := newLineageRows(5, noon.Add(time.Second))
	more.rows = slices.Concat(rows.rows, []Descent{{1, 2, "old", "one more", 5000, false, noon}})
	if err := more.store(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	steps, _, cut := follow()
	if len(steps) != 2000 || !cut || steps[0].New != "one more" || steps[0].Majority || !steps[1].Majority || steps[1999].New != "1998" {
		t.Errorf("%d steps, cut: %v, %+v", len(steps), cut, steps[0])
	}
	l, err := FindLineage(t.Context(), db, clickhouse.Limits{}, "old")
	if err != nil || !l.Cut || len(l.Became) != 2000 || !l.FirstSeen.Equal(noon) {
		t.Errorf("%v, %v", l.Cut, err)
	}
}
