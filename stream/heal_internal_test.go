package stream

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

func TestEachWaitOfAHealIsLonger(t *testing.T) {
	for n, want := range map[int32]int64{-1: 1, 0: 1, 1: 1, 2: 5, 3: 25, 4: 125, 5: 625, 6: 625, 100: 625} {
		if got := int64(healWait(n) / healPause); got != want {
			t.Errorf("the %d. wait is %d times the first, want %d", n, got, want)
		}
	}
}

// A request waits for its time and for the sources, and no other one waits for it; to the
// moment that its time has come.
func TestARequestToHealWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		value, err := schema.Encode(&schema.ReprocessRequest{CrashID: "id", Attempt: 2})
		if err != nil {
			t.Fatal(err)
		}
		well := false
		h := &Healer{Well: func(context.Context) bool { return well }}
		in := &kgo.Record{Topic: schema.TopicHeal, Key: []byte("id"), Value: value, Timestamp: time.Now()}
		waits := func(want string) {
			t.Helper()
			out, err := h.work(t.Context(), in)
			var passing *PassingError
			if len(out) > 0 || !errors.As(err, &passing) || !passing.Expected || !passing.Later || err.Error() != want {
				t.Errorf("%v, %+v, want %s", out, err, want)
			}
		}
		waits("its time has not come")
		time.Sleep(5*healPause - 1)
		waits("its time has not come")
		time.Sleep(time.Nanosecond)
		waits("a symbol source is not well")
		well = true
		out, err := h.work(t.Context(), in)
		if err != nil || len(out) != 1 || out[0].Topic != schema.TopicReprocess || string(out[0].Key) != "id" || string(out[0].Value) != string(value) {
			t.Errorf("%v, %v", out, err)
		}
		out, err = h.work(t.Context(), &kgo.Record{Topic: schema.TopicHeal, Value: []byte("no request")})
		if letter, readErr := ReadLetter(out[0]); err != nil || readErr != nil || letter.Class != schema.DeadRequestBad || letter.Stage != "heal" || letter.SignatureVersion != 0 {
			t.Errorf("%+v, %v, %v", letter, err, readErr)
		}
	})
}

// A crash is asked for again when it lacks symbols for a while, five times.
func TestWhatIsAskedForToHeal(t *testing.T) {
	lacks := &schema.ProcessedCrash{CrashID: "id", SignatureVersion: 3, Raw: schema.Position{Topic: schema.TopicRaw, Offset: 7}, Modules: []schema.Module{{Symbols: "found"}, {Symbols: "timeout"}}}
	noted := &schema.ProcessedCrash{Notes: []schema.Note{{Code: "other"}, {Code: schema.NoteSymbolsTransient}}}
	for name, tc := range map[string]struct {
		p    *schema.ProcessedCrash
		is   bool
		once int32
	}{
		"all are found":    {&schema.ProcessedCrash{Modules: []schema.Module{{Symbols: "found"}, {Symbols: "missing"}}}, false, 0},
		"one timed out":    {lacks, true, 0},
		"a note":           {noted, true, 0},
		"the last time":    {lacks, true, 4},
		"once too often":   {lacks, false, 5},
		"nothing of it is": {&schema.ProcessedCrash{}, false, 0},
	} {
		out := heal(tc.p, tc.once)
		if (len(out) == 1) != tc.is {
			t.Errorf("%s: %v", name, out)
		}
		if !tc.is || tc.p != lacks {
			continue
		}
		request, err := schema.Decode[schema.ReprocessRequest](out[0].Value)
		want := &schema.ReprocessRequest{CrashID: "id", Raw: lacks.Raw, Versions: []int32{3}, Attempt: tc.once + 1, Reason: "a symbol source did not answer"}
		if d := cmp.Diff(want, request); err != nil || d != "" || out[0].Topic != schema.TopicHeal || string(out[0].Key) != "id" {
			t.Errorf("%s: %v, %s", name, err, d)
		}
	}
	for reason, want := range map[string]int32{healReason: 4, "somebody's": 0} {
		if got := healed(&schema.ReprocessRequest{Reason: reason, Attempt: 4}); got != want {
			t.Errorf("%s: %d, want %d", reason, got, want)
		}
	}
}
