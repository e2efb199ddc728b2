package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
)

// A refusal names the first crashes that would vanish, and why, and how to accept it.
func TestARefusalNamesWhatWouldVanish(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(*schema.VersionEvent) {})
	r.project()
	r.stores(1, "f", 1, 2, 3, 4)
	r.stores(2, "g", 1)
	line := func(day int, why string) string {
		return fmt.Sprintf("\n  %s (crash.raw/0/%d, version 1): %s", crashID(day, "261122"), day, why)
	}
	const unknown = "not processed in the new version; verify --version tells more"
	r.put(letter(schema.TopicRaw, 0, 2, 2), letter(schema.TopicRaw, 0, 3, 1), letter(schema.TopicRaw, 1, 4, 2), letter(schema.TopicRaw, 0, 9, 2))
	want := "crashes that are seen would vanish: 3 are not in the new version (--accept-missing 3 lets them):" +
		line(2, "dead in version 2: panic") + line(3, unknown) + line(4, unknown)
	r.refuses(func() error { return r.promote(2, begin, end, soon) }, want)
	if err := r.promote(2, begin, end, soon); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
	accepting := soon
	accepting.AcceptMissing = 2
	r.refuses(func() error { return r.promote(2, begin, end, accepting) }, want)

	// Of more than twenty the others are counted.
	var days []int
	for day := 5; day <= 24; day++ {
		days = append(days, day)
	}
	r.clock = at(26)
	r.stores(1, "f", days[:17]...)
	err := r.promote(2, begin, end, accepting)
	if n := strings.Count(err.Error(), "version 1)"); n != 20 || strings.Contains(err.Error(), "\n  and ") {
		t.Errorf("%d are named: %v", n, err)
	}
	r.stores(1, "f", days...)
	err = r.promote(2, begin, end, accepting)
	if n := strings.Count(err.Error(), "version 1)"); n != 20 || !strings.HasSuffix(err.Error(), "\n  and 3 more") || !strings.Contains(err.Error(), "would vanish: 23 are") {
		t.Errorf("%d are named: %v", n, err)
	}
	accepting.AcceptMissing = 23
	if err := r.promote(2, begin, end, accepting); err != nil {
		t.Error(err)
	}
}

// A crash received a moment ago may still be on its way: it is looked at when everything is
// held, and refused then.
func TestWhatCameAMomentAgoIsLookedAtWhileItIsHeld(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(*schema.VersionEvent) {})
	r.stores(1, "f", 1, 2, 3, 4)
	r.stores(2, "g", 1, 2, 3, 4)
	row := stored(crashID(20, "261122"), 1, 0, 20, at(20).Add(-30*time.Second), "f", "")
	row.Position.Offset = 0
	write(t, r.o.DB, row)
	err := r.promote(2, begin, end, soon)
	if err == nil || !strings.HasPrefix(err.Error(), "not promoted, and everything goes on as before: crashes that are seen would vanish: 1 are not in the new version") || r.events(3) != "announce 0, hold 2, abort 2" {
		t.Errorf("%s: %v", r.events(3), err)
	}
	// A minute later it is not on its way any more.
	r.clock = at(20).Add(time.Minute)
	if err := r.promote(2, begin, end, soon); !errors.Is(err, ErrMissing) || r.events(3) != "announce 0, hold 2, abort 2" {
		t.Errorf("%s: %v", r.events(3), err)
	}
}

// What is stored while the operator looks, is looked at while it is held.
func TestWhatIsStoredSinceTheLookIsLookedAt(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(*schema.VersionEvent) {})
	g := groupsOn(t, r.k)
	moves := []change{{at(begin), at(end), 1, 2}}
	seen, err := r.o.lookAt(t.Context(), g, moves)
	if err != nil {
		t.Fatal(err)
	}
	if !seen.before.Equal(r.clock.Add(-time.Minute)) || len(seen.stored) != 2 || seen.stored[1][0] != 3 || seen.stored[1][1] != 1 || seen.stored[2][0] != 3 {
		t.Errorf("%+v", seen)
	}
	past := func(l *look, version int32) string { return l.recent(version) }
	ms := seen.before.UnixMilli()
	for name, tc := range map[string][2]string{
		"nothing was looked at":    {past(nil, 1), "1"},
		"two partitions":           {past(seen, 1), fmt.Sprintf("(received_at >= fromUnixTimestamp64Milli(%d, 'UTC') OR processed_offset >= [3, 1][processed_partition + 1])", ms)},
		"a version without a sink": {past(seen, 9), fmt.Sprintf("(received_at >= fromUnixTimestamp64Milli(%d, 'UTC') OR 1)", ms)},
	} {
		if tc[0] != tc[1] {
			t.Errorf("%s: %s, want %s", name, tc[0], tc[1])
		}
	}
	r.refusedEach(func(ctx context.Context) error { _, err := r.o.lookAt(ctx, g, moves); return err }, func() error { return nil })
	var crashes []MissingCrash
	r.refusedEach(func(ctx context.Context) error {
		why, err := r.o.whyMissing(ctx, []int32{2}, append(crashes, MissingCrash{CrashID: "a"}))
		if err == nil && len(why) != 1 {
			return errNotWhole
		}
		return err
	}, func() error { return nil })
}

// What is refused of the past is refused for each piece of it that is over.
func TestOnlyThePastOfAChangeIsLookedAtBefore(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(*schema.VersionEvent) {})
	r.stores(1, "f", 1, 5)
	look := func(before int, moves ...change) error {
		return r.o.refusePastLosses(t.Context(), moves, &look{before: at(before)}, PromoteOptions{})
	}
	for name, tc := range map[string]struct {
		err error
		n   int
	}{
		"all of it":            {look(9, change{at(begin), at(end), 1, 2}), 2},
		"a part of it":         {look(5, change{at(begin), at(end), 1, 2}), 1},
		"nothing is over":      {look(5, change{at(5), at(end), 1, 2}), 0},
		"the one and not both": {look(5, change{at(2), at(3), 1, 2}, change{at(begin), at(2), 1, 2}), 1},
	} {
		if want := fmt.Sprintf("vanish: %d are not in", tc.n); tc.n == 0 && tc.err != nil || tc.n > 0 && (tc.err == nil || !strings.Contains(tc.err.Error(), want)) {
			t.Errorf("%s: %v", name, tc.err)
		}
	}
}
