package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// An operation's error says whether somebody else operated, or what is not allowed.
func TestErrorsOfOperations(t *testing.T) {
	if err := operateError(fmt.Errorf("end: %w", kerr.ProducerFenced)); !errors.Is(err, ErrOtherOperator) || !errors.Is(err, kerr.ProducerFenced) {
		t.Error(err)
	}
	if err := operateError(kerr.TransactionalIDAuthorizationFailed); errors.Is(err, ErrOtherOperator) || err.Error() != "versions log: not allowed to WRITE transactional id aftershock.versions: grant it (docs/operations.md, Kafka access): "+kerr.TransactionalIDAuthorizationFailed.Error() {
		t.Error(err)
	}
	result := func(topic string, err error) kgo.ProduceResult {
		return kgo.ProduceResult{Record: &kgo.Record{Topic: topic}, Err: err}
	}
	refused, away := kerr.TopicAuthorizationFailed, errors.New("away")
	for name, tc := range map[string]struct {
		results kgo.ProduceResults
		want    string
	}{
		"none":       {kgo.ProduceResults{result("a", nil), result("b", nil)}, ""},
		"away":       {kgo.ProduceResults{result("a", nil), result("b", away)}, "away"},
		"refused":    {kgo.ProduceResults{result("a", away), result("b", refused), result("c", refused), result("b", refused)}, "not allowed to WRITE topic b, c: "},
		"one is not": {kgo.ProduceResults{result("a", nil), result("b", refused)}, "not allowed to WRITE topic b: "},
	} {
		err := produceError(tc.results)
		if (err == nil) != (tc.want == "") || err != nil && !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	newest := newestOf([]*kgo.Record{{Topic: "a", Offset: 3}, {Topic: "a", Offset: 5}, {Topic: "a", Offset: 4}, {Topic: "a", Partition: 1, Offset: 1}, {Topic: "b", Offset: 0}})
	var got []string
	for at, r := range newest {
		got = append(got, fmt.Sprint(at, " ", r.Offset))
	}
	if slices.Sort(got); !slices.Equal(got, []string{"a/0 5", "a/1 1", "b/0 0"}) {
		t.Errorf("%q", got)
	}
	requests := make([]schema.ReprocessRequest, MaxOperationRequests+1)
	if _, err := (&Operation{Requests: requests}).records(t.Context(), Kafka{}); err == nil || err.Error() != "100001 crashes to be processed again, more than 100000 at a time" {
		t.Error(err)
	}
}

// Two states are the same for a version when they say the same about which crashes are its.
func TestStatesThatAreTheSameForAVersion(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	of := func(change func(e *schema.VersionEvent)) *schema.VersionEvent {
		e := &schema.VersionEvent{Versions: []schema.SignatureVersion{{Number: 1, State: schema.StateLive, From: new(noon)}, {Number: 2}}, Activation: schema.Activation{Epoch: 3}}
		change(e)
		return e
	}
	same := of(func(*schema.VersionEvent) {})
	for name, tc := range map[string]struct {
		a, b *schema.VersionEvent
		want bool
	}{
		"the same":           {same, same, true},
		"none":               {nil, nil, true},
		"one of them none":   {same, nil, false},
		"the other none":     {nil, same, false},
		"equal":              {same, of(func(*schema.VersionEvent) {}), true},
		"the share":          {same, of(func(e *schema.VersionEvent) { e.Versions[0].Share, e.Versions[0].Paused = 1, true }), true},
		"another version":    {same, of(func(e *schema.VersionEvent) { e.Versions[1].State = schema.StateLive }), true},
		"the state":          {same, of(func(e *schema.VersionEvent) { e.Versions[0].State = schema.StateHeld }), false},
		"the epoch":          {same, of(func(e *schema.VersionEvent) { e.Activation.Epoch = 4 }), false},
		"another beginning":  {same, of(func(e *schema.VersionEvent) { e.Versions[0].From = new(noon.Add(1)) }), false},
		"no beginning":       {same, of(func(e *schema.VersionEvent) { e.Versions[0].From = nil }), false},
		"an end":             {same, of(func(e *schema.VersionEvent) { e.Versions[0].To = new(noon) }), false},
		"the zone of a time": {same, of(func(e *schema.VersionEvent) { e.Versions[0].From = new(noon.In(time.FixedZone("", 3600))) }), true},
		"it is gone":         {same, of(func(e *schema.VersionEvent) { e.Versions = e.Versions[1:] }), false},
		"it has come":        {of(func(e *schema.VersionEvent) { e.Versions = e.Versions[1:] }), same, false},
		"it never was": {
			of(func(e *schema.VersionEvent) { e.Versions = nil }), of(func(e *schema.VersionEvent) { e.Versions = nil }), true,
		},
	} {
		if sameFor(1, tc.a, tc.b) != tc.want {
			t.Errorf("%s: %v", name, !tc.want)
		}
	}
}

// What was followed goes on and never back, and who waits for it is woken.
func TestAFollowerGoesOnAndNeverBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFollowing(Kafka{})
		first, second := &schema.VersionEvent{Subject: 1}, &schema.VersionEvent{Subject: 2}
		f.came(first, 5)
		f.came(nil, 6)
		f.came(second, 6)
		if f.Newest() != first || f.next != 6 {
			t.Errorf("%+v at %d", f.Newest(), f.next)
		}
		f.came(second, 7)
		if f.Newest() != second || f.next != 7 {
			t.Errorf("%+v at %d", f.Newest(), f.next)
		}
		f.came(nil, 3)
		if f.next != 7 {
			t.Errorf("back at %d", f.next)
		}
		asked := time.Now()
		if state, err := f.await(t.Context(), 7, asked); err != nil || state != second || !f.seen.Equal(asked) {
			t.Errorf("%v, %v", state, err)
		}
		// It is fresh for less than a second, for who has joined before.
		for name, tc := range map[string]struct {
			joined time.Duration
			later  time.Duration
			want   bool
		}{"joined before": {-1, 0, true}, "joined then": {0, 0, false}, "nearly a second": {-1, currentAge - 1, true}, "a second": {-1, currentAge, false}} {
			f.seen = time.Now()
			joined := f.seen.Add(tc.joined)
			time.Sleep(tc.later)
			if _, ok := f.fresh(joined); ok != tc.want {
				t.Errorf("%s: %v", name, ok)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := f.await(ctx, 8, asked); !errors.Is(err, errNotFollowed) || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		go func() { time.Sleep(time.Second); f.came(first, 9) }()
		if state, err := f.await(t.Context(), 8, asked); err != nil || state != first {
			t.Errorf("%v, %v", state, err)
		}
		var none *Following
		if state, err := none.Current(t.Context(), asked); state != nil || err != nil || none.Newest() != nil {
			t.Errorf("%v, %v", state, err)
		}
	})
}

