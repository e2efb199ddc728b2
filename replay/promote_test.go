package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// promotable is a resting fleet whose two versions have come to the end and have the crashes
// of the days 1 to 4, which lie in both partitions. Who looks at the versions log projects what
// is seen, as the ClickHouse sink does.
func promotable(t *testing.T, db *clickhouse.DB, change func(e *schema.VersionEvent)) *resting {
	t.Helper()
	r := rest(t, with(beside(t), change), 1, 2, 3)
	r.o.DB = db
	r.raw(0, 1, 2, 3)
	r.raw(1, 4)
	r.fill(schema.TopicReprocess, 0, 2)
	for n := int32(1); n <= 3; n++ {
		r.fill(schema.ProcessedTopic(n), 0, 3)
		r.fill(schema.ProcessedTopic(n), 1, 1)
		r.come(schema.ProcessGroup(n), schema.TopicRaw, 3, 1)
		r.come(schema.ReprocessGroup(n), schema.TopicReprocess, 2, 0)
		r.come(schema.SinkGroup(clickhouse.Name, n), schema.ProcessedTopic(n), 3, 1)
	}
	r.come(schema.TelemetryGroup(1, 1), schema.ProcessedTopic(1), 3, 1)
	return r
}

// project lets the views show what the versions log says.
func (r *resting) project() {
	f := streamtest.Following(r.t, r.k)
	streamtest.Run(r.t, func(ctx context.Context) error {
		f.Each(ctx, func(e *schema.VersionEvent) {
			if err := r.o.DB.Activate(ctx, e.Activation); err != nil && ctx.Err() == nil {
				r.t.Error(err)
			}
		})
		return nil
	})
}

// day is the crash of a day, as a version stores it.
func (r *resting) stores(version int32, signature string, days ...int) {
	r.t.Helper()
	for _, day := range days {
		row := stored(crashID(day, "261122"), version, 0, int64(day), at(day), signature, "")
		row.Position.Offset = 0 // looked at before anything is held
		write(r.t, r.o.DB, row)
	}
}

// seen are the crashes that analysts see.
func (r *resting) seen() string {
	r.t.Helper()
	return strings.Join(asked(r.t, r.o.DB, "SELECT concat(toString(toDayOfMonth(received_at)), ' v', toString(signature_version), ' ', signature) FROM aftershock.crashes ORDER BY received_at, signature_version"), ", ")
}

// soon are bounds for what does not have to wait.
var soon = PromoteOptions{CatchUp: time.Minute, Hold: time.Minute}

func (r *resting) promote(n int32, from, to int, opts PromoteOptions) error {
	_, err := r.o.Promote(r.t.Context(), n, at(from), at(to), opts)
	return err
}

// A promotion holds what loses something, and changes what is seen with one event.
func TestAPromotionChangesWhatIsSeen(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(*schema.VersionEvent) {})
	r.project()
	r.stores(1, "f", 1, 2, 3, 4)
	r.stores(2, "f | a", 1, 2, 3, 4)
	r.stores(3, "of another one", 1, 2, 3, 4)
	before := r.newest()
	seen := soon // by somebody who has looked at another state of things
	seen.Epoch = r.newest().Activation.Epoch + 1
	if _, err := r.o.Promote(t.Context(), 2, schema.TimeBegin, schema.TimeEnd, seen); err == nil || !strings.Contains(err.Error(), "somebody has changed it") || !cmp.Equal(before, r.newest()) {
		t.Errorf("%v", err)
	}
	seen.Epoch--
	took, err := r.o.Promote(t.Context(), 2, schema.TimeBegin, schema.TimeEnd, seen)
	if err != nil {
		t.Fatal(err)
	}
	// The operator's clock goes on by a second with each look: at the decision, the event, and
	// when all is done.
	if took != (Flipped{Held: 3 * time.Second, Views: 3 * time.Second}) {
		t.Errorf("%+v", took)
	}
	if got := r.events(3); got != "announce 0, hold 2, promote 2" {
		t.Errorf("%s", got)
	}
	e := r.operated(schema.OpPromote, 2)
	want := with(before, func(want *schema.VersionEvent) {
		v := want.Version(1)
		v.State, v.Ends, v.RequestEnds = schema.StateEnded, offsets(3, 1), offsets(2, 0)
		want.Activation = schema.Activation{Epoch: 2, Ranges: []schema.ActiveRange{ranged(begin, end, 2, 2)}}
	})
	if d := differs([]any{want.Versions, want.Activation, want.Promotion}, []any{e.Versions, e.Activation, e.Promotion}); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if got := r.seen(); got != "1 v2 f | a, 2 v2 f | a, 3 v2 f | a, 4 v2 f | a" {
		t.Errorf("seen: %s", got)
	}
	if got := asked(t, r.o.DB, "SELECT concat(toString(epoch), ': ', old_signature, ' > ', new_signature, ' ', toString(crashes)) FROM aftershock.lineage"); !slices.Equal(got, []string{"2: f > f | a 4"}) {
		t.Errorf("lineage: %q", got)
	}
	if len(r.heard()) > 0 {
		t.Errorf("told %q", r.told)
	}
	r.refuses(func() error { return r.promote(1, begin, end, soon) }, "signature version 1 cannot be seen: it is ended")
	r.refuses(func() error { return r.promote(2, 3, 9, soon) }, "nothing would change: that is what is seen already")
	r.refuses(func() error { return r.promote(9, begin, end, soon) }, "there is no signature version 9")
	empty := rest(t, nil)
	if err := empty.promote(1, begin, end, soon); err == nil || !strings.HasPrefix(err.Error(), "crash.versions is empty") {
		t.Error(err)
	}
}

