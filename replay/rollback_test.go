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
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// promotedBefore is promotable behind a promotion of version 2: version 1 has ended.
func promotedBefore(t *testing.T, db *clickhouse.DB) *resting {
	t.Helper()
	r := promotable(t, db, func(*schema.VersionEvent) {})
	r.state(with(r.newest(), func(e *schema.VersionEvent) {
		e.Operation, e.Subject, e.At = schema.OpPromote, 2, at(2)
		e.Versions[0].State, e.Versions[0].Ends, e.Versions[0].RequestEnds = schema.StateEnded, offsets(3, 1), offsets(2, 0)
		e.Activation = schema.Activation{Epoch: 2, Ranges: []schema.ActiveRange{ranged(begin, end, 2, 2)}}
	}))
	r.come(schema.TelemetryGroup(2, 2), schema.ProcessedTopic(2), 3, 1)
	return r
}

// A rollback lets what was seen before go on, and shows it again.
func TestARollbackShowsWhatWasSeenBefore(t *testing.T) {
	t.Parallel()
	r := promotedBefore(t, openDB(t))
	r.project()
	r.stores(1, "f", 1, 2, 3, 4)
	r.stores(2, "g", 1, 2, 3, 4)
	r.refuses(func() error { _, err := r.o.Rollback(t.Context(), 1, soon); return err }, "what is seen has epoch 2, and not 1: somebody has changed it")
	before, err := r.o.Rollback(t.Context(), 2, soon)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{ranged(begin, end, 1, 1)}}, before); d != "" {
		t.Errorf("changed back to (-want +got)\n%s", d)
	}
	if got := r.events(4); got != "promote 2, reopen 1, hold 1, promote 1" {
		t.Errorf("%s", got)
	}
	e := r.operated(schema.OpPromote, 1)
	if got := text(e.Activation.Ranges); got != "- v1.e3" || e.Activation.Epoch != 3 || states(e) != "live ended" || e.Version(1).Share != 1 {
		t.Errorf("%s, epoch %d, versions are %s", got, e.Activation.Epoch, states(e))
	}
	if got := r.seen(); got != "1 v1 f, 2 v1 f, 3 v1 f, 4 v1 f" {
		t.Errorf("seen: %s", got)
	}
	if want := []string{"signature version 1 goes on from where it stopped"}; !slices.Equal(r.heard(), want) {
		t.Errorf("told %q, want %q", r.told, want)
	}
	// The second one undoes the first.
	if before, err = r.o.Rollback(t.Context(), 0, soon); err != nil || before.Epoch != 2 {
		t.Errorf("%+v, %v", before, err)
	}
	if got := text(r.newest().Activation.Ranges); got != "- v2.e4" {
		t.Errorf("%s", got)
	}
}

func TestARollbackIsRefusedWhereThereIsNothingToShow(t *testing.T) {
	t.Parallel()
	const nothing = "nothing would change: that is what is seen already"
	for name, tc := range map[string]struct {
		history []func(e *schema.VersionEvent)
		want    string
	}{
		"nothing was promoted": {nil, "nothing was promoted yet"},
		"the version is gone": {[]func(e *schema.VersionEvent){
			func(e *schema.VersionEvent) {
				e.Activation = schema.Activation{Epoch: 2, Ranges: []schema.ActiveRange{ranged(begin, end, 2, 2)}}
			},
			func(e *schema.VersionEvent) { e.Versions[0].State = schema.StateDropping },
		}, "signature version 1 is dropped: what it showed is gone"},
		"the same is seen": {[]func(e *schema.VersionEvent){func(e *schema.VersionEvent) { e.Activation.Epoch = 2 }}, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rest(t, beside(t), 1, 2)
			for _, change := range tc.history {
				r.state(with(r.newest(), func(e *schema.VersionEvent) { change(e); e.At = r.now() }))
			}
			r.refuses(func() error { _, err := r.o.Rollback(t.Context(), 0, soon); return err }, tc.want)
		})
	}
	if _, err := rest(t, nil).o.Rollback(t.Context(), 0, soon); err == nil || err.Error() != "crash.versions is empty" {
		t.Error(err)
	}
}

