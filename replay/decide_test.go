package replay

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
)

// state is a versions log's: version 1 is seen, version 2 is replayed beside it
// from day 10 on, version 3 has ended, version 4 is being made of version 2.
func state() *schema.VersionEvent {
	return &schema.VersionEvent{
		At: at(20),
		Versions: []schema.SignatureVersion{
			{Number: 1, State: schema.StateLive, Share: 1},
			{Number: 2, State: schema.StateLive, Share: 0.5, From: new(at(10))},
			{Number: 3, State: schema.StateEnded, Ends: offsets(7), RequestEnds: offsets(1)},
			{Number: 4, State: schema.StateLive, Base: 2, Share: 0.5},
		},
		Activation: schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{ranged(begin, end, 1, 1)}},
	}
}

func offsets(at ...int64) []schema.PartitionOffset {
	var out []schema.PartitionOffset
	for p, o := range at {
		out = append(out, schema.PartitionOffset{Partition: int32(p), Offset: o})
	}
	return out
}

// states are those of the versions, by number.
func states(e *schema.VersionEvent) string {
	var out []string
	for _, v := range e.Versions {
		out = append(out, v.State)
	}
	return strings.Join(out, " ")
}

// must is an operation that is not refused and leaves the state before as it was.
func must(t *testing.T, now *schema.VersionEvent, decide func() (*schema.VersionEvent, error)) *schema.VersionEvent {
	t.Helper()
	before := now.Clone()
	next, err := decide()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, now); d != "" {
		t.Fatalf("the state before was changed:\n%s", d)
	}
	return next
}

func TestPromotionAndBack(t *testing.T) {
	now := state()
	to2 := Show(now.Activation.Ranges, 2, at(10), at(end), 2)
	now = must(t, now, func() (*schema.VersionEvent, error) { return held(now, to2) })
	if got := states(now); got != "held live ended live" {
		t.Fatalf("held: %s", got)
	}
	if got := text(now.Activation.Ranges); got != "- v1.e1" {
		t.Fatalf("seen while it is held: %s", got)
	}
	stops := map[int32]stop{1: {offsets(100, 200), offsets(5)}}
	now = must(t, now, func() (*schema.VersionEvent, error) { return promoted(now, stops) })
	if got := states(now); got != "narrowed live ended live" {
		t.Errorf("promoted: %s", got)
	}
	if got := text(now.Activation.Ranges); got != "-10 v1.e1, 10- v2.e2" || now.Activation.Epoch != 2 || now.Promotion != nil {
		t.Errorf("promoted: %s, epoch %d, %v", got, now.Activation.Epoch, now.Promotion)
	}
	if now.Processes(1, at(11)) || !now.Processes(1, at(9)) || !now.Processes(2, at(11)) || now.Processes(2, at(9)) {
		t.Error("a crash is processed in a version that nobody sees it in, or not in the other")
	}
	if d := cmp.Diff(offsets(100, 200), now.Version(1).Ends); d != "" {
		t.Error(d)
	}

	// Back: version 1 goes on from its ends, and takes its place again.
	now = must(t, now, func() (*schema.VersionEvent, error) { return halted(now, 1) })
	if got := states(now); got != "held live ended live" {
		t.Errorf("halted: %s", got)
	}
	now = must(t, now, func() (*schema.VersionEvent, error) { return reopened(now, 1, 1) })
	if v := now.Version(1); v.State != schema.StateLive || v.Ends != nil {
		t.Errorf("reopened: %+v", v)
	}
	back := Show(now.Activation.Ranges, 1, at(10), at(end), 3)
	now = must(t, now, func() (*schema.VersionEvent, error) { return held(now, back) })
	now = must(t, now, func() (*schema.VersionEvent, error) { return promoted(now, map[int32]stop{2: {offsets(300), nil}}) })
	if got := text(now.Activation.Ranges); got != "-10 v1.e1, 10- v1.e3" {
		t.Errorf("back: %s", got)
	}
	if got := states(now); got != "live ended ended live" {
		t.Errorf("back: %s", got)
	}
}

