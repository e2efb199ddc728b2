package minidump

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestRests holds the parts of dropped spans against what covers each address.
func TestRests(t *testing.T) {
	for want, spans := range map[string][]span{
		"":                          {{10, 19, 0}, {12, 15, 1}, {30, 39, 2}},
		"20-24:1":                   {{10, 19, 0}, {15, 24, 1}},
		"20-29:1 40-44:1":           {{10, 19, 0}, {15, 44, 1}, {30, 39, 2}},
		"20-44:1":                   {{10, 19, 0}, {10, 44, 1}},
		"20-24:1 25-29:2":           {{10, 19, 0}, {15, 24, 1}, {16, 29, 2}},
		"20-18446744073709551615:1": {{10, 19, 0}, {15, math.MaxUint64, 1}, {17, math.MaxUint64, 2}},
	} {
		kept, dropped := separate(spans)
		var got []string
		for _, s := range rests(kept, dropped) {
			got = append(got, fmt.Sprintf("%d-%d:%d", s.first, s.last, s.index))
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%v: got %s, want %s", spans, got, want)
		}
	}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // seeds that fail must fail again
		spans := make([]span, 1+r.IntN(8))
		for i := range spans {
			first := uint64(r.IntN(40))
			spans[i] = span{first, first + uint64(r.IntN(20)), i}
		}
		all := append([]span(nil), spans...)
		kept, dropped := separate(spans)
		left := rests(kept, dropped)
		for addr := range uint64(64) {
			covered := false
			for _, s := range all {
				covered = covered || s.first <= addr && addr <= s.last
			}
			_, inKept := lookup(kept, addr)
			index, inRest := lookup(left, addr)
			if inKept && inRest || covered != (inKept || inRest) {
				t.Fatalf("seed %d, %d: kept %v, rest %v, covered %v", seed, addr, inKept, inRest, covered)
			}
			if inRest && (addr < all[index].first || addr > all[index].last) {
				t.Fatalf("seed %d, %d: span %d does not cover it", seed, addr, index)
			}
		}
	}
}
