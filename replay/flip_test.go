package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// holding is a versions log in which version 2 is being promoted.
func holding(t *testing.T) (o *Operator, c *kfake.Cluster, now *schema.VersionEvent) {
	t.Helper()
	k, c := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRulesets)
	o = &Operator{Kafka: k, Now: time.Now, Log: zerolog.Nop()}
	now, err := stream.Operate(t.Context(), k, func(*schema.VersionEvent) (*schema.VersionEvent, error) {
		first := state()
		next, err := held(first, Show(first.Activation.Ranges, 2, at(10), at(end), 2))
		if err != nil {
			return nil, err
		}
		return o.stamp(next, schema.OpHold, 2), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return o, c, now
}

// fence lets the next ends of transactions be refused, as when somebody else asks for the
// log's transactional id meanwhile.
func fence(c *kfake.Cluster, times int64) *atomic.Int64 {
	var refused atomic.Int64
	c.ControlKey(int16(kmsg.EndTxn), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		if refused.Add(1) > times {
			return nil, nil, false
		}
		c.KeepControl()
		res := kreq.ResponseKind().(*kmsg.EndTxnResponse)
		res.ErrorCode = kerr.InvalidProducerEpoch.Code
		return res, nil, true
	})
	return &refused
}

// An operator who comes between the last look and the last event, and is refused, must
// not leave versions held for ever.
func TestAPromotionGivesWayToNobodyWhileItHolds(t *testing.T) {
	t.Parallel()
	o, c, now := holding(t)
	refused := fence(c, 2)
	next, err := o.flip(t.Context(), 2, now.At, map[int32]stop{1: {offsets(7), nil}}, "")
	if err != nil || refused.Load() < 3 {
		t.Fatalf("refused %d times: %v", refused.Load(), err)
	}
	if next.Promotion != nil || next.Activation.Epoch != now.Activation.Epoch+1 {
		t.Errorf("%+v", next)
	}
	if newest, err := stream.NewestVersions(t.Context(), o.Kafka); err != nil || newest.Promotion != nil {
		t.Errorf("%+v, %v", newest, err)
	}
}