// The states that come while somebody is busy are seen as one, and none twice.
func TestEachSeesTheNewestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFollowing(Kafka{})
		ctx, cancel := context.WithCancel(t.Context())
		var seen []int32
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.Each(ctx, func(e *schema.VersionEvent) {
				seen = append(seen, e.Subject)
				time.Sleep(time.Second)
			})
		}()
		synctest.Wait()
		for subject := int32(1); subject <= 3; subject++ {
			f.came(&schema.VersionEvent{Subject: subject}, int64(subject))
			synctest.Wait()
		}
		f.came(nil, 9)
		time.Sleep(time.Minute)
		cancel()
		<-done
		if !slices.Equal(seen, []int32{1, 3}) {
			t.Errorf("%v", seen)
		}
	})
}

// A part's run is begun again when it ends, after a pause, but not when it is done or not wanted
// any more.
func TestPartsAreKeptGoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFollowing(Kafka{})
		state := &schema.VersionEvent{Versions: []schema.SignatureVersion{{Number: 1}, {Number: 2}, {Number: 3}}}
		began := time.Now()
		var mu sync.Mutex
		var log []string
		say := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			log = append(log, fmt.Sprint(time.Since(began), " ")+fmt.Sprintf(format, args...))
		}
		failed := errors.New("failed")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var unwantedNow atomic.Bool
		go func() {
			defer close(done)
			PerVersion(ctx, f, VersionLoop{
				Changed: func(_ context.Context, e *schema.VersionEvent) { say("changed %d", e.Subject) },
				Wanted: func(*schema.VersionEvent) []Part {
					if unwantedNow.Load() {
						return []Part{{Version: 2}}
					}
					return []Part{{Version: 1}, {Version: 9}}
				},
				Run: func(ctx context.Context, v *schema.SignatureVersion, part Part) error {
					say("run %v of %d", part, v.Number)
					if part.Version == 2 {
						return ErrDone
					}
					if time.Since(began) < 4*time.Second {
						return failed
					}
					<-ctx.Done()
					say("ended because of %v", context.Cause(ctx))
					return failed // nobody is told of what was not wanted
				},
				Failed: func(part Part, err error) { say("%v failed: %v", part, err) },
				Ended:  func(part Part) { say("%v has ended", part) },
			})
		}()
		f.came(state, 1)
		time.Sleep(7 * time.Second)
		unwantedNow.Store(true)
		f.came(&schema.VersionEvent{Subject: 5, Versions: state.Versions}, 2)
		time.Sleep(time.Minute)
		cancel()
		<-done
		slices.Sort(log)
		want := []string{
			"0s changed 0", "0s run v1 of 1", "0s v1 failed: failed", "0s v9 has ended", "5s run v1 of 1",
			"7s changed 5", "7s ended because of " + ErrUnwanted.Error(), "7s run v2 of 2", "7s v1 has ended", "7s v2 has ended",
		}
		if !slices.Equal(log, want) {
			t.Errorf("%s\nwant\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
		}
	})
	for want, part := range map[string]Part{"v2": {Version: 2}, "v2.e5": {2, 5}, "archived": {Version: schema.Archived}} {
		if got := part.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A member leaves its group when it is not wanted any more, and not when its process ends.
func TestWhoIsNotWantedLeaves(t *testing.T) {
	for cause, want := range map[error]bool{ErrUnwanted: true, ErrDone: true, context.Canceled: false, errors.New("other"): false} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(fmt.Errorf("because: %w", cause))
		if unwanted(ctx) != want {
			t.Errorf("%v: %v", cause, !want)
		}
	}
	if unwanted(t.Context()) {
		t.Error("nobody has said so")
	}
}

