package collector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/blob"
	"aftershock/collector"
	"aftershock/schema"
)

// maker makes raw crashes of what is kept, and appends nothing.
func maker(t *testing.T, limits collector.Limits) *collector.Collector {
	t.Helper()
	blobs, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return collector.New(collector.Options{
		Blobs: blobs, Annotations: schema.DefaultRegistry, Log: zerolog.Nop(), Metrics: prometheus.NewRegistry(), Limits: limits,
		Now:    func() time.Time { return received },
		Append: func(context.Context, *schema.RawCrash) error { return errors.New("nothing is appended") },
	})
}

const keptID = "0bfe7d58-d1b5-4906-97eb-92de20261120"

func rateOf(annotations map[string]string) float64 { return float64(len(annotations)) }

// A kept report becomes the raw crash that the door would have made of it.
func TestAKeptReportBecomesARawCrash(t *testing.T) {
	c := maker(t, collector.Limits{})
	came := time.Date(2026, 11, 21, 23, 30, 0, 5_999_999, time.FixedZone("west", -3600))
	raw, err := c.Make(t.Context(), &collector.Kept{
		CrashID: keptID, Received: came, Rule: "theirs", Rate: rateOf, Payload: schema.Payload{Kind: "json", Size: 7},
		Annotations: map[string]string{"ProductName": "first", "Version": "1"},
		JSON:        strings.NewReader(`{"ProductName": "second", "BuildID": "7", "left": "out"}`),
		Take:        func(name, _ string) bool { return name != "left" && name != "ProductName" },
		Dumps:       []collector.KeptDump{{Name: schema.MainDump, Data: []byte("MDMP1")}, {Name: "plugin", Data: []byte("MDMP2")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if raw.CrashID != keptID || raw.Kind != schema.KindReport || !raw.ReceivedAt.Equal(came.Truncate(time.Millisecond)) || raw.ReceivedAt.Location() != time.UTC || raw.ReceivedAt.Nanosecond() != 5_000_000 {
		t.Errorf("%+v", raw)
	}
	if d := cmp.Diff(schema.Throttle{Rule: "theirs", Rate: 3, Result: schema.ThrottleAccept}, raw.Throttle); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"ProductName": "first", "Version": "1", "BuildID": "7"}, raw.Annotations); d != "" {
		t.Error(d)
	}
	if raw.Payload.Kind != "json" || raw.Payload.Size != 7 || len(raw.Dumps) != 2 || raw.Dumps[0].Name != schema.MainDump || raw.Dumps[1].Name != "plugin" || raw.Dumps[1].Size != 5 {
		t.Errorf("%+v, %+v", raw.Payload, raw.Dumps)
	}
}

// A kept report without an id, or without a time, gets them.
func TestWhenAKeptReportCame(t *testing.T) {
	c := maker(t, collector.Limits{})
	day, err := schema.CrashDay(keptID)
	if err != nil {
		t.Fatal(err)
	}
	come := received.AddDate(0, 0, -3)
	for name, tc := range map[string]struct {
		id   string
		at   time.Time
		want time.Time
	}{
		"both":    {keptID, come, come},
		"an id":   {keptID, time.Time{}, day},
		"a time":  {"", come, come},
		"neither": {"", time.Time{}, received},
	} {
		made := func(value string) *schema.RawCrash {
			raw, err := c.Make(t.Context(), &collector.Kept{CrashID: tc.id, Received: tc.at, Rate: rateOf, Annotations: map[string]string{"a": value}})
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		raw := made("1")
		if !raw.ReceivedAt.Equal(tc.want.Truncate(time.Millisecond)) || tc.id != "" && raw.CrashID != tc.id {
			t.Errorf("%s: %s at %v, want %v", name, raw.CrashID, raw.ReceivedAt, tc.want)
		}
		if made("1").CrashID != raw.CrashID || tc.id == "" && made("2").CrashID == raw.CrashID {
			t.Errorf("%s: %s is not that of the report", name, raw.CrashID)
		}
		if idDay, err := schema.CrashDay(raw.CrashID); err != nil || tc.id == "" && !idDay.Equal(tc.want.Truncate(24*time.Hour)) {
			t.Errorf("%s: %s is of %v, %v", name, raw.CrashID, idDay, err)
		}
	}
}

// What the door would refuse of a kept report is refused.
func TestAKeptReportIsRefused(t *testing.T) {
	c := maker(t, collector.Limits{AnnotationBytes: 10})
	for name, tc := range map[string]struct {
		kept collector.Kept
		want string
	}{
		"annotations": {collector.Kept{Annotations: map[string]string{"a": "12345678901"}}, schema.RejectTooLarge},
		"its JSON":    {collector.Kept{JSON: strings.NewReader(`{"a": `)}, schema.RejectJSON},
		"a dump":      {collector.Kept{Dumps: []collector.KeptDump{{Name: "raw_crash", Data: []byte("MDMP")}}}, schema.RejectDumpName},
		"nothing":     {collector.Kept{}, ""},
		"its id":      {collector.Kept{CrashID: "no id"}, schema.RejectID},
	} {
		tc.kept.Rate = rateOf
		raw, err := c.Make(t.Context(), &tc.kept)
		if got := collector.Reason(err); got != tc.want || (err == nil) != (tc.want == "") || (raw == nil) != (err != nil) {
			t.Errorf("%s: %q, %v, %v", name, got, err, raw)
		}
	}
	many := collector.Kept{Rate: rateOf}
	for range 300 {
		many.Dumps = append(many.Dumps, collector.KeptDump{Name: "d", Data: []byte("MDMP")})
	}
	if raw, err := c.Make(t.Context(), &many); collector.Reason(err) != schema.RejectTooManyParts || raw != nil {
		t.Errorf("too many dumps: %v", err)
	}
}
