package minidump

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// None is near what real crashes have, so that nobody would notice a change.
func TestLimitsAreNotChangedByTheWay(t *testing.T) {
	for name, tc := range map[string]struct{ is, want int }{
		"streams":              {maxStreams, 4096},
		"threads":              {maxThreads, 32768},
		"modules":              {maxModules, 65536},
		"unloaded modules":     {maxUnloadedModules, 65536},
		"memory regions":       {maxMemoryRegions, 1048576},
		"memory infos":         {maxMemoryInfo, 1048576},
		"linux maps":           {maxLinuxMaps, 1048576},
		"handles":              {maxHandles, 1048576},
		"bytes of a string":    {maxStringBytes, 65536},
		"bytes of CodeView":    {maxCodeViewBytes, 65536},
		"bytes of a build":     {maxBuildBytes, 512},
		"annotations":          {maxAnnotations, 4096},
		"bytes of annotations": {maxAnnotationBytes, 262144},
		"exception parameters": {maxExceptionParams, 15},
		"bytes of linux texts": {maxLinuxTextBytes, 4194304},
		"lines with keys":      {maxKeyValueLines, 4096},
		"strings by the file":  {stringBytesFactor, 4},
		"findings":             {maxFindings, 1024},
		"registers":            {MaxRegisters, 40},
	} {
		if tc.is != tc.want {
			t.Errorf("%s: %d, want %d", name, tc.is, tc.want)
		}
	}
}

func TestBytesOfAFileAreAllThereOrNone(t *testing.T) {
	d := &Dump{data: make([]byte, 10)}
	for _, tc := range []struct {
		rva, size uint64
		want      bool
	}{
		{0, 10, true},
		{10, 0, true},
		{11, 0, false},
		{1, 9, true},
		{1, 10, false},
		{10, 1, false},
		{math.MaxUint64, 1, false},
		{1, math.MaxUint64, false},
	} {
		if got := d.at(tc.rva, tc.size); (got != nil) != tc.want || uint64(len(got)) != tc.size && tc.want || cap(got) != len(got) {
			t.Errorf("%d bytes at %d: %v", tc.size, tc.rva, got)
		}
	}
	for rva, want := range map[uint64]int{0: 10, 9: 1, 10: 0, 11: 0, math.MaxUint64: 0} {
		d.order = binary.LittleEndian
		if c := d.cursorAt(rva); c.Len() != want {
			t.Errorf("from %d on: %d bytes", rva, c.Len())
		}
	}
}

func TestARegionContainsWhatLiesInItWhole(t *testing.T) {
	r := Region{Base: 100, Bytes: make([]byte, 10)}
	for _, tc := range []struct {
		addr, n uint64
		want    bool
	}{
		{100, 10, true},
		{99, 1, false},
		{100, 11, false},
		{110, 0, true},
		{111, 0, false},
		{109, 1, true},
		{109, 2, false},
		{110, 1, false},
		{105, math.MaxUint64, false},
	} {
		if got := r.Contains(tc.addr, tc.n); got != tc.want {
			t.Errorf("%d bytes at %d: %v", tc.n, tc.addr, got)
		}
	}
}

// One region that is not in the file takes the place of those behind it in a 64-bit list:
// where they begin is unknown.
func TestRegionsOfA64BitListFollowEachOther(t *testing.T) {
	body := func(sizes ...uint64) []byte {
		le := binary.LittleEndian
		b := le.AppendUint64(le.AppendUint64(nil, uint64(len(sizes))), 0) // from the file's first byte on
		for i, n := range sizes {
			b = le.AppendUint64(le.AppendUint64(b, uint64(1+i)<<12), n)
		}
		return b
	}
	d := limited(t, StreamMemory64List, body(4, 28, 1<<40, 2))
	if got := d.Memory.Read(0x1000, 4); string(got) != "MDMP" {
		t.Errorf("the first region: %q", got)
	}
	if got := d.Memory.Read(0x2004, 4); binary.LittleEndian.Uint32(got) != 1 { // of streams
		t.Errorf("the second one: %v", got)
	}
	if d.Memory.Read(0x4000, 1) != nil || d.Memory.Read(0x3000, 1) != nil || d.Memory.Read(0x1000, 5) != nil {
		t.Error("what is not there is read")
	}
	want := []Finding{{FindingSystemInfoMissing, -1}, {FindingMemoryRegion, 2}, {FindingMemoryRegion, 3}, {FindingThreadListMissing, -1}}
	if diff := cmp.Diff(want, d.Findings); diff != "" {
		t.Error(diff)
	}
	cut := body(1, 1)
	for name, b := range map[string][]byte{"a byte less": cut[:len(cut)-1], "no head": cut[:15]} {
		if d := limited(t, StreamMemory64List, b); !found(d, FindingMemoryList) || d.Memory.Regions != nil {
			t.Errorf("%s is read", name)
		}
	}
	wraps := body(4)
	binary.LittleEndian.PutUint64(wraps[16:], math.MaxUint64-2)
	if d := limited(t, StreamMemory64List, wraps); len(d.Memory.spans) != 0 {
		t.Error("a region that goes on behind the last address")
	}
	binary.LittleEndian.PutUint64(wraps[16:], math.MaxUint64-3)
	if d := limited(t, StreamMemory64List, wraps); string(d.Memory.Read(math.MaxUint64-3, 4)) != "MDMP" {
		t.Error("a region up to the last address")
	}
	if d := limited(t, StreamMemory64List, body(0)); len(d.Memory.spans) != 0 {
		t.Error("a region of no bytes")
	}
}