// What was held goes on when the promotion fails, whoever else operates; one that is
// somebody else's is left to them.
func TestGivingUpInsists(t *testing.T) {
	t.Parallel()
	o, c, now := holding(t)
	cause := errors.New("the cause")
	if err := o.giveUp(t.Context(), 2, now.At.Add(-time.Second), cause); !errors.Is(err, cause) {
		t.Error(err)
	}
	if newest, err := stream.NewestVersions(t.Context(), o.Kafka); err != nil || newest.Promotion == nil {
		t.Fatalf("somebody else's promotion was ended: %+v, %v", newest, err)
	}
	fence(c, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the hold is over
	if err := o.giveUp(ctx, 2, now.At, cause); !errors.Is(err, cause) {
		t.Error(err)
	}
	if newest, err := stream.NewestVersions(t.Context(), o.Kafka); err != nil || newest.Promotion != nil {
		t.Errorf("still held: %+v, %v", newest, err)
	}
	if _, err := o.flip(t.Context(), 2, now.At, nil, ""); !errors.Is(err, errTaken) {
		t.Errorf("promoted after it was given up: %v", err)
	}
}

// An operation of several steps is not left between them because somebody else operates,
// and an event that was committed is not written again when only the answer is lost.
func TestLaterStepsInsist(t *testing.T) {
	t.Parallel()
	o, c, _ := holding(t)
	if err := o.Abort(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	fence(c, 2)
	tries := 0
	err := o.insist(t.Context(), func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		tries++
		next, err := paused(now, 2, true)
		if err != nil {
			return nil, err
		}
		return o.stamp(next, schema.OpPause, 2), nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%d tries: %v", tries, err)
	}
	refusal := errors.New("no")
	if err := o.insist(t.Context(), func(*schema.VersionEvent) (*schema.VersionEvent, error) { return nil, refusal }); !errors.Is(err, refusal) {
		t.Errorf("%v", err)
	}
	// The answer is lost: it is as if the same operator had done it and not known.
	tries = 0
	err = o.insist(t.Context(), func(current *schema.VersionEvent) (*schema.VersionEvent, error) {
		if tries++; tries > 1 {
			t.Error("decided again on its own event")
		}
		next := o.stamp(current.Clone(), schema.OpResume, 2)
		if _, err := stream.Operate(t.Context(), o.Kafka, func(*schema.VersionEvent) (*schema.VersionEvent, error) { return next, nil }); err != nil {
			t.Error(err)
		}
		return next, nil // the operation around is fenced by the one within
	})
	if err != nil || tries != 1 {
		t.Errorf("%d tries: %v", tries, err)
	}
}

// An event of another operation, whose operator only did its last step, ends no promotion.
func TestAPromotionOutlivesWhatOthersWrite(t *testing.T) {
	t.Parallel()
	for name, finish := range map[string]func(o *Operator, began time.Time) error{
		"promoted": func(o *Operator, began time.Time) error {
			_, err := o.flip(t.Context(), 2, began, map[int32]stop{1: {offsets(7), nil}}, "")
			return err
		},
		"given up": func(o *Operator, began time.Time) error {
			if err := o.giveUp(t.Context(), 2, began, errAgain); !errors.Is(err, errAgain) {
				return err
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, _, now := holding(t)
			if err := o.steer(t.Context(), 2, schema.OpRepair, func(now *schema.VersionEvent, _ int32) (*schema.VersionEvent, error) { return now.Clone(), nil }); err != nil {
				t.Fatal(err)
			}
			if err := finish(o, now.At); err != nil {
				t.Fatal(err)
			}
			if newest, err := stream.NewestVersions(t.Context(), o.Kafka); err != nil || newest.Promotion != nil || newest.Version(1).State == schema.StateHeld {
				t.Errorf("%+v, %v", newest, err)
			}
		})
	}
}

// The second step of an operation waits for the end of a promotion that began before it.
func TestLaterStepsWaitForAPromotion(t *testing.T) {
	t.Parallel()
	o, _, now := holding(t)
	told := make(chan string, 100)
	o.Tell = func(text string) { told <- text }
	done := make(chan error, 1)
	go func() {
		done <- o.insist(t.Context(), func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
			next, err := halted(now, 4)
			if err != nil {
				return nil, err
			}
			return o.stamp(next, schema.OpHalt, 4), nil
		})
	}()
	if text := <-told; !strings.Contains(text, ErrUnderWay.Error()) {
		t.Errorf("%q", text)
	}
	if _, err := o.flip(t.Context(), 2, now.At, map[int32]stop{1: {offsets(7), nil}}, ""); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if newest, err := stream.NewestVersions(t.Context(), o.Kafka); err != nil || newest.Version(4).State != schema.StateHeld || newest.Activation.Seen(at(15)) != 2 {
		t.Errorf("%+v, %v", newest, err)
	}
}

// Who gives up tells what became of the promotion, whoever had the last word.
func TestGivingUpTellsWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	cause := errors.New("the cause")
	told := func(o *Operator, subject int32, began time.Time, cause error) string {
		return o.giveUp(t.Context(), subject, began, cause).Error()
	}
	o, c, now := holding(t)
	if err := o.giveUp(t.Context(), 2, now.At, errTaken); !errors.Is(err, errTaken) {
		t.Error(err)
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.TransactionalIDAuthorizationFailed, TopLevel: true})
	if got := told(o, 2, now.At, cause); !strings.HasPrefix(got, "the cause\nwhat is seen stands still until replay promote --abort: ") {
		t.Error(got)
	}
	if newest, err := stream.NewestVersions(t.Context(), o.Kafka); err != nil || newest.Promotion == nil {
		t.Errorf("given up all the same: %+v, %v", newest, err)
	}
	if _, err := o.flip(t.Context(), 2, now.At, map[int32]stop{1: {offsets(7), nil}}, "because"); err != nil {
		t.Fatal(err)
	}
	if got := told(o, 2, now.At, cause); got != "promoted, though the brokers' answer did not come: the cause" {
		t.Error(got)
	}
	if got := told(o, 3, now.At, cause); got != "not promoted, and everything goes on as before: the cause" {
		t.Error(got)
	}
	newest, err := stream.NewestVersions(t.Context(), o.Kafka)
	if err != nil || newest.Why != "because" || newest.Operation != schema.OpPromote || newest.Subject != 2 {
		t.Errorf("%+v, %v", newest, err)
	}
	for name, tc := range map[string]struct {
		change func(e *schema.VersionEvent)
		want   bool
	}{
		"the very event":    {func(*schema.VersionEvent) {}, true},
		"another operation": {func(e *schema.VersionEvent) { e.Operation = schema.OpHold }, false},
		"another version":   {func(e *schema.VersionEvent) { e.Subject = 1 }, false},
		"an earlier time":   {func(e *schema.VersionEvent) { e.At = e.At.Add(-time.Millisecond) }, false},
	} {
		mine := newest.Clone()
		tc.change(mine)
		if there, err := o.logged(t.Context(), mine); err != nil || there != tc.want {
			t.Errorf("%s: %v, %v", name, there, err)
		}
	}
}

