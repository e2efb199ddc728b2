package minidump_test

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

// entry is where the directory of a little-endian dump describes a stream, whose type is
// followed by its size and its place.
func entry(t *testing.T, data []byte, typ minidump.StreamType) []byte {
	t.Helper()
	for i := range int(binary.LittleEndian.Uint32(data[8:])) {
		if e := data[32+12*i:]; minidump.StreamType(binary.LittleEndian.Uint32(e)) == typ {
			return e
		}
	}
	t.Fatalf("no stream %v", typ)
	return nil
}

// manyWords is before the first word of a list: it points into no file.
const manyWords = 1 << 28

// sized is a list with its sizes before it, of entries that are made of 32-bit words which
// count on from one behind manyWords.
func sized(header, entry, n int) []byte {
	b := make([]byte, header+entry*n)
	le := binary.LittleEndian
	for i := range len(b) / 4 {
		le.PutUint32(b[4*i:], uint32(manyWords+1+i-header/4))
	}
	le.PutUint32(b, uint32(header))
	le.PutUint32(b[4:], uint32(entry))
	le.PutUint32(b[8:], uint32(n))
	if header >= 16 {
		le.PutUint32(b[12:], 0) // the upper half of a count of 64 bits
	}
	return b
}

// Of a stream that is a byte too short nothing is read, and the rest of the dump is.
func TestAStreamThatIsCutIsUnreadable(t *testing.T) {
	whole := func() *minidumptest.Builder {
		return linux().
			Thread(1, minidumptest.Regs{"rip": 1}, minidumptest.StackAt(0x1000).Words(1)).ThreadName(1, "main").
			Module(minidumptest.Module{Base: 0x1000, Size: 1, CodeFile: "app"}).UnloadedModule(minidumptest.Module{Base: 1, Size: 1, CodeFile: "old"}).
			Memory(0x1000, []byte{1, 2}).MemoryInfo(minidump.MemoryInfo{Base: 1, Size: 1}).
			Exception(1, 11, 1, 0x10).BreakpadInfo(1, 1).Process(1, 2).
			MacCrashInfo(minidumptest.MacCrashRecord{Version: 4, Numbers: []uint64{1, 2}, Texts: make([]string, 5)}).MacBootArgs("-v").
			Crashpad([]minidumptest.Annotation{{Name: "a", Value: "b"}}, 0, nil, nil, nil).
			Stream(minidump.StreamHandleData, sized(16, 32, 1)).Stream(minidump.StreamThreadInfoList, sized(12, 64, 1)).
			Stream(minidump.StreamAssertionInfo, make([]byte, 776))
	}
	if d := parse(t, whole()); len(d.Findings) != 0 {
		t.Fatalf("whole: %v", d.Findings)
	}
	for typ, tc := range map[minidump.StreamType]struct {
		finding minidump.FindingCode
		left    func(d *minidump.Dump) bool
		spare   uint32 // bytes at its end that are not read
	}{
		minidump.StreamSystemInfo:         {minidump.FindingSystemInfoUnreadable, func(d *minidump.Dump) bool { return d.System != nil }, 0},
		minidump.StreamThreadList:         {minidump.FindingThreadListUnreadable, func(d *minidump.Dump) bool { return d.Threads != nil || d.Walkable() == nil }, 0},
		minidump.StreamThreadNames:        {minidump.FindingThreadNames, func(d *minidump.Dump) bool { return d.Threads[0].Named }, 0},
		minidump.StreamModuleList:         {minidump.FindingModuleListUnreadable, func(d *minidump.Dump) bool { return d.Modules != nil }, 0},
		minidump.StreamUnloadedModuleList: {minidump.FindingUnloadedModules, func(d *minidump.Dump) bool { return d.UnloadedModules != nil }, 0},
		minidump.StreamMemoryList:         {minidump.FindingMemoryList, func(d *minidump.Dump) bool { return d.Memory.Regions != nil }, 0},
		minidump.StreamMemoryInfoList:     {minidump.FindingMemoryInfo, func(d *minidump.Dump) bool { return d.MemoryInfo != nil }, 0},
		minidump.StreamException:          {minidump.FindingException, func(d *minidump.Dump) bool { return d.Exception != nil }, 0},
		minidump.StreamBreakpadInfo:       {minidump.FindingBreakpadInfo, func(d *minidump.Dump) bool { return d.Breakpad != nil }, 0},
		minidump.StreamMiscInfo:           {minidump.FindingMiscInfo, func(d *minidump.Dump) bool { return d.Misc != nil }, 0},
		minidump.StreamCrashpadInfo:       {minidump.FindingCrashpadInfo, func(d *minidump.Dump) bool { return d.Crashpad != nil }, 0},
		minidump.StreamHandleData:         {minidump.FindingHandles, func(d *minidump.Dump) bool { return d.Handles != nil }, 0},
		minidump.StreamThreadInfoList:     {minidump.FindingThreadInfo, func(d *minidump.Dump) bool { return d.ThreadInfo != nil }, 0},
		minidump.StreamAssertionInfo:      {minidump.FindingAssertion, func(d *minidump.Dump) bool { return d.Assertion != nil }, 0},
		minidump.StreamMozMacosCrashInfo:  {minidump.FindingMacCrashInfo, func(d *minidump.Dump) bool { return len(d.MacCrashRecords) != 0 }, 19 * 8},
		minidump.StreamMozMacosBootArgs:   {minidump.FindingMacBootArgs, func(d *minidump.Dump) bool { return d.MacBootArgs != "" }, 0},
	} {
		t.Run(typ.String(), func(t *testing.T) {
			data := whole().Bytes()
			size := entry(t, data, typ)[4:]
			binary.LittleEndian.PutUint32(size, binary.LittleEndian.Uint32(size)-tc.spare)
			if d, _ := minidump.Parse(data); len(d.Findings) != 0 {
				t.Errorf("as it should be: %v", d.Findings)
			}
			binary.LittleEndian.PutUint32(size, binary.LittleEndian.Uint32(size)-1)
			d, err := minidump.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]minidump.Finding{{Code: tc.finding, Index: -1}}, d.Findings); diff != "" && typ != minidump.StreamSystemInfo {
				t.Error(diff)
			}
			if !has(d, tc.finding) || tc.left(d) {
				t.Errorf("something was read; %v", d.Findings)
			}
			// One that ends behind the file.
			binary.LittleEndian.PutUint32(size[4:], uint32(len(data)))
			if d, _ := minidump.Parse(data); !has(d, tc.finding) || !has(d, minidump.FindingStreamOutOfFile) || tc.left(d) {
				t.Errorf("behind the file: %v", d.Findings)
			}
		})
	}
}

