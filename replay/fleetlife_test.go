package replay

import (
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
)

// The whole life of versions in a fleet that runs: from raw and from processed crashes, what is
// dead in the base, promoted for some of the time and for all, late crashes, back again,
// retired, gone on, dropped.
func TestVersionsLiveInAFleet(t *testing.T) {
	t.Parallel()
	fl := newFleet(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for day := 9; day >= 1; day-- {
		fl.send(day, []string{"abort helper f", "abort helper g", "abort h"}[day%3])
	}
	fl.send(8, "abort helper dead.in.v1")
	before := func(s sent) (int32, string) {
		functions := strings.Fields(s.stack)
		if strings.Contains(s.stack, "dead.in.v1") {
			return 0, ""
		}
		return 1, strings.Join(functions[:2], " | ")
	}
	after := func(version int32) func(s sent) (int32, string) {
		return func(s sent) (int32, string) { return version, strings.Join(strings.Fields(s.stack), " | ") }
	}
	fl.shows(before)

	// Beside it, from what it has made and from raw crashes.
	signed, err := fl.o.Start(t.Context(), starting(t, func(o *StartOptions) { o.Source = schema.SourceProcessed }))
	must(err)
	made, err := fl.o.Start(t.Context(), starting(t, func(o *StartOptions) { o.From = time.Now().AddDate(0, 0, -5) }))
	must(err)
	if signed.Number != 2 || signed.Base != 1 || made.Number != 3 || made.From == nil {
		t.Errorf("%+v, %+v", signed, made)
	}
	fl.send(0, "abort helper since")
	for version := int32(1); version <= 3; version++ {
		fl.caughtUp(version)
	}
	fl.eventually(func() error {
		d, err := (&DiffQuery{A: fl.newest().Version(1), B: signed, Limit: 10}).Run(t.Context(), fl.db)
		if err == nil && d.Totals != (Totals{A: 10, B: 11, Both: 10, OnlyB: 1, Moved: 7, SignaturesA: 2, SignaturesB: 5}) {
			err = errNotWhole
		}
		return err
	})
	fl.shows(before)

	// Five days of it, and what was there before for the rest, which costs nothing any more.
	_, err = fl.o.Promote(t.Context(), 3, schema.TimeBegin, schema.TimeEnd, soon)
	must(err)
	split := func(s sent) (int32, string) {
		if s.received.Before(*made.From) {
			return before(s)
		}
		return after(3)(s)
	}
	fl.shows(split)
	if got := states(fl.newest()); got != "archived live live" {
		t.Errorf("versions are %s", got)
	}
	if got := fl.groups(1); len(got) > 0 {
		t.Errorf("an archived version has groups: %q", got)
	}
	fl.send(7, "abort helper late")
	fl.send(0, "abort helper live")
	fl.shows(split)

	// Back, and then to the one that was signed again.
	_, err = fl.o.Rollback(t.Context(), 2, soon)
	must(err)
	fl.shows(before)
	_, err = fl.o.Promote(t.Context(), 2, schema.TimeBegin, schema.TimeEnd, soon)
	must(err)
	fl.shows(after(2))
	if got := states(fl.newest()); got != "ended live ended" {
		t.Errorf("versions are %s", got)
	}

	must(fl.o.Reopen(t.Context(), 3, 0.5))
	fl.send(0, "abort helper again")
	fl.caughtUp(3)
	must(fl.o.Retire(t.Context(), 3))
	must(fl.o.Drop(t.Context(), 3))
	if got := fl.groups(3); len(got) > 0 || fl.c.TopicInfo(schema.ProcessedTopic(3)) != nil {
		t.Errorf("a dropped version has groups: %q", got)
	}
	fl.shows(after(2))
	told := slices.DeleteFunc(fl.told, func(text string) bool { return strings.HasPrefix(text, "waiting for ") })
	if want := []string{"signature version 1 goes on from where it stopped"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