// A version that was narrowed has done all before its first ends alone: they stay.
func TestSecondPromotionKeepsTheEnds(t *testing.T) {
	now := state()
	now.Versions[0].State, now.Versions[0].Ends = schema.StateNarrowed, offsets(50)
	now.Activation.Ranges = []schema.ActiveRange{ranged(begin, 15, 1, 1), ranged(15, end, 2, 2)}
	now = must(t, now, func() (*schema.VersionEvent, error) {
		return held(now, Show(now.Activation.Ranges, 2, at(10), at(end), 3))
	})
	now = must(t, now, func() (*schema.VersionEvent, error) {
		return promoted(now, map[int32]stop{1: {offsets(500), nil}})
	})
	if d := cmp.Diff(offsets(50), now.Version(1).Ends); d != "" {
		t.Error(d)
	}
}

func TestAbortLeavesEverythingAsItWas(t *testing.T) {
	now := state()
	next := must(t, now, func() (*schema.VersionEvent, error) {
		return held(now, Show(now.Activation.Ranges, 2, at(10), at(end), 2))
	})
	back := must(t, next, func() (*schema.VersionEvent, error) { return aborted(next) })
	if d := cmp.Diff(now, back); d != "" {
		t.Error(d)
	}
}

func TestDropLeavesTheNumber(t *testing.T) {
	now := state()
	now.Versions[2].Ruleset = []schema.RulesetFile{{Name: "a", Text: "b"}}
	now = must(t, now, func() (*schema.VersionEvent, error) { return dropping(now, 3, nil) })
	if again, err := dropping(now, 3, nil); again != nil || err != nil {
		t.Errorf("a drop that goes on: %v, %v", again, err)
	}
	now = must(t, now, func() (*schema.VersionEvent, error) { return dropped(now, 3) })
	if v := now.Version(3); v.State != schema.StateDropped || v.Ruleset != nil {
		t.Errorf("%+v", v)
	}
	now = must(t, now, func() (*schema.VersionEvent, error) { return started(now, schema.SignatureVersion{}) })
	if n := now.Versions[len(now.Versions)-1].Number; n != 5 {
		t.Errorf("the new version has number %d", n)
	}
}

func TestRetire(t *testing.T) {
	now := state()
	now.Activation.Ranges = []schema.ActiveRange{ranged(begin, 12, 1, 1), ranged(12, 13, 2, 2), ranged(13, end, 1, 1)}
	now = must(t, now, func() (*schema.VersionEvent, error) { return halted(now, 2) })
	now = must(t, now, func() (*schema.VersionEvent, error) { return retired(now, 2, stop{offsets(9), nil}) })
	if v := now.Version(2); v.State != schema.StateNarrowed || !cmp.Equal(v.Ends, offsets(9)) {
		t.Errorf("seen for a day: %+v", v)
	}
}

// underWay is a state with a promotion.
func underWay(t *testing.T) *schema.VersionEvent {
	now := state()
	return must(t, now, func() (*schema.VersionEvent, error) {
		return held(now, Show(now.Activation.Ranges, 2, at(10), at(end), 2))
	})
}