// Lists that tell the sizes of their head and entries may have larger ones, and no smaller.
func TestListsWithTheirSizesMayHaveLargerOnes(t *testing.T) {
	words := func(i, entry int) func(n int) uint64 { // the n-th word of entry i
		return func(n int) uint64 { return uint64(manyWords + i*entry/4 + n) }
	}
	long := func(w func(int) uint64, n int) uint64 { return w(n) | w(n+1)<<32 }
	for name, tc := range map[string]struct {
		typ           minidump.StreamType
		header, entry int
		finding       minidump.FindingCode
		read          func(d *minidump.Dump) any
		want          func(w func(n int) uint64) any // of an entry
	}{
		"thread infos": {
			minidump.StreamThreadInfoList, 12, 64, minidump.FindingThreadInfo, func(d *minidump.Dump) any { return list(d.ThreadInfo) },
			func(w func(int) uint64) any {
				return minidump.ThreadInfo{
					ID: uint32(w(1)), DumpFlags: uint32(w(2)), DumpError: uint32(w(3)), ExitStatus: uint32(w(4)), CreateTime: long(w, 5), ExitTime: long(w, 7),
					KernelTime: long(w, 9), UserTime: long(w, 11), StartAddress: long(w, 13), Affinity: long(w, 15),
				}
			},
		},
		"memory infos": {
			minidump.StreamMemoryInfoList, 16, 48, minidump.FindingMemoryInfo, func(d *minidump.Dump) any { return list(d.MemoryInfo) },
			func(w func(int) uint64) any {
				return minidump.MemoryInfo{
					Base: long(w, 1), AllocationBase: long(w, 3), AllocationProtection: uint32(w(5)), Size: long(w, 7),
					State: uint32(w(9)), Protection: uint32(w(10)), Type: uint32(w(11)),
				}
			},
		},
		"handles": {
			minidump.StreamHandleData, 16, 32, minidump.FindingHandles, func(d *minidump.Dump) any { return list(d.Handles) },
			func(w func(int) uint64) any { return minidump.Handle{Handle: long(w, 1)} },
		},
		"unloaded modules": {
			minidump.StreamUnloadedModuleList, 12, 24, minidump.FindingUnloadedModules, func(d *minidump.Dump) any { return list(d.UnloadedModules) },
			func(w func(int) uint64) any {
				return minidump.UnloadedModule{Base: long(w, 1), Size: w(3), Checksum: uint32(w(4)), TimeStamp: uint32(w(5)), CodeID: codeID(w(5), w(3))}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, more := range []int{0, 8} {
				entry := tc.entry + more
				d := parse(t, linux().Stream(tc.typ, sized(tc.header+more, entry, 2)))
				if diff := cmp.Diff([]any{tc.want(words(0, entry)), tc.want(words(1, entry))}, tc.read(d)); diff != "" || has(d, tc.finding) {
					t.Errorf("%d bytes more: %s%v", more, diff, d.Findings)
				}
			}
			for what, change := range map[string]func(b []byte){
				"a smaller head":  func(b []byte) { b[0]-- },
				"smaller entries": func(b []byte) { b[4]-- },
				"one more":        func(b []byte) { b[8]++ },
				"a larger head":   func(b []byte) { b[0] += 4 },
			} {
				b := sized(tc.header, tc.entry, 2)
				change(b)
				if d := parse(t, linux().Stream(tc.typ, b)); !has(d, tc.finding) {
					t.Errorf("%s is read", what)
				}
			}
		})
	}
}