// A version that is made for some time is promoted for no more, and the one before it is
// archived behind that.
func TestAVersionIsPromotedForWhatItIsMadeFor(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(e *schema.VersionEvent) { e.Versions[1].From, e.Versions[1].To = new(at(2)), new(at(9)) })
	r.project()
	r.stores(1, "f", 1, 2, 3, 4)
	r.stores(2, "g", 2, 3, 4)
	none := "signature version 2 is not made for any crash of that range"
	r.refuses(func() error { return r.promote(2, begin, 2, soon) }, none)
	r.refuses(func() error { return r.promote(2, 9, end, soon) }, none)
	if err := r.promote(2, begin, 4, soon); err != nil {
		t.Fatal(err)
	}
	e := r.operated(schema.OpPromote, 2)
	if got := text(e.Activation.Ranges); got != "-2 v1.e1, 2-4 v2.e2, 4- v1.e1" || e.Version(1).State != schema.StateNarrowed || !slices.Equal(e.Version(1).Ends, offsets(3, 1)) {
		t.Errorf("%s: %+v", got, e.Version(1))
	}
	if got := r.seen(); got != "1 v1 f, 2 v2 g, 3 v2 g, 4 v1 f" {
		t.Errorf("seen: %s", got)
	}
	if len(r.heard()) > 0 {
		t.Errorf("told %q", r.told)
	}
}

// What is waited for before anything is held, and what while it is. Nothing is changed by a
// promotion that waits in vain.
func TestAPromotionWaitsForBothVersions(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	seed := promotable(t, db, func(*schema.VersionEvent) {})
	seed.stores(1, "f", 1, 2, 3, 4)
	seed.stores(2, "f", 1, 2, 3, 4)
	const (
		catchUp = "it is not complete (--catch-up)"
		goesOn  = "not promoted, and everything goes on as before: "
		hold    = "what is seen must not stand still any longer (--hold)"
	)
	signed := func(e *schema.VersionEvent) {
		e.Versions[1].Base, e.Versions[1].BaseEnds, e.Versions[1].Source = 1, offsets(2, 0), schema.SourceProcessed
	}
	for name, tc := range map[string]struct {
		state  func(e *schema.VersionEvent)
		behind func(r *resting)
		want   [2]string // what is waited for, and what is left of it
		held   bool
	}{
		"the new one is behind": {
			behind: func(r *resting) { r.come(schema.ProcessGroup(2), schema.TopicRaw, 1, 1) },
			want:   [2]string{"process.v2", "2 records of crash.raw behind"},
		},
		"it is not signed again yet": {
			state:  signed,
			behind: func(r *resting) { r.come(schema.ResignGroup(2), schema.ProcessedTopic(1), 1, 0) },
			want:   [2]string{"resign.v2", "1 records of crash.processed.v1 behind"},
		},
		"it is not stored yet": {
			behind: func(r *resting) { r.come(schema.SinkGroup(clickhouse.Name, 2), schema.ProcessedTopic(2), 3, 0) },
			want:   [2]string{"sink.clickhouse.v2", "1 records of crash.processed.v2 behind"},
		},
		"what was asked for again is not": {
			behind: func(r *resting) { r.come(schema.ReprocessGroup(2), schema.TopicReprocess, 1, 0) },
			want:   [2]string{"reprocess.v2", "1 records of crash.reprocess behind"}, held: true,
		},
		"the old one is not stored": {
			behind: func(r *resting) { r.come(schema.SinkGroup(clickhouse.Name, 1), schema.ProcessedTopic(1), 1, 1) },
			want:   [2]string{"sink.clickhouse.v1", "2 records of crash.processed.v1 behind"}, held: true,
		},
		"the old one is not published": {
			behind: func(r *resting) { r.come(schema.TelemetryGroup(1, 1), schema.ProcessedTopic(1), 0, 1) },
			want:   [2]string{"sink.telemetry.v1.e1", "3 records of crash.processed.v1 behind"}, held: true,
		},
		"the old one is still processed": {
			behind: func(r *resting) {
				member, err := r.k.GroupClient(schema.ProcessGroup(1), schema.TopicRaw, "0")
				if err != nil {
					r.t.Fatal(err)
				}
				r.t.Cleanup(member.Close)
				if _, err := r.c.WaitGroupStable(r.t.Context(), schema.ProcessGroup(1), 1); err != nil {
					r.t.Fatal(err)
				}
			},
			want: [2]string{"members to leave", "process.v1"}, held: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.state == nil {
				tc.state = func(*schema.VersionEvent) {}
			}
			r := promotable(t, db, tc.state)
			tc.behind(r)
			before := r.newest()
			cause, events, opts := catchUp, "announce 0", PromoteOptions{CatchUp: patience, Hold: soon.Hold}
			if tc.held {
				cause, events, opts = hold, "announce 0, hold 2, abort 2", PromoteOptions{CatchUp: soon.CatchUp, Hold: patience}
			}
			err := r.promote(2, begin, end, opts)
			if tc.held {
				if !strings.HasPrefix(fmt.Sprint(err), goesOn) {
					t.Fatalf("%v", err)
				}
				err = errors.New(strings.TrimPrefix(err.Error(), goesOn))
			}
			if !waited(err, tc.want[0], tc.want[1], cause) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			e := r.newest()
			if d := differs([]any{before.Versions, before.Activation, before.Promotion}, []any{e.Versions, e.Activation, e.Promotion}); d != "" {
				t.Errorf("(-before +after)\n%s", d)
			}
			if got := r.events(9); got != events {
				t.Errorf("%s, want %s", got, events)
			}
		})
	}
}

