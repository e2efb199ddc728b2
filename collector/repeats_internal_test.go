package collector

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"aftershock/schema"
)

func TestReportsAreForgottenInTimeAndNumber(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	key := func(n int) (k [sha256.Size]byte) {
		k[0], k[1], k[2], k[3] = byte(n), byte(n>>8), byte(n>>16), 1
		return k
	}
	r := repeats{window: time.Minute}
	first, is := r.begin(key(0), start)
	if !is {
		t.Fatal("nothing is the same")
	}
	r.end(first, &schema.RawCrash{CrashID: "a"})
	for after, want := range map[time.Duration]bool{0: false, time.Minute - 1: false} {
		if k, is := r.begin(key(0), start.Add(after)); is != want || k.raw.CrashID != "a" {
			t.Errorf("after %v: first %v", after, is)
		}
	}
	if _, is := r.begin(key(0), start.Add(time.Minute)); !is {
		t.Error("it is remembered beyond the window")
	}
	r = repeats{window: time.Hour}
	for n := range maxRepeats {
		r.begin(key(n), start)
	}
	if _, is := r.begin(key(maxRepeats), start); !is || len(r.known) != maxRepeats || len(r.order) != maxRepeats {
		t.Errorf("%d are known", len(r.known))
	}
	if _, is := r.begin(key(0), start); !is {
		t.Error("the oldest is not forgotten")
	}
	if _, is := r.begin(key(2), start); is {
		t.Error("a newer one is")
	}
}

// Who waits for the first of two same reports is told when it does not end in time.
func TestWaitingForTheSameReportEnds(t *testing.T) {
	c := New(Options{Repeats: time.Hour, Now: time.Now, Limits: Limits{Reports: 1}})
	rep := newReport(schema.KindReport, c.o.Limits)
	rep.dumps = []packed{{name: schema.MainDump}}
	key := rep.identity("")
	first, is := c.repeats.begin(key, time.Now())
	if !is {
		t.Fatal("it is not the first")
	}
	never := func() (*schema.RawCrash, error) {
		t.Error("it is stored")
		return nil, nil
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if raw, err := c.once(over, rep, "", &place{room: &c.room}, never); raw != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("while it is being stored: %v, %v", raw, err)
	}
	c.repeats.end(first, nil)

	// The first one could not be stored, and there is no place to store the second instead.
	if first, is = c.repeats.begin(key, time.Now()); !is {
		t.Fatal("it is known")
	}
	p := &place{room: &c.room}
	if err := p.small(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.once(waiting, rep, "", p, never)
		ended <- err
	}()
	if err := c.room.smallPlaces.Acquire(t.Context(), 1); err != nil { // when it waits, and has given its own back
		t.Fatal(err)
	}
	c.repeats.end(first, nil)
	cancel()
	if err := <-ended; !errors.Is(err, errFull) && !errors.Is(err, context.Canceled) {
		t.Errorf("without a place: %v", err)
	}
}