func list[T any](entries []T) (out []any) {
	for _, e := range entries {
		out = append(out, e)
	}
	return out
}

// codeID is eight digits of the time stamp and the size.
func codeID(timeStamp, size uint64) string {
	return string(minidump.AppendHex(nil, timeStamp, 8)[2:]) + string(minidump.AppendHex(nil, size, 1)[2:])
}

func TestADirectoryThatIsCutIsReadAsFarAsItGoes(t *testing.T) {
	data := linux().Bytes()
	binary.LittleEndian.PutUint32(data[12:], uint32(len(data)-2*12-11)) // room for two entries
	d, err := minidump.Parse(data)
	if err != nil || !has(d, minidump.FindingDirectoryTruncated) || len(d.Streams) > 2 {
		t.Errorf("%d streams, %v, %v", len(d.Streams), d.Findings, err)
	}
	data = linux().Bytes()
	binary.LittleEndian.PutUint32(entry(t, data, minidump.StreamModuleList), 0) // an unused entry
	if d, err = minidump.Parse(data); err != nil || len(d.Streams) != 2 || len(d.Findings) != 0 {
		t.Errorf("%d streams, %v, %v", len(d.Streams), d.Findings, err)
	}
	binary.LittleEndian.PutUint32(entry(t, data, minidump.StreamThreadList), uint32(minidump.StreamHandleData))
	if d, err = minidump.Parse(data); err != nil || !has(d, minidump.FindingThreadListMissing) || has(d, minidump.FindingSystemInfoMissing) {
		t.Errorf("%v, %v", d.Findings, err)
	}
	binary.LittleEndian.PutUint32(entry(t, data, minidump.StreamSystemInfo), 0xffff)
	if d, err = minidump.Parse(data); err != nil || !has(d, minidump.FindingSystemInfoMissing) || d.CrashReason() != "" {
		t.Errorf("%v, %v", d.Findings, err)
	}
}

func TestTheHeaderIsRead(t *testing.T) {
	data := linux().Time(77).Bytes()
	le := binary.LittleEndian
	le.PutUint32(data[4:], 0x1234a793)
	le.PutUint64(data[24:], 0x0102030405060708)
	d, err := minidump.Parse(data)
	if want := (minidump.Header{Version: 0x1234a793, Time: 77, Flags: 0x0102030405060708}); err != nil || d.Header != want {
		t.Errorf("%+v, %v", d.Header, err)
	}
	if d := parse(t, linux().BigEndian()); !d.Header.BigEndian {
		t.Error("little endian")
	}
	// A header alone is a dump in which nothing is.
	alone := append([]byte(nil), data[:32]...)
	le.PutUint32(alone[8:], 0)
	if d, err := minidump.Parse(alone); err != nil || len(d.Streams) != 0 || len(d.Findings) != 2 {
		t.Errorf("%v, %v", d, err)
	}
}