// A promotion that was begun and not finished is begun anew by the same command, and refused
// to others.
func TestAPromotionThatWasBegunIsBegunAnew(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(e *schema.VersionEvent) {
		third := e.Versions[1]
		third.Number = 3
		e.Versions = append(e.Versions, third)
	})
	r.project()
	r.stores(1, "f", 1, 2, 3, 4)
	r.stores(2, "g", 1, 2, 3, 4)
	holding, err := held(r.newest(), Show(r.newest().Activation.Ranges, 2, at(begin), at(end), 2))
	if err != nil {
		t.Fatal(err)
	}
	holding.Operation, holding.Subject, holding.At = schema.OpHold, 2, at(20)
	r.state(holding)
	r.refuses(func() error { return r.promote(3, begin, end, soon) }, "of signature version [2]: "+ErrUnderWay.Error())
	if err := r.promote(3, begin, end, soon); !errors.Is(err, ErrUnderWay) {
		t.Error(err)
	}
	r.refuses(func() error { _, err := r.o.Start(t.Context(), starting(t, func(*StartOptions) {})); return err }, ErrUnderWay.Error())
	if err := r.promote(2, begin, end, soon); err != nil {
		t.Fatal(err)
	}
	if got := r.events(4); got != "hold 2, abort 2, hold 2, promote 2" {
		t.Errorf("%s", got)
	}
	if want := []string{"a promotion was begun at 2026-11-20T00:00:00Z and not finished: beginning anew"}; !slices.Equal(r.heard(), want) {
		t.Errorf("told %q, want %q", r.told, want)
	}
	if got := r.seen(); got != "1 v2 g, 2 v2 g, 3 v2 g, 4 v2 g" {
		t.Errorf("seen: %s", got)
	}
}

// A hold that was committed although its operator is told otherwise holds nothing.
func TestAHoldOfWhichTheAnswerIsLostIsEnded(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(*schema.VersionEvent) {})
	r.o.Now = func() time.Time { return at(20) }
	looks := 0
	_, err := r.o.show(t.Context(), 2, soon, func(now *schema.VersionEvent) ([]schema.ActiveRange, error) {
		ranges := Show(now.Activation.Ranges, 2, at(begin), at(end), 2)
		if looks++; looks == 2 { // it is as if the same operator had done it and not known
			if _, err := stream.Operate(t.Context(), r.k, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
				next, err := held(now, ranges)
				return r.o.stamp(next, schema.OpHold, 2), err
			}); err != nil {
				t.Error(err)
			}
		}
		return ranges, nil
	})
	if want := "not promoted, and everything goes on as before: " + stream.ErrOtherOperator.Error(); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	if got := r.events(2); got != "hold 2, abort 2" || states(r.newest()) != "live live" {
		t.Errorf("%s, versions are %s", got, states(r.newest()))
	}
}

// Who is refused by the brokers in between is told, and nothing is held any more.
func TestAPromotionIsWholeOrNone(t *testing.T) {
	t.Parallel()
	r := promotable(t, openDB(t), func(e *schema.VersionEvent) {
		e.Versions[1].Base, e.Versions[1].BaseEnds = 1, offsets(2, 0)
	})
	r.project()
	r.stores(1, "f", 1, 2, 3, 4)
	r.stores(2, "g", 1, 2, 3, 4)
	r.come(schema.ResignGroup(2), schema.ProcessedTopic(1), 2, 0)
	before := r.newest()
	r.refusedEach(func(ctx context.Context) error {
		_, err := r.o.Promote(ctx, 2, at(begin), at(end), soon)
		if err != nil && r.newest().Promotion != nil && !strings.Contains(err.Error(), "what is seen stands still until replay promote --abort") {
			t.Errorf("something is held, and nobody was told: %v", err)
		}
		return err
	}, func() error {
		if e := r.newest(); e.Activation.Epoch < 2 || e.Promotion != nil || e.Activation.Seen(at(9)) != 2 {
			return fmt.Errorf("%w: %+v", errNotWhole, e.Activation)
		}
		r.back(before)
		return nil
	})
}
