package stream

import (
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

func TestGuardTripsOnePastItsLimits(t *testing.T) {
	ctx := t.Context()
	row := Watch{Guard: Guard{InARow: 3}}
	for i := range 3 {
		if err := row.Record(ctx, Accusing); err != nil {
			t.Fatalf("%d in a row: %v", i+1, err)
		}
	}
	ended := row
	if err := row.Record(ctx, Accusing); !errors.Is(err, ErrGuard) {
		t.Errorf("one past the limit: %v", err)
	}
	if err := errors.Join(ended.Record(ctx, Well), ended.Record(ctx, Accusing)); err != nil {
		t.Errorf("after one that is well: %v", err)
	}

	share := Watch{Guard: Guard{Share: 0.5}}
	for i := range guardWindow { // every second one
		if err := share.Record(ctx, Verdict((i+1)%2)*Accusing); err != nil {
			t.Fatalf("half: %v", err)
		}
	}
	if err := errors.Join(share.Record(ctx, Well), share.Record(ctx, Accusing)); err != nil { // takes the place of a bad, and of a good one
		t.Errorf("still half: %v", err)
	}
	if err := share.Record(ctx, Accusing); err != nil { // in the place of a bad one
		t.Errorf("still half: %v", err)
	}
	if err := share.Record(ctx, Accusing); !errors.Is(err, ErrGuard) {
		t.Errorf("more than half: %v", err)
	}
	never := Watch{}
	for range 3 * guardWindow {
		if err := never.Record(ctx, Accusing); err != nil {
			t.Fatalf("no limits: %v", err)
		}
	}
}

// Whoever sends crashes cannot stop a loop: what a record alone can cause is not counted,
// and what the build can cause as well asks the build.
func TestNoInputTripsTheGuard(t *testing.T) {
	letter := func(class, stage string) Verdict {
		return verdict([]*kgo.Record{DeadLetter(&kgo.Record{Topic: schema.TopicRaw}, class, stage, 1)})
	}
	for class, want := range map[string]Verdict{
		schema.DeadEventTooLarge: Well, schema.DeadDumpTooLarge: Well, schema.DeadCrashID: Well, schema.DeadPoison: Well,
		schema.DeadRawGone: Well, schema.DeadRequestBad: Well,
		schema.DeadPanic: Suspicious, schema.DeadDeadline: Suspicious, schema.DeadProcess: Suspicious,
		schema.DeadBlobMissing: Accusing, schema.DeadRawUndecodable: Accusing, schema.DeadProcessedBad: Accusing, schema.DeadRefused: Accusing,
	} {
		if got := letter(class, stageProcess); got != want {
			t.Errorf("%s: %d, want %d", class, got, want)
		}
	}
	if got := letter(schema.DeadBlobMissing, stageReprocess); got != Well {
		t.Errorf("the blob of a crash long ago: %d", got)
	}
	if got := verdict([]*kgo.Record{{Topic: "out"}}); got != Well {
		t.Errorf("an output: %d", got)
	}

	asked := 0
	w := Watch{Guard: Guard{InARow: 3, Share: 0.5, SelfTest: func(context.Context) error { asked++; return nil }}}
	for range 1000 {
		if err := w.Record(t.Context(), Suspicious); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 250 {
		t.Errorf("the self-test was asked %d times", asked)
	}
	for name, fails := range map[string]func(context.Context) error{
		"fails": func(context.Context) error { return errors.New("no stack") }, "panics": func(context.Context) error { panic("at once") },
	} {
		w = Watch{Guard: Guard{InARow: 3, SelfTest: fails}}
		err := errors.Join(w.Record(t.Context(), Suspicious), w.Record(t.Context(), Suspicious), w.Record(t.Context(), Suspicious))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Record(t.Context(), Suspicious); !errors.Is(err, ErrGuard) {
			t.Errorf("a self-test that %s: %v", name, err)
		}
	}
}
