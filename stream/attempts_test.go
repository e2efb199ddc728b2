package stream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMarksAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]mark{ // of builds before, without names
		"": {0, 0, 0, ""}, "aftershock.attempt 1 of 7": {0, 1, 7, ""}, "aftershock.attempt 4 of 256": {0, 4, 256, ""}, "aftershock.attempt 5 of 257": {0, 4, 256, ""}, "aftershock.attempt 900 of 900": {0, 4, 256, ""},
		"aftershock.attempt 0 of 1": {0, 0, 1, ""}, "aftershock.attempt -1 of 3": {0, 0, 0, ""}, "aftershock.attempt 2 of 0": {0, 0, 0, ""}, "aftershock.attempt 2 of 1": {0, 2, 1, ""}, "aftershock.attempt 2": {0, 0, 0, ""}, "theirs": {0, 0, 0, ""},
	} {
		if times, of, by := readMark(text); (mark{0, times, of, by}) != want {
			t.Errorf("%q: %d of %d by %q, want %v", text, times, of, by, want)
		}
	}
	if got := (mark{7, 0, 3, "a"}).text(); got != "" {
		t.Errorf("a mark of none: %q", got)
	}
	text := (mark{7, 2, 3, names("").and("a").and("b")}).text()
	if text != "aftershock.attempt 2 of 3 by a,b" {
		t.Errorf("%q", text)
	}
	if times, of, by := readMark(text); times != 2 || of != 3 || by != "a,b" {
		t.Errorf("%d of %d by %q", times, of, by)
	}
	var times, of int // as builds before read it
	if n, err := fmt.Sscanf(text, "aftershock.attempt %d of %d", &times, &of); n != 2 || err != nil || times != 2 || of != 3 {
		t.Errorf("%d of %d, %v", times, of, err)
	}
}

// A process that lives was not killed by what it has begun; others may have been.
func TestAProcessKnowsItsOwnAttempts(t *testing.T) {
	a := attempts{process: "own"}
	for name, tc := range map[string]struct {
		times, of int
		by        names
		want      attempt
	}{
		"nothing":                      {0, 0, "", attempt{}},
		"others":                       {2, 7, "a,b", attempt{unfinished: 2, alone: 7, by: "a,b"}},
		"its own":                      {1, 7, "own", attempt{}},
		"its own twice":                {2, 7, "own,own", attempt{}},
		"among others":                 {3, 1, "a,own,b", attempt{unfinished: 2, alone: 1, by: "a,b"}},
		"among those of builds before": {3, 1, "own", attempt{unfinished: 2, alone: 1}},
		"more names than attempts":     {1, 1, "own,own,a", attempt{}},
		"a name that begins like its":  {1, 1, "own2", attempt{unfinished: 1, alone: 1, by: "own2"}},
		"a mark of none":               {0, 1, "", attempt{alone: 1}},
	} {
		if got := *a.found(tc.times, tc.of, tc.by); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
	if len(thisProcess) != 8 || strings.ContainsAny(thisProcess, ", ") {
		t.Errorf("this process is called %q", thisProcess)
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
	a := attempts{parts: map[int32]*attempt{1: {unfinished: 3, alone: 2, marked: &mark{}}, 2: {unfinished: 1, alone: 0, by: "a", marked: &mark{}}, 3: {unfinished: 2, alone: 1, marked: &mark{}}}}
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