// The first half of a rollback stands for what it undoes, also when its operator was killed.
func TestTheActivationBefore(t *testing.T) {
	t.Parallel()
	r := rest(t, beside(t))
	change := func(epoch int64, version int32, why string) {
		r.state(with(r.newest(), func(e *schema.VersionEvent) {
			e.Why, e.At, e.Activation = why, r.now(), schema.Activation{Epoch: epoch, Ranges: []schema.ActiveRange{ranged(begin, end, version, epoch)}}
		}))
	}
	change(2, 2, "rules")
	change(2, 2, "nothing of it")
	change(4, 3, "more rules")
	change(5, 2, "rollback of epoch 4: what both versions have")
	change(6, 3, "rollback of epoch five: what both versions have")
	for epoch, want := range map[int64]string{2: "1 2", 4: "2 4", 5: "2 4", 3: "2 3"} {
		before, undone, err := r.o.activationBefore(t.Context(), epoch)
		if got := fmt.Sprint(before.Epoch, " ", undone); err != nil || got != want {
			t.Errorf("before epoch %d: %s, want %s, %v", epoch, got, want, err)
		}
	}
	if _, _, err := r.o.activationBefore(t.Context(), 6); err == nil || !strings.HasPrefix(err.Error(), `epoch 6: "rollback of epoch five: what both versions have": `) {
		t.Error(err)
	}
	if _, _, err := r.o.activationBefore(t.Context(), 1); err == nil || err.Error() != "nothing was promoted yet" {
		t.Error(err)
	}
}

// Of which there is much to catch up on, that shows first what both versions have: one killed
// then is done by the next, and how much is much the operator says.
func TestARollbackShowsThePastFirstWhenMuchIsLeft(t *testing.T) {
	t.Parallel()
	r := promotedBefore(t, openDB(t))
	r.project()
	r.stores(1, "f", 1, 2, 3, 4)
	r.stores(2, "g", 1, 2, 3, 4, 10, 12)
	r.raw(0, 10, 12)
	r.come(schema.ProcessGroup(2), schema.TopicRaw, 5, 1)
	ctx, kill := context.WithCancel(t.Context())
	told := r.o.Tell
	r.o.Tell = func(text string) {
		if told(text); strings.HasPrefix(text, "what both versions have") {
			kill()
		}
	}
	opts := soon
	opts.AtOnce = 1
	if _, err := r.o.Rollback(ctx, 0, opts); !errors.Is(err, context.Canceled) {
		t.Fatalf("killed between its halves: %v", err)
	}
	want := []string{"signature version 1 goes on from where it stopped", "what both versions have is seen again; 2 raw crashes are left to catch up on"}
	if !slices.Equal(r.heard(), want) {
		t.Errorf("told %q, want %q", r.told, want)
	}
	e := r.newest()
	if got := text(e.Activation.Ranges); got != "-10 v1.e3, 10- v2.e2" || e.Why != "rollback of epoch 2: what both versions have" || e.Subject != 1 {
		t.Errorf("%s, because of %q", got, e.Why)
	}
	if got := r.seen(); got != "1 v1 f, 2 v1 f, 3 v1 f, 4 v1 f, 10 v2 g, 12 v2 g" {
		t.Errorf("seen: %s", got)
	}
	// Two raw crashes are not more than two: the rest is waited for at once.
	opts = PromoteOptions{CatchUp: patience, Hold: soon.Hold, AtOnce: 2}
	if _, err := r.o.Rollback(t.Context(), 0, opts); !waited(err, "process.v1", "2 records of crash.raw behind", "it is not complete (--catch-up)") {
		t.Error(err)
	}
	// It is seen of what came lately alone: it may take longer than a promotion.
	late := make(chan struct{})
	r.o.Tell = func(text string) {
		if told(text); strings.HasPrefix(text, "what both versions have") {
			go func() {
				defer close(late)
				time.Sleep(patience + 2*pollPause)
				r.come(schema.ProcessGroup(1), schema.TopicRaw, 5, 1)
			}()
		}
	}
	r.stores(1, "f", 10)
	opts = PromoteOptions{CatchUp: patience, Hold: soon.Hold, AtOnce: 1}
	before, err := r.o.Rollback(t.Context(), 0, opts)
	<-late
	if !errors.Is(err, ErrMissing) || before.Epoch != 1 {
		t.Fatalf("%+v, %v", before, err)
	}
	if got := text(r.newest().Activation.Ranges); got != "-10 v1.e3, 10-12 v1.e4, 12- v2.e2" {
		t.Errorf("%s", got)
	}
	r.stores(1, "f", 12)
	if before, err = r.o.Rollback(t.Context(), 0, soon); err != nil || before.Epoch != 1 {
		t.Fatalf("%+v, %v", before, err)
	}
	if got := text(r.newest().Activation.Ranges); got != "-10 v1.e3, 10-12 v1.e4, 12- v1.e5" {
		t.Errorf("%s", got)
	}
	if got := r.seen(); got != "1 v1 f, 2 v1 f, 3 v1 f, 4 v1 f, 10 v1 f, 12 v1 f" {
		t.Errorf("seen: %s", got)
	}
}

