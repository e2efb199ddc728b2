package main

import "testing"

func TestKeepIsANumberOfDays(t *testing.T) {
	for text, want := range map[string]keptDays{"0d": 0, "1d": 1, "36525d": maxDays} {
		if got := keptDays(-1); got.UnmarshalText([]byte(text)) != nil || got != want {
			t.Errorf("%s: %d", text, got)
		}
	}
	for _, text := range []string{"", "d", "7", "-1d", "36526d", "1h", "00000000000000000000d"} {
		if err := new(keptDays).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