func TestRefusals(t *testing.T) {
	all := func(n int32) []schema.ActiveRange {
		return Show(state().Activation.Ranges, n, at(begin), at(end), 2)
	}
	full := state()
	for len(full.Versions) < maxVersions+1 { // one of them has ended
		full.Versions = append(full.Versions, schema.SignatureVersion{Number: int32(len(full.Versions) + 1), State: schema.StateLive})
	}
	almost := full.Clone()
	almost.Versions[5].State = schema.StateDropped
	pausedState := state()
	pausedState.Versions[1].Paused = true
	seen3 := state()
	seen3.Activation.Ranges = []schema.ActiveRange{ranged(begin, 5, 3, 1), ranged(5, end, 1, 1)}
	for _, c := range []struct {
		name   string
		decide func() (*schema.VersionEvent, error)
		want   string // part of the error; empty: it is allowed
	}{
		{"start in an empty log", func() (*schema.VersionEvent, error) { return started(nil, schema.SignatureVersion{}) }, "empty"},
		{"start one too many", func() (*schema.VersionEvent, error) { return started(full, schema.SignatureVersion{}) }, "retire, archive or drop one first"},
		{"start the last one", func() (*schema.VersionEvent, error) { return started(almost, schema.SignatureVersion{}) }, ""},
		{"start during a promotion", func() (*schema.VersionEvent, error) { return started(underWay(t), schema.SignatureVersion{}) }, "under way"},
		{"pause an ended one", func() (*schema.VersionEvent, error) { return paused(state(), 3, true) }, "ended"},
		{"pause none", func() (*schema.VersionEvent, error) { return paused(state(), 9, true) }, "no signature version 9"},
		{"show one for more than it is made for", func() (*schema.VersionEvent, error) { return held(state(), all(2)) }, "not made for all"},
		{"show an ended one", func() (*schema.VersionEvent, error) { return held(state(), all(3)) }, "it is ended"},
		{"show a paused one", func() (*schema.VersionEvent, error) {
			return held(pausedState, Show(pausedState.Activation.Ranges, 2, at(10), at(end), 2))
		}, "paused"},
		{"show none", func() (*schema.VersionEvent, error) { return held(state(), all(9)) }, "does not exist"},
		{"show what is seen", func() (*schema.VersionEvent, error) { return held(state(), all(1)) }, "nothing would change"},
		{"a second promotion", func() (*schema.VersionEvent, error) { return held(underWay(t), all(4)) }, "under way"},
		{"finish none", func() (*schema.VersionEvent, error) { return promoted(state(), nil) }, "no promotion"},
		{"abort none", func() (*schema.VersionEvent, error) { return aborted(state()) }, "no promotion"},
		{"retire during a promotion", func() (*schema.VersionEvent, error) { return halted(underWay(t), 4) }, "under way"},
		{"reopen a live one", func() (*schema.VersionEvent, error) { return reopened(state(), 2, 1) }, "live"},
		{"drop what is seen", func() (*schema.VersionEvent, error) { return dropping(seen3, 3, nil) }, "is seen"},
		{"drop what another one is made of", func() (*schema.VersionEvent, error) { return dropping(state(), 2, map[int32]bool{4: true}) }, "still being made"},
		{"drop what another one was made of", func() (*schema.VersionEvent, error) { return dropping(state(), 2, map[int32]bool{4: false}) }, ""},
		{"finish a drop that was not begun", func() (*schema.VersionEvent, error) { return dropped(state(), 3) }, "ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			next, err := c.decide()
			switch {
			case c.want == "" && (err != nil || next == nil):
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want an error with %q", err, c.want)
			case c.want == "under way" && !errors.Is(err, ErrUnderWay):
				t.Errorf("%v is not ErrUnderWay", err)
			}
		})
	}
}

// Versions that are seen of the past alone cost nothing and count for no limit, however many
// promotions left one.
func TestArchivedVersionsCountForNoLimit(t *testing.T) {
	now := state()
	now.Versions = now.Versions[:1]
	for n := int32(2); n < 200; n++ {
		since := at(int(n % 28))
		next := must(t, now, func() (*schema.VersionEvent, error) {
			return started(now, schema.SignatureVersion{Share: 1, From: &since})
		})
		ranges := Show(next.Activation.Ranges, n, since, at(end), next.Activation.Epoch+1)
		holding := must(t, next, func() (*schema.VersionEvent, error) { return held(next, ranges) })
		now = must(t, holding, func() (*schema.VersionEvent, error) {
			return promoted(holding, map[int32]stop{n - 1: {offsets(int64(n)), offsets(int64(n))}})
		})
		if now.Version(n-1).State == schema.StateNarrowed {
			taken := must(t, now, func() (*schema.VersionEvent, error) { return archiving(now, n-1) })
			now = must(t, taken, func() (*schema.VersionEvent, error) { return archived(taken, n-1) })
		}
	}
	for _, v := range now.Versions[:198] {
		if shown := now.Activation.Names(v.Number); shown != (v.State == schema.StateArchived) || !shown && v.State != schema.StateEnded {
			t.Errorf("version %d is %s, shown %v", v.Number, v.State, shown)
		}
	}
	if _, err := archived(now, 1); err == nil {
		t.Error("archived twice")
	}
	if _, err := archiving(now, 199); err == nil {
		t.Error("what is live was archived")
	}
}