// By default ten thousand raw crashes are not much.
func TestMuchIsMoreThanTenThousand(t *testing.T) {
	t.Parallel()
	r := promotedBefore(t, openDB(t))
	moves := []change{{at(begin), at(end), 2, 1}}
	r.come(schema.ProcessGroup(1), schema.TopicRaw, 3, 1)
	records := make([]*kgo.Record, DefaultAtOnce)
	for i := range records {
		records[i] = &kgo.Record{Topic: schema.TopicRaw, Value: []byte("raw"), Timestamp: at(5)}
	}
	r.put(records...)
	behind, err := r.o.behind(t.Context(), []int32{1, 2})
	if err != nil || behind != 10_000 {
		t.Fatalf("%d behind, %v", behind, err)
	}
	if past, err := r.o.pastFirst(t.Context(), moves, 2, soon); past || err != nil {
		t.Errorf("%v, %v", past, err)
	}
	r.raw(0, 5)
	// It is more, and is shown at once: of a version that has nothing, nothing.
	r.stores(2, "g", 1)
	if past, err := r.o.pastFirst(t.Context(), []change{{at(1), at(end), 2, 1}, {at(begin), at(1), 0, 1}}, 2, soon); past || err != nil {
		t.Errorf("%v, %v", past, err)
	}
	r.o.DB.Close()
	if past, err := r.o.pastFirst(t.Context(), moves, 2, soon); past || err == nil || !strings.HasPrefix(err.Error(), "what signature versions 2 and 1 have both: ") {
		t.Errorf("%v, %v", past, err)
	}
}

// Somebody who changes what is seen between the halves wins.
func TestARollbackGivesWayToAnotherOperator(t *testing.T) {
	t.Parallel()
	r := promotedBefore(t, nil)
	state := r.newest()
	_, err := r.o.show(t.Context(), 1, soon, func(now *schema.VersionEvent) ([]schema.ActiveRange, error) {
		if now.Activation.Epoch != state.Activation.Epoch+1 {
			return nil, stream.ErrOtherOperator
		}
		return nil, nil
	})
	if !errors.Is(err, stream.ErrOtherOperator) {
		t.Error(err)
	}
}

func TestARollbackIsWholeOrNone(t *testing.T) {
	t.Parallel()
	r := promotedBefore(t, openDB(t))
	r.project()
	r.stores(1, "f", 1, 2, 3, 4)
	r.stores(2, "g", 1, 2, 3, 4)
	before := r.newest()
	r.refusedEach(func(ctx context.Context) error {
		_, err := r.o.Rollback(ctx, 0, soon)
		return err
	}, func() error {
		if e := r.newest(); e.Activation.Epoch != 3 || e.Promotion != nil || e.Activation.Seen(at(9)) != 1 {
			return fmt.Errorf("%w: %+v", errNotWhole, e.Activation)
		}
		r.back(before)
		return nil
	})
}
