package minidump_test

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

// unnamed lets a dump's stream have another type, as if it were not there.
func unnamed(t *testing.T, b *minidumptest.Builder, typ minidump.StreamType) *minidump.Dump {
	t.Helper()
	data := b.Bytes()
	binary.LittleEndian.PutUint32(entry(t, data, typ), 0xffff)
	d, err := minidump.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheAddressOfACrashIsWhatCouldNotBeAccessed(t *testing.T) {
	amd64 := func() *minidumptest.Builder { return minidumptest.New(minidump.CPUAMD64, minidump.Windows) }
	const high = 0xffffffff80000045
	for name, tc := range map[string]struct {
		d    *minidump.Dump
		want uint64
	}{
		"in-page error":               {parse(t, amd64().Exception(1, 0xc0000006, 0, 0x401000, 1, 0x45, 7)), 0x45},
		"one parameter":               {parse(t, amd64().Exception(1, 0xc0000005, 0, 0x401000, 1)), 0x401000},
		"two parameters":              {parse(t, amd64().Exception(1, 0xc0000005, 0, 0x401000, 1, 0x45)), 0x45},
		"another code":                {parse(t, amd64().Exception(1, 0xc0000007, 0, 0x401000, 1, 0x45)), 0x401000},
		"the code on another system":  {parse(t, linux().Exception(1, 0xc0000005, 0, 0x401000, 1, 0x45)), 0x401000},
		"an address of 64 bits":       {parse(t, amd64().Exception(1, 0xc0000005, 0, 0, 1, high)), high},
		"of a system that is unknown": {unnamed(t, windows().Exception(1, 0xc0000005, 0, high, 1, 0x45), minidump.StreamSystemInfo), high},
	} {
		if got, ok := tc.d.CrashAddress(); !ok || got != tc.want {
			t.Errorf("%s: %#x, want %#x", name, got, tc.want)
		}
	}
	if addr, ok := parse(t, linux()).CrashAddress(); ok || addr != 0 {
		t.Errorf("%#x of no crash", addr)
	}
}

func TestAnExceptionIsReadWhole(t *testing.T) {
	d := parse(t, linux().ExceptionWithContext(7, 11, 2, 0x10, minidumptest.Regs{"rip": 0x1234}, 1, 2, 3))
	e := *d.Exception
	if e.Context == nil || e.Context.Registers[16] != 0x1234 {
		t.Fatalf("%+v", e.Context)
	}
	e.Context = nil
	if diff := cmp.Diff(minidump.Exception{ThreadID: 7, Code: 11, Flags: 2, Address: 0x10, Parameters: []uint64{1, 2, 3}}, e); diff != "" {
		t.Error(diff)
	}
	data := linux().ExceptionWithContext(7, 11, 2, 0x10, minidumptest.Regs{}).Bytes()
	rva := binary.LittleEndian.Uint32(entry(t, data, minidump.StreamException)[8:])
	data[rva+160]-- // the context is a byte too short
	if d, err := minidump.Parse(data); err != nil || d.Exception == nil || d.Exception.Context != nil ||
		!cmp.Equal(d.Findings, []minidump.Finding{{Code: minidump.FindingExceptionContext, Index: -1}}) {
		t.Errorf("%v, %v", d.Findings, err)
	}
}

func TestTheCrashingThreadIsTheLastOfItsID(t *testing.T) {
	threads := func(ids ...uint32) *minidumptest.Builder {
		b := linux()
		for _, id := range ids {
			b.Thread(id, nil, minidumptest.StackAt(0))
		}
		return b
	}
	// What the words of the stream say: which of the ids count, and those.
	says := func(words ...uint32) []byte {
		var b []byte
		for _, w := range words {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
		return b
	}
	for name, tc := range map[string]struct {
		b    *minidumptest.Builder
		want int
		dump int // the thread that wrote the dump, -1 for none
	}{
		"twice":                     {threads(5, 6, 5).Exception(5, 11, 1, 0), 2, -1},
		"the first":                 {threads(5, 6).Exception(5, 11, 1, 0), 0, -1},
		"no request":                {threads(5, 6).Stream(minidump.StreamBreakpadInfo, says(1, 5, 6)), -1, 0},
		"a request alone":           {threads(5, 6).Stream(minidump.StreamBreakpadInfo, says(2, 5, 6)), 1, -1},
		"both":                      {threads(5, 6).Stream(minidump.StreamBreakpadInfo, says(3, 5, 6)), 1, 0},
		"neither":                   {threads(5, 6).Stream(minidump.StreamBreakpadInfo, says(0, 5, 6)), -1, -1},
		"the one that wrote it too": {threads(5, 6).Stream(minidump.StreamBreakpadInfo, says(3, 6, 6)), -1, 1},
	} {
		d := parse(t, tc.b)
		if got := d.CrashingThread(); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
		for i := range d.Threads {
			if d.WroteDump(i) != (i == tc.dump) {
				t.Errorf("%s: thread %d wrote the dump: %v", name, i, d.WroteDump(i))
			}
		}
	}
}

func TestTheLastErrorLiesBehindThirteenPointers(t *testing.T) {
	for name, tc := range map[string]struct {
		cpu    minidump.CPU
		at     int
		memory uint64
		teb    uint64
		ok     bool
	}{
		"of 32 bits":             {minidump.CPUX86, 52, 0x7000, 0x7000, true},
		"of 64 bits":             {minidump.CPUAMD64, 104, 0x7000, 0x7000, true},
		"no memory":              {minidump.CPUAMD64, 104, 0x9000, 0x7000, false},
		"behind the last memory": {minidump.CPUAMD64, 101, 0x7000, 0x7004, false},
		"wraps":                  {minidump.CPUAMD64, 0, 0x20, 1<<64 - 0x48, false},
	} {
		b := make([]byte, 108)
		binary.LittleEndian.PutUint32(b[tc.at:], 183)
		d := parse(t, minidumptest.New(tc.cpu, minidump.Windows).Thread(1, nil, minidumptest.StackAt(0)).TEB(tc.teb).Memory(tc.memory, b))
		if code, ok := d.LastError(0); ok != tc.ok || ok && code != 183 || !ok && code != 0 {
			t.Errorf("%s: %d, %v", name, code, ok)
		}
	}
}

func TestTimesAndIDsAreKnownWhereTheStreamSaysSo(t *testing.T) {
	for flags, want := range map[uint32]struct{ pid, times bool }{0: {}, 1: {pid: true}, 2: {times: true}, 3: {true, true}} {
		var body []byte
		for _, w := range []uint32{24, flags, 7, 100, 5, 6} {
			body = binary.LittleEndian.AppendUint32(body, w)
		}
		d := parse(t, linux().Time(100).Stream(minidump.StreamMiscInfo, body).Stream(minidump.StreamLinuxProcStatus, []byte("Pid: x\n")))
		if diff := cmp.Diff(&minidump.MiscInfo{ProcessID: 7, HasProcessID: want.pid, CreateTime: 100, UserTime: 5, KernelTime: 6, HasTimes: want.times}, d.Misc); diff != "" {
			t.Error(diff)
		}
		if pid, ok := d.ProcessID(); ok != want.pid || ok && pid != 7 {
			t.Errorf("flags %d: pid %d, %v", flags, pid, ok)
		}
		created, ok := d.CreateTime()
		if ok != want.times || created != 0 && !ok || ok && created != 100 {
			t.Errorf("flags %d: created %d, %v", flags, created, ok)
		}
		if seconds, ok := d.Uptime(); ok != want.times || seconds != 0 { // written in the second in which it started
			t.Errorf("flags %d: uptime %d, %v", flags, seconds, ok)
		}
	}
	d := parse(t, linux().Time(99).Process(1, 100))
	if seconds, ok := d.Uptime(); ok || seconds != 0 {
		t.Errorf("the clock went back: %d", seconds)
	}
	if _, ok := parse(t, linux()).CreateTime(); ok {
		t.Error("a start without the stream")
	}
}

// The system's texts, of each kind of processor and writer.
func TestTheSystemIsDescribed(t *testing.T) {
	type system struct{ Version, Build, OSVersion, CPUInfo string }
	for name, tc := range map[string]struct {
		b    *minidumptest.Builder
		want system
	}{
		"windows": {windows().ServicePack(" Service Pack 2 "), system{"10.0.19041", "Service Pack 2", "10.0.19041 Service Pack 2", "GenuineIntel family 6 model 42 stepping 7"}},
		"no text": {linux(), system{"10.0.19041", "", "10.0.19041", "family 6 model 42 stepping 7"}},
		"arm64":   {minidumptest.New(minidump.CPUARM64, minidump.Linux), system{"10.0.19041", "", "10.0.19041", ""}},
	} {
		s := parse(t, tc.b).System
		if diff := cmp.Diff(tc.want, system{s.Version, s.Build, s.OSVersion(), s.CPUInfo}); diff != "" || s.CPUCount != 4 {
			t.Errorf("%s: %s, %d processors", name, diff, s.CPUCount)
		}
	}
	// Writers on Linux leave the numbers 0, and put uname's text there.
	for uname, want := range map[string]system{
		"Linux 5.4.0 #1 SMP x86_64": {Version: "5.4.0", Build: "#1 SMP"},
		"Linux 5.4.0 #1 SMP":        {Version: "5.4.0", Build: "#1 SMP"},
		"Linux 5.4.0":               {Version: "5.4.0"},
		"Linux":                     {Version: "0.0.0", Build: "Linux"},
		"":                          {Version: "0.0.0"},
		"Linux 1 a arm b":           {Version: "1", Build: "a"},
	} {
		for _, os := range []minidump.OS{minidump.Linux, minidump.Android, minidump.MacOS} {
			data := minidumptest.New(minidump.CPUAMD64, os).ServicePack(uname).Bytes()
			rva := binary.LittleEndian.Uint32(entry(t, data, minidump.StreamSystemInfo)[8:])
			clear(data[rva+8 : rva+20])
			d, err := minidump.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			want := want
			if os == minidump.MacOS {
				want = system{Version: "0.0.0", Build: uname}
			}
			if d.System.Version != want.Version || d.System.Build != want.Build {
				t.Errorf("%v: %q is %q, %q", os, uname, d.System.Version, d.System.Build)
			}
		}
	}
	for text, want := range map[string]struct {
		revision uint64
		has      bool
	}{"microcode: 0x2b": {0x2b, true}, "microcode: 2b": {0x2b, true}, "microcode: x": {}, "": {}, "microcode: 10000000000000000": {}} {
		s := parse(t, linux().Stream(minidump.StreamLinuxCPUInfo, []byte(text))).System
		if s.Microcode != want.revision || s.HasMicrocode != want.has {
			t.Errorf("%q: %#x, %v", text, s.Microcode, s.HasMicrocode)
		}
	}
	for os, apple := range map[minidump.OS]bool{minidump.MacOS: true, minidump.IOS: true, minidump.Linux: false, minidump.OSUnknown: false} {
		if os.Apple() != apple {
			t.Errorf("%v: %v", os, os.Apple())
		}
	}
}

func TestThreadsHaveTheirNamesAndStacks(t *testing.T) {
	d := parse(t, linux().
		Thread(1, minidumptest.Regs{}, minidumptest.StackAt(0x1000).Words(1)).TEB(0x70).
		ThreadWithoutStack(2, nil).Thread(3, nil, minidumptest.StackAt(0x3000).Words(3)).
		ThreadName(1, "main").ThreadName(3, "").ThreadName(9, "nobody's"))
	type seen struct {
		ID        uint32
		Name      string
		Named     bool
		TEB, Base uint64
		Bytes     int
		Context   bool
	}
	var got []seen
	for _, th := range d.Threads {
		if th.Stack.Base != th.StackBase {
			t.Errorf("thread %d: stacks at %#x and %#x", th.ID, th.Stack.Base, th.StackBase)
		}
		got = append(got, seen{th.ID, th.Name, th.Named, th.TEB, th.StackBase, len(th.Stack.Bytes), th.Context != nil})
	}
	if diff := cmp.Diff([]seen{{1, "main", true, 0x70, 0x1000, 8, true}, {2, "", false, 0, 0, 0, false}, {3, "", true, 0, 0x3000, 8, false}}, got); diff != "" || len(d.Findings) != 0 {
		t.Errorf("%s%v", diff, d.Findings)
	}
	for name, tc := range map[string]struct {
		size, rva uint32
		unread    bool
	}{"no size": {0, 1 << 30, false}, "no place": {1 << 30, 0, false}, "behind the file": {1, 1 << 30, true}} {
		data := linux().Thread(1, nil, minidumptest.StackAt(0x1000).Words(1)).Bytes()
		record := data[binary.LittleEndian.Uint32(entry(t, data, minidump.StreamThreadList)[8:])+4:]
		binary.LittleEndian.PutUint32(record[32:], tc.size)
		binary.LittleEndian.PutUint32(record[36:], tc.rva)
		d, err := minidump.Parse(data)
		if err != nil || has(d, minidump.FindingThreadStack) != tc.unread || d.Threads[0].Stack.Bytes != nil || d.Threads[0].Stack.Base != 0x1000 {
			t.Errorf("%s: %v, %v", name, d.Findings, err)
		}
	}
	for size, unread := range map[uint32]bool{0: false, 1232: true} { // of the context
		data := linux().Thread(1, minidumptest.Regs{}, minidumptest.StackAt(0)).Bytes()
		record := data[binary.LittleEndian.Uint32(entry(t, data, minidump.StreamThreadList)[8:])+4:]
		binary.LittleEndian.PutUint32(record[40:], size)
		binary.LittleEndian.PutUint32(record[44:], 1<<30)
		if d, err := minidump.Parse(data); err != nil || has(d, minidump.FindingThreadContext) != unread || d.Threads[0].Context != nil {
			t.Errorf("a context of %d bytes behind the file: %v, %v", size, d.Findings, err)
		}
	}
	// A name that cannot be read is one thread's.
	data := linux().Thread(1, nil, minidumptest.StackAt(0)).Thread(2, nil, minidumptest.StackAt(0)).ThreadName(1, "a").ThreadName(2, "b").Bytes()
	names := data[binary.LittleEndian.Uint32(entry(t, data, minidump.StreamThreadNames)[8:])+4:]
	binary.LittleEndian.PutUint64(names[4:], 1<<40)
	d, err := minidump.Parse(data)
	if diff := cmp.Diff([]minidump.Finding{{Code: minidump.FindingThreadName, Index: 0}}, d.Findings); err != nil || diff != "" || d.Threads[0].Named || d.Threads[1].Name != "b" {
		t.Errorf("%s%v", diff, err)
	}
}

func TestModulesAreFoundByTheirAddresses(t *testing.T) {
	d := parse(t, linux().
		Module(minidumptest.Module{Base: 0x3000, Size: 0x1000, CodeFile: "/lib/c.so"}).
		Module(minidumptest.Module{Base: 0x1000, Size: 0x1000, CodeFile: "/lib/a.so", CodeView: minidumptest.PDB70([16]byte{1}, 2, `C:\x\a.pdb`)}).
		Module(minidumptest.Module{Base: 0x1800, Size: 0x1000, CodeFile: "overlaps"}))
	for addr, want := range map[uint64]struct{ at, of int }{
		0xfff: {-1, -1}, 0x1000: {1, 1}, 0x1fff: {1, 1}, 0x2000: {-1, 2}, 0x27ff: {-1, 2}, 0x2800: {-1, -1}, 0x3000: {0, 0}, 0x3fff: {0, 0}, 0x4000: {-1, -1},
	} {
		at, ok := d.ModuleAt(addr)
		if ok != (want.at >= 0) || ok && at != want.at {
			t.Errorf("at %#x: %d, %v", addr, at, ok)
		}
		of, ok := d.ModuleOf(addr)
		if ok != (want.of >= 0) || ok && of != want.of {
			t.Errorf("of %#x: %d, %v", addr, of, ok)
		}
	}
	if i, ok := d.HighestModule(); !ok || i != 0 {
		t.Errorf("the highest is %d, %v", i, ok)
	}
	if m := d.Modules[1]; m.End() != 0x2000 || m.CodeName() != "a.so" || m.DebugName() != "a.pdb" {
		t.Errorf("%#x, %s, %s", m.End(), m.CodeName(), m.DebugName())
	}
	empty := parse(t, linux())
	if i, ok := empty.HighestModule(); ok || i != 0 {
		t.Errorf("the highest of none is %d", i)
	}
	if _, ok := empty.ModuleOf(0x1000); ok {
		t.Error("a module of none")
	}
	// The last byte of all addresses can be a module's.
	last := parse(t, linux().Module(minidumptest.Module{Base: 1<<64 - 0x1001, Size: 0x1000, CodeFile: "last"}))
	if i, ok := last.ModuleAt(1<<64 - 2); !ok || i != 0 {
		t.Error("not found below the last address")
	}
	u := parse(t, linux().UnloadedModule(minidumptest.Module{Base: 0x1000, Size: 0x10, TimeStamp: 7, CodeFile: `C:\x\old.dll`}).
		UnloadedModule(minidumptest.Module{Base: 1, CodeFile: "empty"}).UnloadedModule(minidumptest.Module{Base: 1<<64 - 1, Size: 2, CodeFile: "wraps"})).UnloadedModules
	if len(u) != 1 || u[0].CodeName() != "old.dll" || u[0].End() != 0x1010 || u[0].CodeID != "0000000710" {
		t.Errorf("%+v", u)
	}
}

func TestTwoMappingsOfOneFileAreTheSame(t *testing.T) {
	one := minidumptest.Module{Base: 0x1000, Size: 0x1000, TimeStamp: 1, CodeFile: "a", CodeView: minidumptest.PDB70([16]byte{1}, 2, "a.pdb")}
	bare := one
	bare.CodeView = nil
	for name, tc := range map[string]struct {
		from   minidumptest.Module
		change func(m *minidumptest.Module)
		want   bool
	}{
		"nothing else":         {one, func(*minidumptest.Module) {}, true},
		"another place":        {one, func(m *minidumptest.Module) { m.Size, m.TimeStamp = 0x2000, 7 }, true},
		"another name":         {one, func(m *minidumptest.Module) { m.CodeFile = "b" }, false},
		"another id":           {one, func(m *minidumptest.Module) { m.CodeView = minidumptest.PDB70([16]byte{2}, 2, "a.pdb") }, false},
		"another age":          {one, func(m *minidumptest.Module) { m.CodeView = minidumptest.PDB70([16]byte{1}, 3, "a.pdb") }, false},
		"another pdb":          {one, func(m *minidumptest.Module) { m.CodeView = minidumptest.PDB70([16]byte{1}, 2, "b.pdb") }, false},
		"no record":            {one, func(m *minidumptest.Module) { m.CodeView = nil }, false},
		"bare":                 {bare, func(*minidumptest.Module) {}, true},
		"bare, another size":   {bare, func(m *minidumptest.Module) { m.Size++ }, false},
		"bare, another time":   {bare, func(m *minidumptest.Module) { m.TimeStamp++ }, false},
		"bare, another nature": {bare, func(m *minidumptest.Module) { m.CodeView = minidumptest.BuildID(nil) }, false},
	} {
		other := tc.from
		tc.change(&other)
		other.Base = 0x8000
		d := parse(t, linux().Module(tc.from).Module(other))
		if got := d.Modules[0].SameFile(&d.Modules[1]); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Records that are shorter than they must be, and as short as they may.
func TestCodeViewRecordsAreWhole(t *testing.T) {
	whole := map[string][]byte{
		"RSDS": append([]byte("RSDS"), make([]byte, 20)...), "NB10": append([]byte("NB10"), make([]byte, 12)...), "LEpB": []byte("LEpB"),
	}
	for name, record := range whole {
		for _, cut := range []int{0, 1} {
			d := parse(t, linux().Module(minidumptest.Module{Base: 1, Size: 1, CodeFile: "a", CodeView: record[:len(record)-cut]}))
			if has(d, minidump.FindingModuleCodeView) != (cut > 0) || d.Modules[0].DebugID() != "" && name != "NB10" {
				t.Errorf("%s, %d bytes less: %v", name, cut, d.Findings)
			}
		}
	}
	// A version that is not one.
	for name, version := range map[string][]uint16{"": nil, "65538.196612.0.0": {1, 2, 3, 4}} {
		if got := parse(t, linux().Module(minidumptest.Module{Base: 1, Size: 1, Version: version})).Modules[0].Version(); got != name {
			t.Errorf("the version %q, want %q", got, name)
		}
	}
	for _, at := range []int{24, 28} { // magic and format of the version
		data := linux().Module(minidumptest.Module{Base: 1, Size: 1, Version: []uint16{1, 2, 3, 4}}).Bytes()
		data[int(binary.LittleEndian.Uint32(entry(t, data, minidump.StreamModuleList)[8:]))+4+at]++
		d, err := minidump.Parse(data)
		if err != nil || d.Modules[0].Version() != "" {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}
