package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// renaming stores what promotions made of signatures, by epoch: "old>new", with a ? behind where it is
// not most of the crashes. Of an epoch those that come first have more crashes.
func renaming(t *testing.T, db *clickhouse.DB, epochs map[int64][]string) {
	t.Helper()
	last := int64(0)
	for epoch, steps := range epochs {
		rows := newLineageRows(epoch, noon)
		for i, step := range steps {
			old, name, _ := strings.Cut(strings.TrimSuffix(step, "?"), ">")
			rows.rows = append(rows.rows, Descent{1, 2, old, name, int64(1000 + len(steps) - i), !strings.HasSuffix(step, "?"), noon})
		}
		if err := rows.store(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		last = max(last, epoch)
	}
	if err := db.Activate(t.Context(), schema.Activation{Epoch: last}); err != nil {
		t.Fatal(err)
	}
}

// Names are followed by what most crashes did, from promotion to promotion, of many at once.
func TestNamesAreFollowed(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	renaming(t, db, map[int64][]string{
		2: {"a>b", "x>y", "m>n", "n>o", "p>q?", "p>p"},
		3: {"b>c", "b>d?", "c>c", "y>x"},
		4: {"z>c", "e>c", "o>w"},
	})
	signatures := []string{"a", "b", "c", "d", "x", "y", "n", "o", "w", "q", "none"}
	before, err := Ancestors(t.Context(), db, clickhouse.Limits{}, signatures)
	if err != nil {
		t.Fatal(err)
	}
	// What one promotion made of m and of n is not one way: o's crashes were n's, and n's now are m's.
	want := map[string][]string{"b": {"a"}, "c": {"z", "e", "b", "a"}, "x": {"y"}, "y": {"x"}, "n": {"m"}, "o": {"n"}, "w": {"o", "n"}}
	if d := cmp.Diff(want, before); d != "" {
		t.Errorf("before (-want +got)\n%s", d)
	}
	after, err := Heirs(t.Context(), db, clickhouse.Limits{}, append(signatures, "m", "z"))
	if err != nil {
		t.Fatal(err)
	}
	want = map[string][]string{"a": {"b", "c"}, "b": {"c"}, "x": {"y"}, "y": {"x"}, "n": {"o", "w"}, "o": {"w"}, "m": {"n"}, "z": {"c"}}
	if d := cmp.Diff(want, after); d != "" {
		t.Errorf("after (-want +got)\n%s", d)
	}
}

// A signature is followed to as many names as may be, those of the most crashes, and many are asked for
// in several parts.
func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	var steps, many []string
	for n := range maxNames + 1 {
		steps = append(steps, fmt.Sprintf("old %03d>one more", n))
		if n < maxNames {
			steps = append(steps, fmt.Sprintf("of %03d>whole", n))
		}
	}
	for n := range maxNamesTogether / 4 {
		name := fmt.Sprintf("%s %04d", strings.Repeat("x", 100), n)
		many = append(many, name)
		for before := range 5 {
			steps = append(steps, fmt.Sprint(before, " ", n, ">", name))
		}
	}
	renaming(t, db, map[int64][]string{2: steps})
	for signature, last := range map[string]string{"one more": "old 099", "whole": "of 099"} {
		names, err := Ancestors(t.Context(), db, clickhouse.Limits{}, []string{signature})
		if of := names[signature]; err != nil || len(of) != maxNames || of[maxNames-1] != last || !slices.IsSorted(of) {
			t.Errorf("%s: %d names, %v", signature, len(of), err)
		}
	}
	names, err := Ancestors(t.Context(), db, clickhouse.Limits{}, many)
	if err != nil || len(names) != len(many) {
		t.Fatalf("%d of %d, %v", len(names), len(many), err)
	}
	for n, name := range many {
		if want := []string{fmt.Sprint("0 ", n), fmt.Sprint("1 ", n), fmt.Sprint("2 ", n), fmt.Sprint("3 ", n)}; !slices.Equal(names[name], want) {
			t.Fatalf("%q, want %q", names[name], want)
		}
	}
}
