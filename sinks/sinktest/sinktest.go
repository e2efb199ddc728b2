// Package sinktest is what every sinks.Sink must pass.
package sinktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
	"aftershock/sinks"
)

// Subject is a sink, empty, with what somebody sees who reads it.
type Subject struct {
	Sink sinks.Sink
	// Seen are the signatures by crash id that are seen of version 1. A crash that
	// is seen twice must fail the test.
	Seen func(t *testing.T) map[string]string
}

// Poison is a signature that the sink under test must refuse.
const Poison = "poison"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Row is the row of a crash at a raw offset.
func Row(crash int, revision, rawOffset int64, signature string) sinks.Row {
	return sinks.Row{
		Processed: &schema.ProcessedCrash{
			CrashID: id(crash), ReceivedAt: noon, SignatureVersion: 1, Revision: revision, Signature: signature,
			Raw: schema.Position{Topic: schema.TopicRaw, Offset: rawOffset},
		},
		Position: schema.Position{Topic: schema.ProcessedTopic(1), Offset: rawOffset + 1000*revision},
	}
}

func id(crash int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000261122", crash) }

// Contract runs the cases, each on a subject of its own.
func Contract(t *testing.T, open func(t *testing.T) Subject) {
	a, b, c := Row(1, 0, 10, "a"), Row(2, 0, 11, "b"), Row(3, 0, 12, "c")
	for name, tc := range map[string]struct {
		batches [][]sinks.Row
		want    map[string]string
	}{
		"once":                               {[][]sinks.Row{{a, b}, {c}}, map[string]string{id(1): "a", id(2): "b", id(3): "c"}},
		"the same batch again":               {[][]sinks.Row{{a, b}, {a, b}}, map[string]string{id(1): "a", id(2): "b"}},
		"the same rows, cut otherwise":       {[][]sinks.Row{{a, b, c}, {b, c}, {a}}, map[string]string{id(1): "a", id(2): "b", id(3): "c"}},
		"twice in a batch":                   {[][]sinks.Row{{a, a}}, map[string]string{id(1): "a"}},
		"the higher revision, written last":  {[][]sinks.Row{{a}, {Row(1, 5, 10, "a5")}}, map[string]string{id(1): "a5"}},
		"the higher revision, written first": {[][]sinks.Row{{Row(1, 5, 10, "a5")}, {Row(1, 2, 10, "a2"), a}}, map[string]string{id(1): "a5"}},
		"the first raw record is the crash":  {[][]sinks.Row{{Row(1, 0, 99, "again")}, {a}, {Row(1, 0, 50, "again")}}, map[string]string{id(1): "a"}},
		"nothing":                            {[][]sinks.Row{{}}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			for _, rows := range tc.batches {
				if err := s.Sink.Write(t.Context(), rows); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tc.want, s.Seen(t)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("a row that is refused", func(t *testing.T) {
		s := open(t)
		var no *sinks.RefusedError
		if err := s.Sink.Write(t.Context(), []sinks.Row{a, Row(9, 0, 20, Poison), b}); !errors.As(err, &no) || no.Code == "" {
			t.Fatalf("%v, want a RefusedError with a code", err)
		}
		if err := s.Sink.Write(t.Context(), []sinks.Row{a, b}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{id(1): "a", id(2): "b"}, s.Seen(t)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("a context that is done", func(t *testing.T) {
		s := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Sink.Write(ctx, []sinks.Row{a}); err == nil && len(s.Seen(t)) == 0 {
			t.Error("Write says that it has stored what it has not")
		}
	})
	t.Run("writers at the same time", func(t *testing.T) {
		s := open(t)
		want := map[string]string{}
		var all sync.WaitGroup
		for w := range 4 {
			var rows []sinks.Row
			for i := range 20 {
				n := w*10 + i // half of them are another's as well
				rows = append(rows, Row(n, 0, int64(n), "s"))
				want[id(n)] = "s"
			}
			all.Go(func() {
				for one := range slices.Chunk(rows, 7) {
					if err := s.Sink.Write(t.Context(), one); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if got := s.Seen(t); !maps.Equal(got, want) {
			t.Errorf("%d crashes are seen, want %d", len(got), len(want))
		}
	})
}