// A promotion is one's own as long as nothing ended it and nobody began another.
func TestWhoseAPromotionIs(t *testing.T) {
	t.Parallel()
	o, _, now := holding(t)
	is := func(began time.Time, subject int32) bool {
		t.Helper()
		newest, err := stream.NewestVersions(t.Context(), o.Kafka)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := o.ours(t.Context(), newest, began, subject)
		if err != nil {
			t.Fatal(err)
		}
		return ours
	}
	if !is(now.At, 2) || is(now.At.Add(-time.Hour), 2) {
		t.Error("begun by this hold, and by no other")
	}
	// Somebody else ends it and begins another.
	if err := o.Abort(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if is(now.At, 2) {
		t.Error("it is ended")
	}
	again, err := stream.Operate(t.Context(), o.Kafka, func(e *schema.VersionEvent) (*schema.VersionEvent, error) {
		next, err := held(e, Show(e.Activation.Ranges, 4, at(10), at(end), 2))
		return o.stamp(next, schema.OpHold, 4), err
	})
	if err != nil {
		t.Fatal(err)
	}
	if is(now.At, 2) || !is(again.At, 4) {
		t.Error("it is another one")
	}
	if err := o.steer(t.Context(), 2, schema.OpRepair, func(now *schema.VersionEvent, _ int32) (*schema.VersionEvent, error) { return now.Clone(), nil }); err != nil {
		t.Fatal(err)
	}
	if is(now.At, 2) || !is(again.At, 4) || is(again.At, 2) {
		t.Error("it is another one, behind an event of somebody else")
	}
}

// The steps behind a hold are done or tell why, whatever the brokers refuse in between.
func TestTheStepsBehindAHoldAreDoneOrTold(t *testing.T) {
	t.Parallel()
	first := state()
	holding, err := held(first, Show(first.Activation.Ranges, 2, at(10), at(end), 2))
	if err != nil {
		t.Fatal(err)
	}
	holding.Operation, holding.Subject = schema.OpHold, 2
	r := rest(t, holding)
	behind := with(holding, func(e *schema.VersionEvent) { e.Operation, e.Subject, e.At = schema.OpRepair, 0, at(21) }) // somebody else's
	for name, do := range map[string]func(ctx context.Context) error{
		"promote": func(ctx context.Context) error {
			_, err := r.o.flip(ctx, 2, holding.At, map[int32]stop{1: {offsets(7), nil}}, "")
			return err
		},
		"give up": func(ctx context.Context) error {
			if err := r.o.giveUp(ctx, 2, holding.At, errNotWhole); err.Error() != "not promoted, and everything goes on as before: "+errNotWhole.Error() {
				return err
			}
			return nil
		},
	} {
		r.state(holding)
		r.state(behind)
		r.refusedEach(do, func() error {
			if e := r.newest(); e.Promotion != nil || e.Version(1).State == schema.StateHeld || (e.Activation.Epoch == 2) != (name == "promote") {
				return fmt.Errorf("%s: %w: %+v", name, errNotWhole, e)
			}
			r.state(holding)
			r.state(behind)
			return nil
		})
	}
	r.refusedEach(func(ctx context.Context) error {
		there, err := r.o.logged(ctx, holding)
		if err == nil && !there {
			return errNotWhole
		}
		return err
	}, func() error { return nil })
}
