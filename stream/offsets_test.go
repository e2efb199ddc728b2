package stream

import "testing"

func TestOffsetsAreTold(t *testing.T) {
	for name, tc := range map[string]struct {
		offsets []int64
		want    string
	}{
		"none":          {nil, "none"},
		"one":           {[]int64{7}, "7"},
		"ranges":        {[]int64{1, 2, 3, 5, 7, 8}, "1-3,5,7-8"},
		"across a word": {[]int64{62, 63, 64, 65, 128}, "62-65,128"},
	} {
		set := newOffsetSet(Span{1, 129})
		for _, o := range tc.offsets {
			if !set.add(o) || set.add(o) || !set.has(o) {
				t.Errorf("%s: %d", name, o)
			}
		}
		if got := set.all(); got.String() != tc.want || got.Count != int64(len(tc.offsets)) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	set := newOffsetSet(Span{1, 129})
	for _, o := range []int64{-1, 0, 129, 1 << 40} {
		if set.add(o) || set.has(o) {
			t.Errorf("%d lies outside", o)
		}
	}
}

func TestRangesThatAreToldAreBounded(t *testing.T) {
	var o Offsets
	for i := range int64(maxRanges) {
		o.add(2 * i)
	}
	if len(o.Ranges) != maxRanges || o.counted() != o.Count {
		t.Errorf("%d ranges", len(o.Ranges))
	}
	o.add(2 * maxRanges)
	o.add(2*maxRanges + 1)
	if len(o.Ranges) != maxRanges || o.Count != maxRanges+2 || o.Count-o.counted() != 2 {
		t.Errorf("one past the limit: %d ranges of %d", len(o.Ranges), o.Count)
	}
}

func TestRecentIDsForgetTheOldest(t *testing.T) {
	t.Parallel()
	r := newRecentIDs()
	id := func(n int) (k crashKey) {
		k[0], k[1], k[2], k[3] = byte(n), byte(n>>8), byte(n>>16), 1
		return k
	}
	for n := range 2 * idGeneration {
		if r.add(id(n), int64(n)) >= 0 {
			t.Fatalf("%d is known", n)
		}
	}
	if r.add(id(0), -9) != 0 || r.add(id(2*idGeneration-1), -9) != 2*idGeneration-1 {
		t.Error("one of the last two generations is forgotten")
	}
	r.add(id(2*idGeneration), 0) // a third
	if r.add(id(0), 0) >= 0 {
		t.Error("the first generation is still known")
	}
	if len(r.young)+len(r.old) > 2*idGeneration {
		t.Errorf("%d are known", len(r.young)+len(r.old))
	}
}
