package clickhouse_test

import (
	"strings"
	"testing"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

// A deferred crash counts once however often it is stored, as its first raw record says.
func TestDeferredCrashesCountOnce(t *testing.T) {
	db, conn := open(t)
	sink := clickhouse.Deferred{DB: db}
	row := func(id, kind, rule string, rate float64, offset int64) sinks.Row {
		return sinks.Row{Processed: &schema.ProcessedCrash{
			CrashID: id, Kind: kind, ReceivedAt: noon, ThrottleRule: rule, ThrottleRate: rate, Raw: schema.Position{Topic: schema.TopicRaw, Partition: 1, Offset: offset},
		}}
	}
	const one, two, three = "00000001-0000-4000-8000-000001261122", "00000002-0000-4000-8000-000001261122", "00000003-0000-4000-8000-000001261123"
	for _, rows := range [][]sinks.Row{
		nil,
		{row(one, "report", "later", 0.25, 5), row(two, "report", "later", 0.25, 6), row(three, "ping", "pings", 1, 7)},
		{row(one, "report", "later", 0.25, 5), row(two, "report", "another", 1, 8), row(two, "report", "later", 0.25, 6)},
	} {
		if err := sink.Write(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	got := strings.Join(ask(t, conn, "SELECT concat(toString(day), ' ', kind, ' ', throttle_rule, ' ', toString(deferred), ' ', toString(sent)) FROM aftershock.deferred ORDER BY day"), "\n")
	if want := "2026-11-22 report later 2 8\n2026-11-23 ping pings 1 1"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
