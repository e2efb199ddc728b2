package clickhouse_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

// lackingRow is a crash of a version with one module.
func lackingRow(n int, version int32, revision int64, signature string, m schema.Module) sinks.Row {
	r := row(id(n, "261122"), version, revision, int64(n), noon, signature)
	r.Processed.Modules = []schema.Module{{Filename: "libc.so.6", DebugFile: "libc.so.6", DebugID: "FF1", Symbols: "missing"}, m}
	return r
}

func app(outcome, sha256 string) schema.Module {
	return schema.Module{Filename: "app", DebugFile: "app", DebugID: "AAbb1", Symbols: outcome, SymbolsSHA256: sha256}
}

func lacking(t *testing.T, db *clickhouse.DB, a clickhouse.Arrived) (found []clickhouse.Lacking) {
	t.Helper()
	for _, p := range clickhouse.Populations {
		err := db.EachLacking(t.Context(), p, noon.Truncate(24*time.Hour), a, func(l clickhouse.Lacking) error {
			found = append(found, l)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(found, func(a, b clickhouse.Lacking) int {
		return strings.Compare(a.CrashID+fmt.Sprint(a.Version), b.CrashID+fmt.Sprint(b.Version))
	})
	return found
}

// Which outcomes lack what has come, by what is known of it.
func TestWhatLacksSymbolsThatHaveCome(t *testing.T) {
	db, _ := open(t)
	rows := []sinks.Row{
		lackingRow(1, 1, 0, "a", app("missing", "")), lackingRow(2, 1, 0, "a", app("timeout", "")), lackingRow(3, 1, 0, "a", app("found", "old")),
		lackingRow(4, 1, 0, "a", app("found_lossy", "lossy")), lackingRow(5, 1, 0, "a", app("unused", "")), lackingRow(6, 1, 0, "a", app("malformed", "")),
		lackingRow(7, 1, 0, "a", app("found", "new")), lackingRow(8, 2, 0, "b", app("missing", "")), lackingRow(1, 2, 0, "b", app("found", "new")),
		lackingRow(9, 1, 0, "a", app("missing", "")), lackingRow(9, 1, 3, "f", app("found", "new")), // healed
	}
	ping := lackingRow(10, 1, 0, "a", app("denied", ""))
	ping.Processed.Kind = schema.KindPing
	if err := db.Write(t.Context(), append(rows, ping)); err != nil {
		t.Fatal(err)
	}
	event := func(sha256 string, worse bool) schema.SymbolsEvent {
		return schema.SymbolsEvent{DebugFile: "app", DebugID: "aaBB1", SHA256: sha256, Worse: worse}
	}
	other := schema.SymbolsEvent{DebugFile: "other", DebugID: "FF1", SHA256: "new"} // the id is another file's
	for name, tc := range map[string]struct {
		events   []schema.SymbolsEvent
		versions []int32
		want     string
	}{
		"another text":    {[]schema.SymbolsEvent{other, event("new", false)}, []int32{1}, "1 2 3 4 6 10"},
		"a worse one":     {[]schema.SymbolsEvent{event("new", true)}, []int32{1}, "1 2 6 10"},
		"nobody read it":  {[]schema.SymbolsEvent{event("", false)}, []int32{1}, "1 2 4 6 10"},
		"two versions":    {[]schema.SymbolsEvent{event("new", false)}, []int32{1, 2}, "1 2 3 4 6 8 10"},
		"no version":      {[]schema.SymbolsEvent{event("new", false)}, nil, ""},
		"another version": {[]schema.SymbolsEvent{event("new", false)}, []int32{3}, ""},
		"another module":  {[]schema.SymbolsEvent{other}, []int32{1, 2}, ""},
		"no event":        {nil, []int32{1}, ""},
	} {
		var got []string
		for _, l := range lacking(t, db, clickhouse.Arrived{Events: tc.events, Upto: 5, Versions: tc.versions}) {
			var n int
			fmt.Sscanf(l.CrashID, "%x", &n) //nolint:errcheck // what is no number is none of the wanted
			if l.Raw != (schema.Position{Topic: schema.TopicRaw, Offset: int64(n)}) || !slices.Equal(l.Modules, []string{"app/AABB1"}) {
				t.Errorf("%s: %+v", name, l)
			}
			got = append(got, fmt.Sprint(n))
		}
		if got := strings.Join(got, " "); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// What was asked for is not asked for again in the same pass, and what became of it is told.
func TestHealedCrashesAreTold(t *testing.T) {
	db, _ := open(t)
	var rows []sinks.Row
	for n := range 4 {
		rows = append(rows, lackingRow(n+1, 1, 0, "app@0x1234", app("missing", "")))
	}
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	a := clickhouse.Arrived{Events: []schema.SymbolsEvent{{DebugFile: "app", DebugID: "AABB1", SHA256: "new"}}, Upto: 7, Versions: []int32{1}}
	asked := lacking(t, db, a)
	if len(asked) != 4 {
		t.Fatalf("%d", len(asked))
	}
	began := time.Now().Add(-time.Second)
	for _, some := range [][]clickhouse.Lacking{asked[:3], asked[2:3], asked[3:]} { // one of them twice, as after a kill
		if err := db.Asked(t.Context(), clickhouse.Reports, 7, time.Now(), some); err != nil {
			t.Fatal(err)
		}
	}
	if again := lacking(t, db, a); len(again) > 0 {
		t.Errorf("%d are asked for again", len(again))
	}
	a.Upto = 8
	if again := lacking(t, db, a); len(again) != 4 {
		t.Errorf("%d lack what comes later", len(again))
	}
	// Two become real names, one still lacks the symbols, one is not made again.
	err := db.Write(t.Context(), []sinks.Row{
		lackingRow(1, 1, 9, "f", app("found", "new")), lackingRow(2, 1, 9, "f", app("found", "new")), lackingRow(3, 1, 9, "app@0x1234", app("missing", "")),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range clickhouse.Populations {
		err := db.EachHealed(t.Context(), clickhouse.Limits{}, p, began, 10, func(h clickhouse.Healed) error {
			if time.Since(h.Asked) > time.Minute {
				t.Errorf("asked at %v", h.Asked)
			}
			got = append(got, fmt.Sprintf("%d v%d %s -> %s: %d, %d whole", h.Upto, h.Version, h.OldSignature, h.NewSignature, h.Crashes, h.Whole))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"7 v1 app@0x1234 -> f: 2, 2 whole", "7 v1 app@0x1234 -> : 1, 0 whole", "7 v1 app@0x1234 -> app@0x1234: 1, 0 whole"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	sought, err := db.MostSought(t.Context(), []int32{1}, noon.Add(-24*time.Hour), 10)
	if want := []clickhouse.Sought{{"libc.so.6", "FF1", 4}, {"app", "AAbb1", 2}}; err != nil || !slices.Equal(sought, want) {
		t.Errorf("%v %v", sought, err)
	}
	days, err := db.DaysSince(t.Context(), []int32{1, 2}, noon.Add(-24*time.Hour))
	if err != nil || len(days) != 1 || !days[0].Equal(noon.Truncate(24*time.Hour)) {
		t.Errorf("%v %v", days, err)
	}
	if days, err := db.DaysSince(t.Context(), []int32{1}, noon.Add(24*time.Hour)); err != nil || len(days) > 0 {
		t.Errorf("%v %v", days, err)
	}
}
