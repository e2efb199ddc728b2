package heal_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/heal"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream/streamtest"
)

type sought []clickhouse.Sought

func (s sought) MostSought(context.Context, []int32, time.Time, int) ([]clickhouse.Sought, error) {
	return s, nil
}

// What sources have by now is told once: processors may have other sources, and lack it still.
func TestARecheckTellsWhatIsNew(t *testing.T) {
	k := begin(t, false)
	answers := map[string]heal.Answer{
		"lib0.so": {Outcome: "found", SHA256: "00"}, "lib1.so": {Outcome: "missing"}, "lib2.so": {Outcome: "found_lossy", SHA256: "22", BadLines: 7}, "lib3.so": {Outcome: "found", SHA256: "33"},
	}
	r := heal.Rechecker{Kafka: k, Versions: streamtest.Following(t, k), Log: zerolog.Nop(), Ask: func(_ context.Context, file, _ string) heal.Answer { return answers[file] }}
	var s sought
	for n := range 4 {
		s = append(s, clickhouse.Sought{DebugFile: fmt.Sprintf("lib%d.so", n), DebugID: "AA1"})
	}
	r.DB = s
	r.Arrived(&schema.SymbolsEvent{DebugFile: "lib3.so", DebugID: "AA1", SHA256: "33"}) // told before
	r.Arrived(&schema.SymbolsEvent{DebugFile: "lib0.so", DebugID: "AA1", SHA256: "old"})
	once := func(want ...string) {
		t.Helper()
		if err := r.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, rec := range streamtest.Committed(t, k, schema.TopicSymbols, len(want)) {
			e, err := schema.Decode[schema.SymbolsEvent](rec.Value)
			if err != nil || e.Reason != schema.SymbolsRecheck {
				t.Fatalf("%+v %v", e, err)
			}
			got = append(got, fmt.Sprint(e.DebugFile, " ", e.SHA256, " ", e.BadLines))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	once("lib0.so 00 0", "lib2.so 22 7")
	once("lib0.so 00 0", "lib2.so 22 7")
	answers["lib1.so"] = heal.Answer{Outcome: "found", SHA256: "11"}
	once("lib0.so 00 0", "lib2.so 22 7", "lib1.so 11 0")
}
