package web

import (
	"fmt"
	"testing"
	"time"

	"aftershock/access"
)

// One denial a minute is kept of each viewer and role, and the table of them has an end.
func TestDenialsAreKeptOnceAMinute(t *testing.T) {
	var d denials
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	jane := denial{"jane", access.Dumps}
	if d.lately(jane, now) {
		t.Error("the first is not kept")
	}
	d.kept(jane, now)
	for of, want := range map[denial]bool{jane: true, {"jane", access.Protected}: false, {"joe", access.Dumps}: false} {
		if d.lately(of, now.Add(denialTime-1)) != want {
			t.Errorf("%v: %v", of, !want)
		}
	}
	if d.lately(jane, now.Add(denialTime)) {
		t.Error("a minute later it is not kept")
	}
	for n := range maxDenials + 1 {
		d.kept(denial{fmt.Sprint(n), access.Dumps}, now)
		if len(d.last) > maxDenials {
			t.Fatalf("%d are remembered", len(d.last))
		}
	}
}