// What is refused is refused in these words, whatever state a version has.
func TestRefusalsSayWhatAVersionIs(t *testing.T) {
	of := func(s string) *schema.VersionEvent {
		e := state()
		e.Versions[2].State = s
		return e
	}
	const live, ended, going, gone = schema.StateLive, schema.StateEnded, schema.StateDropping, schema.StateDropped
	all := []string{live, schema.StateHeld, schema.StateNarrowed, schema.StateArchiving, schema.StateArchived, ended, going, gone}
	for name, tc := range map[string]struct {
		decide  func(*schema.VersionEvent) (*schema.VersionEvent, error)
		allowed map[string]string // the states after it, by the states before; empty: nothing is to be done
		want    string            // else
	}{
		"pause":    {func(e *schema.VersionEvent) (*schema.VersionEvent, error) { return paused(e, 3, true) }, map[string]string{live: live}, "signature version 3 is %s: nothing of it is replayed"},
		"share":    {func(e *schema.VersionEvent) (*schema.VersionEvent, error) { return shared(e, 3, 1) }, map[string]string{live: live}, "signature version 3 is %s: nothing of it is replayed"},
		"halt":     {func(e *schema.VersionEvent) (*schema.VersionEvent, error) { return halted(e, 3) }, map[string]string{live: schema.StateHeld, schema.StateNarrowed: schema.StateHeld, schema.StateHeld: "", schema.StateArchiving: "", schema.StateArchived: "", ended: ""}, "signature version 3 is %s"},
		"retire":   {func(e *schema.VersionEvent) (*schema.VersionEvent, error) { return retired(e, 3, stop{}) }, map[string]string{schema.StateHeld: ended}, "signature version 3 is %s"},
		"reopen":   {func(e *schema.VersionEvent) (*schema.VersionEvent, error) { return reopened(e, 3, 1) }, map[string]string{ended: live, schema.StateHeld: live, schema.StateArchived: live}, "signature version 3 is %s"},
		"archive":  {func(e *schema.VersionEvent) (*schema.VersionEvent, error) { return archiving(e, 3) }, map[string]string{schema.StateNarrowed: schema.StateArchiving, schema.StateArchiving: ""}, "signature version 3 is %s: only one that is narrowed can be archived"},
		"archived": {func(e *schema.VersionEvent) (*schema.VersionEvent, error) { return archived(e, 3) }, map[string]string{schema.StateArchiving: schema.StateArchived}, "signature version 3 is %s"},
		"drop": {func(e *schema.VersionEvent) (*schema.VersionEvent, error) { return dropping(e, 3, nil) }, map[string]string{
			live: going, schema.StateHeld: going, schema.StateNarrowed: going, schema.StateArchiving: going, schema.StateArchived: going, ended: going, going: "",
		}, "signature version 3 is %s"},
		"dropped": {func(e *schema.VersionEvent) (*schema.VersionEvent, error) { return dropped(e, 3) }, map[string]string{going: gone}, "signature version 3 is %s"},
	} {
		for _, s := range all {
			after, allowed := tc.allowed[s]
			next, err := tc.decide(of(s))
			switch {
			case allowed && (err != nil || (next == nil) != (after == "") || next != nil && next.Version(3).State != after):
				t.Errorf("%s of one that is %s: %+v, %v, want %s", name, s, next, err, after)
			case !allowed && (err == nil || err.Error() != strings.ReplaceAll(tc.want, "%s", s)):
				t.Errorf("%s of one that is %s: %v", name, s, err)
			}
		}
		if next, err := tc.decide(nil); next != nil || err == nil || err.Error() != "crash.versions is empty: topics create announces the first signature version" {
			t.Errorf("%s in an empty log: %v, %v", name, next, err)
		}
		waiting := of(slices.Sorted(maps.Keys(tc.allowed))[0])
		waiting.Promotion = &schema.Promotion{}
		if next, err := tc.decide(waiting); !errors.Is(err, ErrUnderWay) && name != "dropped" {
			t.Errorf("%s during a promotion: %v, %v", name, next, err)
		}
	}
}