func TestPartitionsThatRestAreTold(t *testing.T) {
	var none *Losses
	if none.Err() != nil {
		t.Error("losses of nobody")
	}
	l := Kafka{}.NewLosses("g", "t", zerolog.Nop())
	if poll, cancel := l.Patience(t.Context()); l.Err() != nil || poll != t.Context() {
		t.Errorf("nothing is lost: %v", l.Err())
	} else {
		cancel()
	}
	l.parts[3], l.parts[4] = 7, 8
	if err := l.Err(); !errors.Is(err, ErrDataLoss) || err.Error() != "group g, 2 partitions: "+ErrDataLoss.Error() {
		t.Error(err)
	}
	poll, cancel := l.Patience(t.Context())
	defer cancel()
	if end, bounded := poll.Deadline(); !bounded || time.Until(end) > lossLook {
		t.Error("a poll without end")
	}
	l.asked = time.Now()
	if err := l.repaired(t.Context(), nil); err != nil { // it is too soon to ask
		t.Error(err)
	}
	if !Repaired(fmt.Errorf("so: %w", errRepaired)) || Repaired(ErrDataLoss) {
		t.Error("who has decided")
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	fetches := func(err error) kgo.Fetches {
		return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "t", Partitions: []kgo.FetchPartition{{Partition: 5, Err: err}}}}}}
	}
	broken := errors.New("broken")
	for name, tc := range map[string]struct {
		ctx, poll context.Context
		err       error
		want      bool // it is one
	}{
		"the poll's own end":        {t.Context(), ended, context.Canceled, false},
		"an error beside it":        {t.Context(), ended, broken, true},
		"an end of somebody else":   {t.Context(), t.Context(), context.Canceled, true},
		"the end of the whole loop": {ended, ended, context.Canceled, true},
	} {
		err := l.Look(tc.ctx, tc.poll, nil, fetches(tc.err))
		if (err != nil) != tc.want || err != nil && (!errors.Is(err, tc.err) || !strings.HasPrefix(err.Error(), "fetch t partition 5: ")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := fetchError(fetches(broken)); !errors.Is(err, broken) || err.Error() != "fetch t partition 5: broken" || fetchError(nil) != nil {
		t.Error(err)
	}
}
