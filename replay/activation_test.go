package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
)

// at is a day of the tests' calendar; begin and end are the ends of time.
func at(day int) time.Time {
	switch day {
	case begin:
		return schema.TimeBegin
	case end:
		return schema.TimeEnd
	}
	return time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)
}

const (
	begin = -1
	end   = 99
)

func ranged(from, to int, version int32, epoch int64) schema.ActiveRange {
	return schema.ActiveRange{From: at(from), To: at(to), SignatureVersion: version, Epoch: epoch}
}

func text(ranges []schema.ActiveRange) string {
	day := func(t time.Time) string {
		switch {
		case t.Equal(schema.TimeBegin):
			return ""
		case t.Equal(schema.TimeEnd):
			return ""
		}
		return fmt.Sprint(t.Day())
	}
	var out []string
	for _, r := range ranges {
		out = append(out, fmt.Sprintf("%s-%s v%d.e%d", day(r.From), day(r.To), r.SignatureVersion, r.Epoch))
	}
	return strings.Join(out, ", ")
}

func TestShow(t *testing.T) {
	all := []schema.ActiveRange{ranged(begin, end, 1, 1)}
	split := []schema.ActiveRange{ranged(begin, 10, 1, 1), ranged(10, end, 2, 2)}
	for _, c := range []struct {
		name     string
		ranges   []schema.ActiveRange
		version  int32
		from, to int
		want     string
	}{
		{"everything", all, 2, begin, end, "- v2.e7"},
		{"from a day on", all, 2, 10, end, "-10 v1.e1, 10- v2.e7"},
		{"some days", all, 2, 10, 12, "-10 v1.e1, 10-12 v2.e7, 12- v1.e1"},
		{"what is seen already keeps its epoch", split, 2, 5, end, "-5 v1.e1, 5-10 v2.e7, 10- v2.e2"},
		{"nothing new", split, 2, 10, end, "-10 v1.e1, 10- v2.e2"},
		{"back again", split, 1, begin, end, "-10 v1.e1, 10- v1.e7"},
		{"over several", split, 3, 5, 15, "-5 v1.e1, 5-15 v3.e7, 15- v2.e2"},
		{"over an edge", split, 3, 10, 15, "-10 v1.e1, 10-15 v3.e7, 15- v2.e2"},
		{"the first of all", nil, 1, begin, end, "- v1.e7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(c.ranges)

			if got := text(Show(c.ranges, c.version, at(c.from), at(c.to), 7)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if !slices.Equal(before, c.ranges) {
				t.Error("the activation itself was changed")
			}
		})
	}
}

func TestChangesBetweenActivations(t *testing.T) {
	before := []schema.ActiveRange{ranged(begin, 10, 1, 1), ranged(10, end, 2, 2)}
	got := changes(before, Show(before, 3, at(5), at(15), 3))
	want := []change{{at(5), at(10), 1, 3}, {at(10), at(15), 2, 3}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if l, w := losers(got), winners(got); !slices.Equal(l, []int32{1, 2}) || !slices.Equal(w, []int32{3}) {
		t.Errorf("losers %v, winners %v", l, w)
	}
	if got := changes(before, before); len(got) > 0 {
		t.Errorf("nothing changes: %v", got)
	}
}
