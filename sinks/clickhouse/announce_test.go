package clickhouse

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"aftershock/schema"
)

var day = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func announcedRow(version int32, at time.Time, signature string) row {
	return row{p: &schema.ProcessedCrash{SignatureVersion: version, ReceivedAt: at}, pub: &schema.TelemetryCrash{Signature: signature}, day: day}
}

// What was written is not written again before something is outside of it.
func TestDaysAndNamesAreAnnouncedOnce(t *testing.T) {
	var a announced
	look := func(rows ...row) (days map[dayOfVersion]span, names []nameOfVersion) {
		days, names = a.lacks(rows)
		a.keep(days, names)
		return days, names
	}
	noon := day.Add(12 * time.Hour)
	of := dayOfVersion{1, day}
	days, names := look(announcedRow(1, noon, "g"), announcedRow(1, noon.Add(time.Minute), "f"), announcedRow(1, noon, "g"))
	if want := (span{noon, noon.Add(time.Hour)}); len(days) != 1 || days[of] != want || !slices.Equal(names, []nameOfVersion{{1, "f"}, {1, "g"}}) {
		t.Errorf("%v %v, want %v", days, names, want)
	}
	if days, names := look(announcedRow(1, noon.Add(time.Hour-1), "f")); len(days) != 0 || len(names) != 0 {
		t.Errorf("%v %v again", days, names)
	}
	days, _ = look(announcedRow(1, noon.Add(time.Hour), "f"))
	if want := (span{noon, noon.Add(2 * time.Hour)}); days[of] != want {
		t.Errorf("later: %v, want %v", days, want)
	}
	days, _ = look(announcedRow(1, noon.Add(-1), "f"))
	if want := (span{noon.Add(-time.Hour), noon.Add(2 * time.Hour)}); days[of] != want {
		t.Errorf("earlier: %v, want %v", days, want)
	}
	if days, names = look(announcedRow(2, noon, "f")); len(days) != 1 || len(names) != 1 {
		t.Errorf("of another version: %v %v", days, names)
	}
	// What two batches write at once is remembered as both.
	a.keep(map[dayOfVersion]span{of: {noon.Add(9 * time.Hour), noon.Add(10 * time.Hour)}}, nil)
	if days, _ := look(announcedRow(1, noon.Add(-time.Minute), "f"), announcedRow(1, noon.Add(10*time.Hour-1), "f")); len(days) != 0 {
		t.Errorf("%v", days)
	}
}

func TestWhatIsRememberedOfAnnouncementsHasALimit(t *testing.T) {
	var a announced
	names := func(n int) (out []nameOfVersion) {
		for i := range n {
			out = append(out, nameOfVersion{1, fmt.Sprint(i)})
		}
		return out
	}
	a.keep(nil, names(maxAnnouncedNames))
	if a.keep(nil, []nameOfVersion{{1, "one"}}); len(a.names) != maxAnnouncedNames+1 {
		t.Errorf("%d names at the limit", len(a.names))
	}
	if a.keep(nil, []nameOfVersion{{1, "two"}}); len(a.names) != 1 {
		t.Errorf("%d names past the limit", len(a.names))
	}
	days := map[dayOfVersion]span{}
	for i := range maxAnnouncedDays + 1 {
		days[dayOfVersion{int32(i), day}] = span{day, day.Add(time.Hour)}
	}
	a.keep(days, nil)
	if a.keep(map[dayOfVersion]span{{-1, day}: {day, day.Add(time.Hour)}}, nil); len(a.days) != 1 {
		t.Errorf("%d days past the limit", len(a.days))
	}
}
