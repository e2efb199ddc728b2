package main

import (
	"testing"
	"time"
)

func TestMomentsAreTimesOrHowLongAgo(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-11-22":                time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		"2026-11-22T10:00:00+02:00": time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC),
	} {
		var m moment
		if err := m.UnmarshalText([]byte(text)); err != nil || !m.Equal(want) {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
	for text, ago := range map[string]time.Duration{"36h": 36 * time.Hour, "0d": 0, "7d": 7 * 24 * time.Hour, "36525d": maxDays * 24 * time.Hour} {
		var m moment
		before := time.Now()
		if err := m.UnmarshalText([]byte(text)); err != nil || m.Before(before.Add(-ago-2*time.Hour)) || m.After(time.Now().Add(-ago+2*time.Hour)) {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "yesterday", "-1h", "-1d", "36526d", "22.11.2026", "d"} {
		var m moment
		if err := m.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, m)
		}
	}
}
