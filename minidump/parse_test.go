package minidump_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

func parse(t *testing.T, b *minidumptest.Builder) *minidump.Dump {
	t.Helper()
	d, err := minidump.Parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func linux() *minidumptest.Builder { return minidumptest.New(minidump.CPUAMD64, minidump.Linux) }

func TestParseReadsThreadsInEitherByteOrder(t *testing.T) {
	for name, b := range map[string]*minidumptest.Builder{
		"little endian": linux(), "big endian": linux().BigEndian(), "padded lists": linux().PadLists(),
	} {
		t.Run(name, func(t *testing.T) {
			d := parse(t, b.
				Thread(7, minidumptest.Regs{"rip": 0x401000, "rsp": 0x7000, "r15": 15, "rax": 1, "rdx": 2}, minidumptest.StackAt(0x7000).Words(1, 2)).
				Module(minidumptest.Module{Base: 0x400000, Size: 0x2000, CodeFile: "/bin/app"}).
				ThreadName(7, "wörker").
				Exception(7, 11, 1, 0x10))
			if len(d.Findings) != 0 {
				t.Errorf("findings %v", d.Findings)
			}
			th := d.Threads[0]
			if th.ID != 7 || th.Name != "wörker" || len(th.Stack.Bytes) != 16 || th.Stack.Base != 0x7000 {
				t.Errorf("thread %+v", th)
			}
			got := minidumptest.Regs{}
			for i, name := range minidump.CPUAMD64.RegisterNames() {
				if v := th.Context.Registers[i]; v != 0 {
					got[name] = v
				}
			}
			if diff := cmp.Diff(minidumptest.Regs{"rip": 0x401000, "rsp": 0x7000, "r15": 15, "rax": 1, "rdx": 2}, got); diff != "" {
				t.Error(diff)
			}
			if i, ok := d.ModuleAt(0x401fff); !ok || i != 0 {
				t.Error("module not found at its last byte")
			}
			if _, ok := d.ModuleAt(0x402000); ok {
				t.Error("module found behind its end")
			}
			if d.CrashingThread() != 0 || d.CrashReason() != "SIGSEGV / SEGV_MAPERR" {
				t.Error(d.CrashingThread(), d.CrashReason())
			}
		})
	}
}

// cpus are all whose contexts are decoded.
var cpus = []minidump.CPU{
	minidump.CPUX86, minidump.CPUAMD64, minidump.CPUARM, minidump.CPUARM64, minidump.CPUMIPS, minidump.CPUMIPS64,
	minidump.CPUPPC, minidump.CPUPPC64, minidump.CPUSPARC, minidump.CPURISCV64,
}

func TestParseReadsRegistersOfEveryCPU(t *testing.T) {
	check := func(cpu minidump.CPU, b *minidumptest.Builder) {
		want := minidumptest.Regs{}
		for i, name := range cpu.RegisterNames() {
			want[name] = uint64(0x11<<(8*(cpu.RegisterBytes()-1)) + 100 + i)
		}
		d := parse(t, b.Thread(1, want, minidumptest.StackAt(0)))
		if len(d.Findings) != 0 {
			t.Errorf("%v: %v", cpu, d.Findings)
			return
		}
		got := minidumptest.Regs{}
		for i, name := range cpu.RegisterNames() {
			got[name] = d.Threads[0].Context.Registers[i]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: %s", cpu, diff)
		}
	}
	for _, cpu := range cpus {
		check(cpu, minidumptest.New(cpu, minidump.Linux))
		check(cpu, minidumptest.New(cpu, minidump.Linux).BigEndian())
	}
	check(minidump.CPUARM64, minidumptest.New(minidump.CPUARM64, minidump.IOS).OldARM64())
}

func TestContextsOfAnotherCPUOrSizeAreUnreadable(t *testing.T) {
	one := func(b *minidumptest.Builder) []byte {
		return b.Thread(1, minidumptest.Regs{}, minidumptest.StackAt(0)).Bytes()
	}
	dumps := map[string][]byte{"old arm64": one(minidumptest.New(minidump.CPUARM64, minidump.IOS).OldARM64())}
	for _, cpu := range cpus {
		dumps[cpu.String()] = one(minidumptest.New(cpu, minidump.Linux))
	}
	for name, data := range dumps {
		d, err := minidump.Parse(data)
		if err != nil || has(d, minidump.FindingThreadContext) {
			t.Errorf("%s: %v, %v", name, err, d.Findings)
			continue
		}
		// A thread record ends with the context's location.
		var list []byte
		for _, s := range d.Streams {
			if s.Type == minidump.StreamThreadList {
				list = s.Data
			}
		}
		size := list[4+40:]
		binary.LittleEndian.PutUint32(size, binary.LittleEndian.Uint32(size)-1)
		if d, _ = minidump.Parse(data); !has(d, minidump.FindingThreadContext) || d.Threads[0].Context != nil {
			t.Errorf("%s: a byte less is read", name)
		}
		binary.LittleEndian.PutUint32(size, binary.LittleEndian.Uint32(size)+1)
		at := binary.LittleEndian.Uint32(list[4+44:])
		if name == "amd64" {
			at += 48
		}
		data[at+3] |= 0x08 // CONTEXT_EXCEPTION_ACTIVE of winnt.h
		if d, _ = minidump.Parse(data); d.Threads[0].Context == nil {
			t.Errorf("%s: flags that do not name a CPU are refused", name)
		}
		data[at+2] ^= 0x02 // a CPU bit that none of them has
		if d, _ = minidump.Parse(data); !has(d, minidump.FindingThreadContext) || d.Threads[0].Context != nil {
			t.Errorf("%s: flags of another CPU are read", name)
		}
	}
}

func TestParseRefusesWhatIsNoMinidump(t *testing.T) {
	good := linux().Bytes()
	wrongVersion := append([]byte(nil), good...)
	wrongVersion[4] = 0
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty":           {nil, minidump.ErrNotMinidump},
		"short":           {good[:31], minidump.ErrNotMinidump},
		"other signature": {append([]byte("ELF!"), good[4:]...), minidump.ErrNotMinidump},
		"other version":   {wrongVersion, minidump.ErrVersion},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := minidump.Parse(c.data); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestWalkableTellsWhatIsMissing(t *testing.T) {
	if err := parse(t, linux()).Walkable(); err != nil {
		t.Error(err)
	}
	if err := parse(t, linux().Stream(minidump.StreamThreadList, []byte{1, 0})).Walkable(); !errors.Is(err, minidump.ErrNoThreadList) {
		t.Error(err)
	}
	if err := parse(t, linux().Stream(minidump.StreamSystemInfo, nil)).Walkable(); !errors.Is(err, minidump.ErrNoSystemInfo) {
		t.Error(err)
	}
}

func TestParseTakesTheLastOfTwoStreams(t *testing.T) {
	d := parse(t, linux().Process(1, 0).Process(2, 0))
	if pid, _ := d.ProcessID(); pid != 2 {
		t.Errorf("pid %d", pid)
	}
	if !has(d, minidump.FindingDuplicateStream) {
		t.Error("not noted")
	}
}

func TestParseKeepsModulesBesideAnUnreadableOne(t *testing.T) {
	d := parse(t, linux().
		Module(minidumptest.Module{Base: 0x1000, Size: 0x1000, NoName: true}).
		Module(minidumptest.Module{Base: 0x2000, Size: 0, CodeFile: "empty"}).
		Module(minidumptest.Module{Base: ^uint64(0), Size: 0x1000, CodeFile: "wraps"}).
		Module(minidumptest.Module{Base: 0x3000, Size: 0x1000, CodeFile: "bad", CodeView: []byte("????")}).
		Module(minidumptest.Module{Base: 0x4000, Size: 0x1000, CodeFile: `C:\dir\good.dll`}))
	var names []string
	for i := range d.Modules {
		names = append(names, d.Modules[i].CodeName())
	}
	if diff := cmp.Diff([]string{"", "bad", "good.dll"}, names); diff != "" {
		t.Error(diff)
	}
	want := []minidump.Finding{
		{Code: minidump.FindingModuleName, Index: 0},
		{Code: minidump.FindingModuleRange, Index: 1},
		{Code: minidump.FindingModuleRange, Index: 2},
		{Code: minidump.FindingModuleCodeView, Index: 3},
	}
	if diff := cmp.Diff(want, d.Findings); diff != "" {
		t.Error(diff)
	}
}

func TestModuleIDs(t *testing.T) {
	guid := [16]byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	nb10 := append([]byte("NB10\x00\x00\x00\x00"), 0xd, 0xf0, 0xad, 0xde, 10, 0, 0, 0, 'a', 0)
	type ids struct{ DebugFile, DebugID, CodeID string }
	for name, c := range map[string]struct {
		os       minidump.OS
		codeView []byte
		want     ids
	}{
		"pdb 7.0 on windows": {minidump.Windows, minidumptest.PDB70(guid, 0x1a, `d:\x.pdb`), ids{`d:\x.pdb`, "00112233445566778899AABBCCDDEEFF1a", "000000ab1000"}},
		"uuid on macos":      {minidump.MacOS, minidumptest.PDB70(guid, 0, "app"), ids{"app", "00112233445566778899AABBCCDDEEFF0", "00112233445566778899aabbccddeeff"}},
		"nil guid":           {minidump.Linux, minidumptest.PDB70([16]byte{}, 0, "app"), ids{"app", "", "000000ab1000"}},
		"pdb 2.0":            {minidump.Windows, nb10, ids{"a", "DEADF00Da", "000000ab1000"}},
		"build id":           {minidump.Linux, minidumptest.BuildID(append(guid[:], 1, 2, 3, 4)), ids{"/lib/x.so", "00112233445566778899AABBCCDDEEFF0", "33221100554477668899aabbccddeeff01020304"}},
		"short build id":     {minidump.Linux, minidumptest.BuildID([]byte{1, 2}), ids{"/lib/x.so", "000002010000000000000000000000000", "0102"}},
		"zero build id":      {minidump.Linux, minidumptest.BuildID(make([]byte, 20)), ids{"/lib/x.so", "", ""}},
		"none on windows":    {minidump.Windows, nil, ids{"", "", "000000ab1000"}},
		"none on linux":      {minidump.Linux, nil, ids{}},
	} {
		t.Run(name, func(t *testing.T) {
			d := parse(t, minidumptest.New(minidump.CPUAMD64, c.os).
				Module(minidumptest.Module{Base: 0x1000, Size: 0x1000, TimeStamp: 0xab, CodeFile: "/lib/x.so", CodeView: c.codeView}))
			m := d.Modules[0]
			if diff := cmp.Diff(c.want, ids{m.DebugFile(), m.DebugID(), m.CodeID()}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestModuleVersionFollowsTheSystem(t *testing.T) {
	m := minidumptest.Module{Base: 0x1000, Size: 1, Version: []uint16{1, 2, 3, 4}}
	if v := parse(t, minidumptest.New(minidump.CPUX86, minidump.Windows).Module(m)).Modules[0].Version(); v != "1.2.3.4" {
		t.Error(v)
	}
	if v := parse(t, linux().Module(m)).Modules[0].Version(); v != "65538.196612.0.0" {
		t.Error(v)
	}
}

func TestCrashReason(t *testing.T) {
	for want, b := range map[string]*minidumptest.Builder{
		"SIGSEGV":                                                   linux().Exception(1, 11, 0, 0),
		"SIGSEGV / SI_KERNEL":                                       linux().Exception(1, 11, 0x80, 0),
		"SIGABRT / SI_TKILL":                                        linux().Exception(1, 6, 0xfffffffa, 0),
		"SIGUSR1 / 0x00000001":                                      linux().Exception(1, 10, 1, 0),
		"SIGSYS / SYS_SECCOMP":                                      linux().Exception(1, 31, 1, 0),
		"unknown 0x00000063 / 0x00000001":                           linux().Exception(1, 99, 1, 0),
		"EXCEPTION_ACCESS_VIOLATION_READ":                           windows().Exception(1, 0xc0000005, 0, 0, 0, 8),
		"EXCEPTION_ACCESS_VIOLATION_WRITE":                          windows().Exception(1, 0xc0000005, 0, 0, 1, 8),
		"EXCEPTION_ACCESS_VIOLATION_EXEC":                           windows().Exception(1, 0xc0000005, 0, 0, 8, 8),
		"EXCEPTION_ACCESS_VIOLATION":                                windows().Exception(1, 0xc0000005, 0, 0),
		"EXCEPTION_IN_PAGE_ERROR_READ / STATUS_IO_DEVICE_ERROR":     windows().Exception(1, 0xc0000006, 0, 0, 0, 8, 0xc0000185),
		"EXCEPTION_STACK_BUFFER_OVERRUN / FAST_FAIL_FATAL_APP_EXIT": windows().Exception(1, 0xc0000409, 0, 0, 7),
		"Unhandled C++ Exception":                                   windows().Exception(1, 0xe06d7363, 0, 0),
		"FACILITY_VISUALCPP / ERROR_MOD_NOT_FOUND":                  windows().Exception(1, 0xc06d007e, 0, 0),
		"unknown 0x12345678":                                        windows().Exception(1, 0x12345678, 0, 0),
		"EXC_BAD_ACCESS / KERN_INVALID_ADDRESS":                     mac().Exception(1, 1, 1, 0),
		"EXC_BAD_ACCESS / EXC_I386_GPFLT":                           mac().Exception(1, 1, 13, 0),
		"EXC_ARITHMETIC / EXC_I386_DIV":                             mac().Exception(1, 3, 1, 0),
		"unknown 0x43506e78 / 0x00000000":                           mac().Exception(1, 0x43506e78, 0, 0),
		"":                                                          linux(),
	} {
		if got := parse(t, b).CrashReason(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestTextsOfTheSystemEndBeforeMemory: with a damaged size the text goes on into
// whatever lies behind it in the file.
func TestTextsOfTheSystemEndBeforeMemory(t *testing.T) {
	const limit = 512
	for _, c := range []struct{ text, want string }{
		{"Service Pack 2", "Service Pack 2"},
		{"Service Pack 2\x00c:\\secret.exe", "Service Pack 2"},
		{strings.Repeat("x", limit), strings.Repeat("x", limit)},
		{strings.Repeat("x", limit+1), strings.Repeat("x", limit)},
		{strings.Repeat("x", limit-1) + "\u00fc", strings.Repeat("x", limit-1)},
	} {
		if got := parse(t, windows().ServicePack(c.text)).System.Build; got != c.want {
			t.Errorf("%.40q: %q", c.text, got)
		}
	}
}

func windows() *minidumptest.Builder { return minidumptest.New(minidump.CPUX86, minidump.Windows) }
func mac() *minidumptest.Builder     { return minidumptest.New(minidump.CPUAMD64, minidump.MacOS) }

func TestCrashAddress(t *testing.T) {
	for name, c := range map[string]struct {
		b    *minidumptest.Builder
		want uint64
	}{
		"linux":                        {linux().Exception(1, 11, 1, 0xdead), 0xdead},
		"windows access violation":     {windows().Exception(1, 0xc0000005, 0, 0x401000, 1, 0x45), 0x45},
		"windows other":                {windows().Exception(1, 0xc00000fd, 0, 0x401000, 1, 0x45), 0x401000},
		"sign-extended 32-bit address": {windows().Exception(1, 0xc0000005, 0, 0, 1, 0xffffffff80000045), 0x80000045},
	} {
		if got, ok := parse(t, c.b).CrashAddress(); !ok || got != c.want {
			t.Errorf("%s: got %#x, want %#x", name, got, c.want)
		}
	}
}

func TestCrashingThread(t *testing.T) {
	threads := func() *minidumptest.Builder {
		return linux().Thread(5, nil, minidumptest.StackAt(0)).Thread(6, nil, minidumptest.StackAt(0))
	}
	for name, c := range map[string]struct {
		b    *minidumptest.Builder
		want int
	}{
		"exception wins over the request": {threads().Exception(6, 11, 1, 0).BreakpadInfo(9, 5), 1},
		"request":                         {threads().BreakpadInfo(9, 5), 0},
		"wrote the dump":                  {threads().Exception(6, 11, 1, 0).BreakpadInfo(6, 5), -1},
		"not listed":                      {threads().Exception(7, 11, 1, 0), -1},
		"nobody":                          {threads(), -1},
	} {
		if got := parse(t, c.b).CrashingThread(); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func TestMemoryFollowsTheRangeRule(t *testing.T) {
	long, short, inside := make([]byte, 16), make([]byte, 8), make([]byte, 4)
	short[0] = 1
	for name, b := range map[string]*minidumptest.Builder{"list": linux(), "64-bit list": linux().Memory64()} {
		d := parse(t, b.Memory(0x1000, long).Memory(0x1000, short).Memory(0x1004, inside))
		if r, ok := d.Memory.Find(0x1000); !ok || len(r.Bytes) != 8 || r.Bytes[0] != 1 {
			t.Errorf("%s: the shorter of two regions at one address must win, got %v", name, r)
		}
		if _, ok := d.Memory.Find(0x1008); ok {
			t.Errorf("%s: an overlapping region is found", name)
		}
		if d.Memory.Read(0x1006, 4) != nil {
			t.Errorf("%s: read across the end of a region", name)
		}
	}
}

func TestLastErrorReadsTheThreadEnvironmentBlock(t *testing.T) {
	teb := make([]byte, 64)
	binary.LittleEndian.PutUint32(teb[13*4:], 183)
	d := parse(t, windows().Thread(1, nil, minidumptest.StackAt(0)).TEB(0x7000).Memory(0x7000, teb))
	if code, ok := d.LastError(0); !ok || minidump.WindowsErrorText(code) != "ERROR_ALREADY_EXISTS" {
		t.Error(code, ok)
	}
}

func TestUptimeIsUnknownWhenTheClockWentBack(t *testing.T) {
	if s, ok := parse(t, linux().Time(160).Process(1, 100)).Uptime(); !ok || s != 60 {
		t.Error(s, ok)
	}
	if _, ok := parse(t, linux().Time(50).Process(1, 100)).Uptime(); ok {
		t.Error("answered")
	}
}

func TestCrashpadAnnotations(t *testing.T) {
	d := parse(t, linux().
		Module(minidumptest.Module{Base: 1, Size: 0}). // left out: record 1 is Modules[0]
		Module(minidumptest.Module{Base: 0x1000, Size: 1, CodeFile: "app"}).
		Crashpad([]minidumptest.Annotation{{Name: "channel", Value: "beta"}}, 1,
			[]minidumptest.Annotation{{Name: "k", Value: "v"}}, []string{"entry"}, []minidumptest.Annotation{{Name: "o", Value: "text"}}))
	want := []minidump.Annotation{
		{Module: -1, Kind: minidump.AnnotationSimple, Name: "channel", Value: "beta"},
		{Module: 0, Kind: minidump.AnnotationList, Value: "entry"},
		{Module: 0, Kind: minidump.AnnotationSimple, Name: "k", Value: "v"},
		{Module: 0, Kind: minidump.AnnotationObject, Type: minidump.AnnotationString, Name: "o", Value: "text"},
	}
	if diff := cmp.Diff(want, d.Crashpad.Annotations); diff != "" {
		t.Error(diff)
	}
	if d.Crashpad.ReportID != "6f706572-7472-692d-642d-313662797465" {
		t.Error(d.Crashpad.ReportID)
	}
}

func TestLinuxStreams(t *testing.T) {
	d := parse(t, linux().
		LinuxMaps("00400000-0040b000 r-xp 00001000 fd:01 42 /bin/my app\nnonsense\n7ff0-8000 rw-p 0 00:00 0\n").
		Stream(minidump.StreamLinuxLSBRelease, []byte("DISTRIB_ID=Ubuntu\nPRETTY_NAME=\"Ubuntu 16.04\"\n")).
		Stream(minidump.StreamLinuxProcStatus, []byte("Name:\tapp\nPid:\t77\n")).
		Stream(minidump.StreamLinuxCPUInfo, []byte("processor\t: 0\nmicrocode\t: 0x2b\n")).
		Stream(minidump.StreamMozLinuxLimits, []byte("Limit                     Soft Limit           Hard Limit           Units     \nMax cpu time              unlimited            100                  seconds   \n")))
	want := []minidump.LinuxMap{
		{Start: 0x400000, End: 0x40b000, Perms: []byte("r-xp"), Offset: 0x1000, Path: []byte("/bin/my app")},
		{Start: 0x7ff0, End: 0x8000, Perms: []byte("rw-p")},
	}
	if diff := cmp.Diff(want, d.LinuxMaps); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&minidump.LinuxRelease{ID: "Ubuntu", Description: "Ubuntu 16.04"}, d.LinuxRelease); diff != "" {
		t.Error(diff)
	}
	if pid, ok := d.ProcessID(); !ok || pid != 77 {
		t.Error(pid)
	}
	if !d.System.HasMicrocode || d.System.Microcode != 0x2b {
		t.Error(d.System.Microcode)
	}
	if diff := cmp.Diff([]minidump.LinuxLimit{{Name: "Max cpu time", Soft: "unlimited", Hard: "100", Unit: "seconds"}}, d.LinuxLimits()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]minidump.Finding{{Code: minidump.FindingLinuxMaps, Index: 1}}, d.Findings); diff != "" {
		t.Error(diff)
	}
}

func TestParseOfAnUnsupportedCPUKeepsTheRest(t *testing.T) {
	d := parse(t, minidumptest.New(minidump.CPURISCV, minidump.Linux).Thread(3, minidumptest.Regs{}, minidumptest.StackAt(0x1000).Words(1)))
	if d.System.CPU != minidump.CPURISCV || len(d.Threads) != 1 || d.Threads[0].Context != nil || len(d.Threads[0].Stack.Bytes) != 4 {
		t.Errorf("%+v", d.Threads)
	}
	if !has(d, minidump.FindingCPUUnsupported) || has(d, minidump.FindingThreadContext) {
		t.Error(d.Findings)
	}
}

func has(d *minidump.Dump, code minidump.FindingCode) bool {
	for _, f := range d.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// FuzzParse checks that no input makes Parse panic, and that what it keeps is
// bounded by the input.
func FuzzParse(f *testing.F) {
	f.Add(linux().Thread(1, minidumptest.Regs{"rip": 1}, minidumptest.StackAt(0x1000).Words(1, 2, 3)).
		Module(minidumptest.Module{Base: 0x1000, Size: 0x1000, CodeFile: "app", CodeView: minidumptest.BuildID([]byte{1, 2, 3})}).
		Memory(0x1000, make([]byte, 64)).ThreadName(1, "x").Exception(1, 11, 1, 0x10).Process(1, 2).
		LinuxMaps("1-2 r-xp 0 0:0 0 /x\n").UnloadedModule(minidumptest.Module{Base: 5, Size: 5, CodeFile: "u"}).
		Crashpad([]minidumptest.Annotation{{Name: "a", Value: "b"}}, 0, nil, []string{"l"}, []minidumptest.Annotation{{Name: "o", Value: "v"}}).Bytes())
	f.Add(mac().MacBootArgs("-v").MacCrashInfo(minidumptest.MacCrashRecord{Version: 5, Numbers: []uint64{1, 2, 3}, Texts: []string{"a", "b", "c", "d", "e"}}).
		Exception(1, 12, 0x40000001, 0, 12, 0x4000000100000003, 7).Bytes())
	f.Add(minidumptest.New(minidump.CPUARM64, minidump.IOS).OldARM64().Thread(1, minidumptest.Regs{"pc": 1}, minidumptest.StackAt(0x1000)).
		Stream(minidump.StreamAssertionInfo, make([]byte, 776)).Stream(minidump.StreamLinuxEnviron, []byte("a=b")).
		Stream(minidump.StreamThreadInfoList, []byte{12, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0}).Bytes())
	f.Add(windows().BigEndian().Memory64().Memory(0x10, []byte{1}).Exception(1, 0xc0000005, 0, 0, 1, 2).Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := minidump.Parse(data)
		if err != nil {
			return
		}
		if n := len(data); len(d.Threads) > n || len(d.Modules) > n || len(d.Memory.Regions) > n || len(d.MemoryInfo) > n || len(d.Handles) > n {
			t.Errorf("more entries than the %d input bytes can hold", n)
		}
		for i := range d.Modules {
			m := &d.Modules[i]
			if size := len(m.CodeFile()) + len(m.DebugFile()) + len(m.CodeID()) + len(m.DebugID()) + len(m.Version()); size > 8*len(data)+200 {
				t.Errorf("texts of %d bytes in %d", size, len(data))
			}
		}
		if size := len(d.LinuxCPUInfo()) + len(d.LinuxLimits()) + len(d.LinuxEnvironment()) + len(d.LinuxProcStatus()) + len(d.Mappings()); size > len(data) {
			t.Errorf("%d lines in %d bytes", size, len(data))
		}
		d.CrashReason()
		d.CrashAddress()
		d.Uptime()
		d.ProcessID()
		d.CrashingThread()
		for i := range d.Threads {
			d.LastError(i)
		}
	})
}
