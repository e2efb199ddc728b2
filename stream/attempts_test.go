package stream

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMarksAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string][2]int{
		"": {0, 0}, "aftershock.attempt 1 of 7": {1, 7}, "aftershock.attempt 4 of 256": {4, 256}, "aftershock.attempt 5 of 257": {4, 256}, "aftershock.attempt 900 of 900": {4, 256},
		"aftershock.attempt 0 of 1": {0, 1}, "aftershock.attempt -1 of 3": {0, 0}, "aftershock.attempt 2 of 0": {0, 0}, "aftershock.attempt 2 of 1": {2, 1}, "aftershock.attempt 2": {0, 0}, "theirs": {0, 0},
	} {
		if times, of := readMark(text); [2]int{times, of} != want {
			t.Errorf("%q: %d of %d, want %v", text, times, of, want)
		}
	}
	if got := (mark{7, 0, 3}).text(); got != "" {
		t.Errorf("a mark of none: %q", got)
	}
	if got := (mark{7, 2, 3}).text(); got != "aftershock.attempt 2 of 3" {
		t.Errorf("%q", got)
	}
}

// A record is poison when it is worked on alone and was begun as often as may be.
func TestPoisonIsWhatKilledAlone(t *testing.T) {
	r := &kgo.Record{Partition: 1}
	for name, tc := range map[string]struct {
		at    *attempt
		times int
	}{
		"nothing is known":  {nil, 0},
		"the fourth time":   {&attempt{unfinished: 3, alone: 1}, 0},
		"begun four times":  {&attempt{unfinished: 4, alone: 1}, 4},
		"among others":      {&attempt{unfinished: 4}, 0},
		"one of several":    {&attempt{unfinished: 4, alone: 9}, 4},
		"it killed nothing": {&attempt{alone: 1}, 0},
	} {
		a := attempts{parts: map[int32]*attempt{1: tc.at, 2: {unfinished: 9, alone: 9}}}
		if times, is := a.poison(r); times != tc.times || is != (tc.times > 0) {
			t.Errorf("%s: %d, %v", name, times, is)
		}
	}
}

// What is committed takes marks away, one record after the other; what is revoked is forgotten.
func TestWhatIsCommittedWasNoPoison(t *testing.T) {
	a := attempts{parts: map[int32]*attempt{1: {unfinished: 3, alone: 2, marked: &mark{}}, 2: {unfinished: 1, alone: 0, marked: &mark{}}, 3: {unfinished: 2, alone: 1, marked: &mark{}}}}
	a.ended([]*kgo.Record{{Partition: 1}, {Partition: 2}, {Partition: 9}})
	for p, want := range map[int32]attempt{1: {alone: 1}, 2: {}, 3: {unfinished: 2, alone: 1, marked: a.parts[3].marked}} {
		if got := *a.parts[p]; got != want {
			t.Errorf("partition %d: %+v, want %+v", p, got, want)
		}
	}
	a.forget([]int32{1, 7})
	if len(a.parts) != 2 || a.parts[1] != nil {
		t.Errorf("%v", a.parts)
	}
}
