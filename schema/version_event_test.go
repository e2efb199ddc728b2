package schema

import (
	"slices"
	"testing"
	"time"
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
	if TimeBegin.UnixMilli() != 0 {
		t.Error("the first moment is that of Unix and ClickHouse")
	}
}

// A raw crash fits what a Kafka broker takes by default, 1 MiB with its batch's head, even
// when nothing of it can be compressed.
func TestARawCrashFitsADefaultBroker(t *testing.T) {
	if 2*MaxRawBytes > 1<<20 {
		t.Errorf("%d bytes leave less than as much again for headers", MaxRawBytes)
	}
}