// A list whose count has four bytes of padding behind it has exactly those more.
func TestListsMayBePadded(t *testing.T) {
	for more, want := range map[int]uint64{0: 0, 3: 0, 4: 7, 5: 0} {
		body := append(counted(1, 16), make([]byte, more)...)
		if len(body) >= 24 {
			body[8] = 7
		}
		d := limited(t, StreamMemoryList, body)
		base := d.Memory.Regions[0].Base
		if more == 5 {
			want = 7 << 32
		}
		if base != want {
			t.Errorf("%d bytes more: at %#x", more, base)
		}
	}
}

func TestMappingsSayWhatMayBeDone(t *testing.T) {
	type may struct{ read, write, execute bool }
	for protection, want := range map[uint32]may{
		0x01: {}, 0x02: {read: true}, 0x04: {read: true, write: true}, 0x08: {write: true}, 0x10: {execute: true},
		0x20: {read: true, execute: true}, 0x40: {true, true, true}, 0x80: {write: true, execute: true}, 0x102: {read: true},
	} {
		d := &Dump{MemoryInfo: []MemoryInfo{{Base: 0x1000, Size: 0x1000, Protection: protection}}, LinuxMaps: []LinuxMap{{Start: 0x5000, End: 0x6000}}}
		ms := d.Mappings()
		if len(ms) != 1 || ms[0].First != 0x1000 || ms[0].Last != 0x1fff || (may{ms[0].Read, ms[0].Write, ms[0].Execute}) != want {
			t.Errorf("protection %#x: %+v", protection, ms)
		}
		if ms[0].Accessible() != (want != may{}) {
			t.Errorf("protection %#x: accessible %v", protection, ms[0].Accessible())
		}
	}
	for perms, want := range map[string]may{"r--p": {read: true}, "-w-p": {write: true}, "--xs": {execute: true}, "rwxp": {true, true, true}, "---p": {}, "": {}, "w": {write: true}, "x": {execute: true}} {
		d := &Dump{LinuxMaps: []LinuxMap{{Start: 0x1000, End: 0x2000, Perms: []byte(perms)}}}
		if ms := d.Mappings(); len(ms) != 1 || ms[0].Last != 0x1fff || (may{ms[0].Read, ms[0].Write, ms[0].Execute}) != want {
			t.Errorf("%s: %+v", perms, ms)
		}
	}
}

func TestMappingsAreSortedAndApart(t *testing.T) {
	d := &Dump{LinuxMaps: []LinuxMap{
		{Start: 50, End: 60},
		{Start: 10, End: 30},
		{Start: 10, End: 20},
		{Start: 20, End: 30},
		{Start: 19, End: 40},
		{Start: 70, End: 70},
		{Start: 80, End: 81},
		{Start: 90, End: 89},
		{Start: math.MaxUint64, End: 0},
	}}
	type span struct{ First, Last uint64 }
	var got []span
	for _, m := range d.Mappings() {
		got = append(got, span{m.First, m.Last})
	}
	if diff := cmp.Diff([]span{{10, 19}, {20, 29}, {50, 59}, {80, 80}, {math.MaxUint64, math.MaxUint64}}, got); diff != "" {
		t.Error(diff)
	}
	for addr, want := range map[uint64]int{0: -1, 9: -1, 10: 0, 19: 0, 20: 1, 29: 1, 30: -1, 49: -1, 50: 2, 59: 2, 60: -1, 80: 3, 81: -1, math.MaxUint64: 4} {
		m, ok := d.Mappings().At(addr)
		if ok != (want >= 0) || ok && m != &d.Mappings()[want] {
			t.Errorf("at %d: %+v, %v", addr, m, ok)
		}
	}
	for addr, want := range map[uint64]int{0: 0, 19: 0, 20: 1, 30: 2, 81: 4, math.MaxUint64: 4} {
		if got := d.Mappings().Index(addr); got != want {
			t.Errorf("from %d on: %d, want %d", addr, got, want)
		}
	}
	if ms := (&Dump{}).Mappings(); len(ms) != 0 || ms.Index(1) != 0 {
		t.Errorf("of nothing: %v", ms)
	}
}
