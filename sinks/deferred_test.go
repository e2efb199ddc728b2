package sinks_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/sinks"
)

// Of raw crashes those that were deferred are rows, with what doors that are not ours may
// say put right.
func TestDeferredCrashesAreRows(t *testing.T) {
	const id = "0bba929f-8721-460c-8e70-a43c91261122"
	row := func(kind, rule string, rate float64) *schema.ProcessedCrash {
		return &schema.ProcessedCrash{CrashID: id, Kind: kind, ReceivedAt: noon, Raw: schema.Position{Topic: schema.TopicRaw, Partition: 2, Offset: 7}, ThrottleRule: rule, ThrottleRate: rate}
	}
	for name, tc := range map[string]struct {
		key string
		raw schema.RawCrash
		row *schema.ProcessedCrash
	}{
		"a report":     {id, schema.RawCrash{CrashID: id, Kind: schema.KindReport, Throttle: schema.Throttle{Rule: "later", Rate: 0.25, Result: schema.ThrottleDefer}}, row("report", "later", 0.25)},
		"a ping":       {id, schema.RawCrash{CrashID: id, Kind: schema.KindPing, Throttle: schema.Throttle{Rule: "later", Rate: 1, Result: schema.ThrottleDefer}}, row("ping", "later", 1)},
		"no kind":      {id, schema.RawCrash{CrashID: id, Kind: "jane", Throttle: schema.Throttle{Rule: "later", Rate: 1, Result: schema.ThrottleDefer}}, row("report", "later", 1)},
		"no rate":      {id, schema.RawCrash{CrashID: id, Throttle: schema.Throttle{Rule: "later", Result: schema.ThrottleDefer}}, row("report", "", 1)},
		"a sentence":   {id, schema.RawCrash{CrashID: id, Throttle: schema.Throttle{Rule: "jane was here", Rate: 0.5, Result: schema.ThrottleDefer}}, row("report", "", 1)},
		"accepted":     {id, schema.RawCrash{CrashID: id, Throttle: schema.Throttle{Rule: "all", Rate: 1, Result: schema.ThrottleAccept}}, nil},
		"another key":  {"0" + id[1:35] + "3", schema.RawCrash{CrashID: id, Throttle: schema.Throttle{Rule: "later", Rate: 1, Result: schema.ThrottleDefer}}, nil},
		"no crash id":  {"x", schema.RawCrash{CrashID: "x", Throttle: schema.Throttle{Rule: "later", Rate: 1, Result: schema.ThrottleDefer}}, nil},
		"no raw crash": {},
	} {
		var value []byte
		if tc.key != "" {
			tc.raw.ReceivedAt = noon
			var err error
			if value, err = schema.Encode(&tc.raw); err != nil {
				t.Fatal(err)
			}
		}
		got, err := sinks.Deferred.Row(&kgo.Record{Topic: schema.TopicRaw, Partition: 2, Offset: 7, Key: []byte(tc.key), Value: value})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(tc.row, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
