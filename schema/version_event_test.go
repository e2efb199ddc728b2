package schema

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatAStateOfAVersionMeans(t *testing.T) {
	for state, want := range map[string]struct{ kept, processed, gone bool }{
		StateLive:      {kept: true, processed: true},
		StateNarrowed:  {kept: true, processed: true},
		StateHeld:      {kept: true},
		StateArchiving: {kept: true},
		StateArchived:  {},
		StateEnded:     {},
		StateDropping:  {gone: true},
		StateDropped:   {gone: true},
	} {
		v := SignatureVersion{State: state}
		if v.Kept() != want.kept || v.Processed() != want.processed || v.Gone() != want.gone {
			t.Errorf("%s: kept %v, processed %v, gone %v; want %v", state, v.Kept(), v.Processed(), v.Gone(), want)
		}
	}
}

func TestAVersionCoversItsTimes(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		from, to *time.Time
		want     bool
	}{
		{nil, nil, true},
		{new(at), nil, true},
		{new(at.Add(1)), nil, false},
		{nil, new(at), false}, // half open
		{nil, new(at.Add(1)), true},
		{new(at.Add(1)), new(at.Add(2)), false},
	} {
		if v := (SignatureVersion{From: tc.from, To: tc.to}); v.Covers(at) != tc.want {
			t.Errorf("from %v to %v: want %v", tc.from, tc.to, tc.want)
		}
	}
}

func TestARangeIsFoundByItsTimes(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 29, hour, 0, 0, 0, time.UTC) }
	a := Activation{Ranges: []ActiveRange{
		{From: at(1), To: at(2), SignatureVersion: 1, Epoch: 1},
		{From: at(2), To: at(3), SignatureVersion: 2, Epoch: 2},
		{From: at(5), To: at(6), SignatureVersion: 1, Epoch: 3},
		{From: at(6), To: at(7), SignatureVersion: 1, Epoch: 1},
	}}
	for when, want := range map[time.Time]int32{
		at(1).Add(-1): 0, at(1): 1, at(2).Add(-1): 1, at(2): 2, at(3).Add(-1): 2, at(3): 0, at(4): 0, at(5): 1, at(7).Add(-1): 1, at(7): 0,
	} {
		if got := a.Seen(when); got != want {
			t.Errorf("at %v version %d is seen, want %d", when, got, want)
		}
	}
	if r := a.Range(at(2)); r != &a.Ranges[1] {
		t.Error("want the activation's own range")
	}
	if !a.Names(2) || a.Names(3) {
		t.Error("the names are those of the ranges")
	}
	if got, want := a.TelemetryGroups(1), []string{"sink.telemetry.v1.e1", "sink.telemetry.v1.e3"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := a.TelemetryGroups(3); got != nil {
		t.Error(got)
	}
	for want, got := range map[string]time.Time{"1970-01-01T00:00:00Z": TimeBegin, "2200-01-01T00:00:00Z": TimeEnd} {
		if got.Format(time.RFC3339Nano) != want {
			t.Errorf("time has the end %v, want %s", got, want)
		}
	}
}

func TestACloneOfAnEventCanBeChanged(t *testing.T) {
	whole := func() *VersionEvent {
		return &VersionEvent{
			Versions:   []SignatureVersion{{Number: 1, State: StateLive}},
			Activation: Activation{Ranges: []ActiveRange{{SignatureVersion: 1}}},
			Promotion:  &Promotion{Ranges: []ActiveRange{{SignatureVersion: 1}}, Held: []HeldVersion{{Number: 1}}},
		}
	}
	e := whole()
	c := e.Clone()
	if d := cmp.Diff(e, c); d != "" {
		t.Errorf("the clone differs: %s", d)
	}
	c.Version(1).State, c.Activation.Ranges[0].SignatureVersion = StateEnded, 2
	c.Promotion.Ranges[0].SignatureVersion, c.Promotion.Held[0].Number = 2, 2
	if d := cmp.Diff(whole(), e); d != "" {
		t.Errorf("the event changed with its clone: %s", d)
	}
	e.Promotion = nil
	if c := e.Clone(); c.Promotion != nil {
		t.Errorf("a promotion that there is not: %+v", c.Promotion)
	}
}

func TestACrashIsProcessedInTheVersionsThatWantIt(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for state, want := range map[string]struct{ seen, unseen bool }{
		StateLive:      {true, true},
		StateNarrowed:  {true, false},
		StateArchiving: {true, false},
		StateArchived:  {true, false},
		StateHeld:      {},
		StateEnded:     {},
		StateDropping:  {},
		StateDropped:   {},
	} {
		e := VersionEvent{Versions: []SignatureVersion{{Number: 1}, {Number: 2, State: state}}, Activation: Activation{Ranges: []ActiveRange{
			{From: at, To: at.Add(time.Hour), SignatureVersion: 2}, {From: at.Add(time.Hour), To: TimeEnd, SignatureVersion: 1},
		}}}
		if e.Processes(2, at) != want.seen || e.Processes(2, at.Add(time.Hour)) != want.unseen {
			t.Errorf("%s: want %+v", state, want)
		}
		if e.Processes(3, at) {
			t.Errorf("%s: a version that there is not", state)
		}
	}
	e := VersionEvent{Versions: []SignatureVersion{{Number: 1, State: StateLive, To: &at}}}
	if e.Processes(1, at) || !e.Processes(1, at.Add(-1)) {
		t.Error("a live version is for the crashes that it covers")
	}
}

func TestARequestIsForTheVersionsThatItNames(t *testing.T) {
	for _, tc := range []struct {
		named []int32
		want  bool
	}{{nil, true}, {[]int32{2}, true}, {[]int32{1, 2}, true}, {[]int32{1}, false}} {
		if r := (ReprocessRequest{Versions: tc.named}); r.For(2) != tc.want {
			t.Errorf("%v: want %v", tc.named, tc.want)
		}
	}
}

// A raw crash fits what a Kafka broker takes by default, 1 MiB with its batch's head, even
// when nothing of it can be compressed.
func TestARawCrashFitsADefaultBroker(t *testing.T) {
	if 2*MaxRawBytes > 1<<20 {
		t.Errorf("%d bytes leave less than as much again for headers", MaxRawBytes)
	}
}