// A version wins no more than it is made for, to the millisecond.
func TestAVersionWinsWhatItIsMadeFor(t *testing.T) {
	v := &schema.SignatureVersion{Number: 2, State: schema.StateLive, From: new(at(3)), To: new(at(9))}
	const part = "it is not made for all crashes of the range: give --from and --to of its replay"
	for name, tc := range map[string]struct {
		v    *schema.SignatureVersion
		move change
		want string
	}{
		"all of it":             {v, change{at(3), at(9), 1, 2}, ""},
		"before":                {v, change{at(3).Add(-1), at(9), 1, 2}, part},
		"behind":                {v, change{at(3), at(9).Add(1), 1, 2}, part},
		"what another one wins": {v, change{at(begin), at(end), 1, 3}, ""},
		"without ends":          {&schema.SignatureVersion{Number: 2, State: schema.StateLive}, change{at(begin), at(end), 1, 2}, ""},
		"none":                  {nil, change{}, "it does not exist"},
		"a held one":            {&schema.SignatureVersion{Number: 2, State: schema.StateHeld}, change{}, "it is held"},
		"a paused one":          {&schema.SignatureVersion{Number: 2, State: schema.StateLive, Paused: true}, change{}, "it is paused: replay resume lets it go on"},
	} {
		err := canWin(tc.v, []change{tc.move})
		if (err == nil) != (tc.want == "") || err != nil && err.Error() != tc.want {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// What loses something and wins something else goes on, and what is not processed is not held.
func TestOnlyWhatIsProcessedAndLosesIsHeld(t *testing.T) {
	now := state()
	now.Activation.Ranges = []schema.ActiveRange{ranged(begin, 5, 3, 1), ranged(5, 12, 1, 1), ranged(12, end, 4, 1)}
	to := []schema.ActiveRange{ranged(begin, 5, 1, 2), ranged(5, 11, 1, 1), ranged(11, 12, 2, 2), ranged(12, end, 2, 2)}
	next := must(t, now, func() (*schema.VersionEvent, error) { return held(now, to) })
	if got := states(next); got != "live live ended held" {
		t.Errorf("%s", got)
	}
	if d := cmp.Diff([]schema.HeldVersion{{Number: 4, State: schema.StateLive}}, next.Promotion.Held); d != "" {
		t.Error(d)
	}
	done := must(t, next, func() (*schema.VersionEvent, error) {
		return promoted(next, map[int32]stop{4: {offsets(1), offsets(2)}})
	})
	if v := done.Version(4); v.State != schema.StateEnded || !cmp.Equal(v.Ends, offsets(1)) || !cmp.Equal(v.RequestEnds, offsets(2)) {
		t.Errorf("%+v", v)
	}
	if _, err := held(now, []schema.ActiveRange{ranged(begin, end, 3, 2)}); err == nil || err.Error() != "signature version 3 cannot be seen: it is ended" {
		t.Error(err)
	}
}

// An archived version that nothing shows any more has ended, and one that is shown stays.
func TestAnArchivedVersionEndsWhenNothingOfItIsSeen(t *testing.T) {
	now := state()
	now.Versions[2].State = schema.StateArchived
	now.Activation.Ranges = []schema.ActiveRange{ranged(begin, 5, 3, 1), ranged(5, end, 1, 1)}
	for from, want := range map[int]string{3: schema.StateArchived, begin: schema.StateEnded} {
		next := must(t, now, func() (*schema.VersionEvent, error) {
			return held(now, Show(now.Activation.Ranges, 4, at(from), at(end), 2))
		})
		next = must(t, next, func() (*schema.VersionEvent, error) { return promoted(next, nil) })
		if got := next.Version(3).State; got != want {
			t.Errorf("from day %d: %s, want %s", from, got, want)
		}
	}
}
