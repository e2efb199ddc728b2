package symbolcache

import "testing"

func TestIDs(t *testing.T) {
	var d definitions
	want := map[uint32]uint32{}
	for i := range uint32(5000) {
		for _, id := range []uint32{i, i * 858993, 1<<32 - 1 - i, 3 * i} {
			if _, ok := want[id]; !ok {
				want[id] = uint32(len(want))
			}
			if got := d.index(id); got != want[id] {
				t.Fatalf("id %d has index %d, want %d", id, got, want[id])
			}
		}
	}
	if len(d.names) != len(want) || uint64(len(d.dense)) > denseIDs+4*uint64(len(want)) {
		t.Error(len(d.names), len(want), len(d.dense))
	}
	d.define(7, 1)
	d.define(7, 2)
	if d.names[d.index(7)] != 2 || d.names[d.index(8)] != undefined {
		t.Error("the later definition counts")
	}
}

func TestAddressIndex(t *testing.T) {
	for name, addresses := range map[string][]uint32{
		"none":         nil,
		"the first":    {0},
		"the last":     {maxRVA},
		"both":         {0, maxRVA},
		"neighbours":   {5, 6, 7, 8},
		"one far away": {1, 2, 3, 4, 5, 1 << 31},
	} {
		index := appendAddressIndex(nil, addresses, 1+len(addresses)%5)
		entries := newTable(len(addresses))
		entries.append(addresses...)
		for _, a := range append(addresses, 1, 1<<20, maxRVA-1) {
			for _, v := range []uint32{a - 1, a, a + 1} {
				want := -1
				for i, address := range addresses {
					if address <= v {
						want = i
					}
				}
				if got := lastAtOrBefore(entries, 4, index, v); got != want {
					t.Errorf("%s: %#x: %d, want %d", name, v, got, want)
				}
			}
		}
		if len(index) > 4*(len(addresses)+3) {
			t.Errorf("%s: %d bytes", name, len(index))
		}
	}
}
