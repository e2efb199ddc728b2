package report_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
	"aftershock/stackwalk/report"
)

// TestLiveParity compares with the minidump-stackwalk that
// $AFTERSHOCK_MINIDUMP_STACKWALK names, on dumps made up at random.
func TestLiveParity(t *testing.T) {
	reference := os.Getenv("AFTERSHOCK_MINIDUMP_STACKWALK")
	if reference == "" {
		t.Skip("set AFTERSHOCK_MINIDUMP_STACKWALK to the program to compare with")
	}
	const rounds = 300
	for name, build := range map[string]func(*rand.Rand) (dump []byte, symbols map[int]string){
		"walk": randomStacks, "analysis": randomCrash, "reason": randomReason, "maps": randomMaps, "symbols": randomSymbols,
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(rounds) {
				data, symbols := build(rand.New(rand.NewPCG(seed, 1))) //nolint:gosec // seeds that fail must fail again
				for _, d := range compareLive(t, reference, data, symbols) {
					t.Errorf("seed %d: %s", seed, d)
				}
			}
		})
	}
}

// compareLive lists where the reference differs on a dump whose modules have
// these symbols by their index.
func compareLive(t *testing.T, reference string, data []byte, symbols map[int]string) []string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "dump")
	write(t, path, data)
	d, err := minidump.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	files := map[int]*breakpad.File{}
	for module, body := range symbols {
		m := &d.Modules[module]
		text := fmt.Sprintf("MODULE Linux %s %s %s\n%s", archName(d.System.CPU), m.DebugID(), m.DebugName(), body)
		if f, err := breakpad.Parse(strings.NewReader(text), breakpad.ParseOptions{}); err == nil && f.Strict() {
			files[module] = f
		} else {
			files[module] = nil
		}
		write(t, filepath.Join(dir, "symbols", m.DebugName(), m.DebugID(), m.DebugName()+".sym"), []byte(text))
	}
	status := make([]report.Symbols, len(d.Modules))
	walk := stackwalk.Walk(d, func(module int) stackwalk.Symbols {
		switch f, ok := files[module]; {
		case ok && f == nil:
			status[module].Status = report.SymbolsCorrupt
			return nil
		case ok:
			status[module] = report.Symbols{Status: report.SymbolsLoaded, URL: f.URL}
			return f
		}
		status[module].Status = report.SymbolsMissing
		return nil
	}, stackwalk.Options{Version: 1})
	for i := range status {
		for j := 0; j < len(status) && status[i].Status == report.SymbolsUnused; j++ {
			if d.Modules[i].SameFile(&d.Modules[j]) {
				status[i] = status[j]
			}
		}
	}
	text, err := exec.CommandContext(t.Context(), reference, "--json", "--symbols-path", filepath.Join(dir, "symbols"), path).Output() //nolint:gosec // the developer names it
	if err != nil {
		return []string{"the reference fails: " + err.Error()}
	}
	return differences(t, decodeJSON(t, text), report.Input{Dump: d, Walk: walk, Symbols: status})
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil { //nolint:gosec // a temporary folder
		t.Fatal(err)
	}
}

func archName(cpu minidump.CPU) string {
	return map[minidump.CPU]string{
		minidump.CPUARM: "arm", minidump.CPUARM64: "arm64", minidump.CPUMIPS: "mips", minidump.CPUAMD64: "x86_64", minidump.CPUX86: "x86",
	}[cpu]
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// randomCrash is a dump whose analysis has something to say: the registers point
// near what is mapped, a bit away from it, to null or nowhere.
func randomCrash(r *rand.Rand) ([]byte, map[int]string) {
	const app = 0x400000
	system := pick(r, minidump.Windows, minidump.Windows, minidump.Linux, minidump.Linux, minidump.MacOS, minidump.Android, minidump.IOS)
	mapped := []uint64{0x1000000, 0x1001000, 0x1002000, 0x1010000, 0x7f0000400000, 0x7fff00010000}
	address := func() uint64 {
		a := mapped[r.IntN(len(mapped))] + uint64(r.IntN(0x1000))
		switch r.IntN(8) {
		case 0:
			return 0
		case 1:
			return uint64(r.IntN(0x4000))
		case 2, 3:
			return a ^ 1<<r.IntN(64)
		case 4:
			return a | 1<<50
		case 5:
			return a&^0xfff + 0x1000 + uint64(r.IntN(10))
		case 6:
			return 0x0101010101010101 * pick[uint64](r, 0xe5, 0x2b, 0x41, 0xff)
		default:
			return a
		}
	}
	codes := []string{
		"\x48\x8b\x00", "\x48\x89\x03", "\x48\x8b\x04\xcb", "\x48\x8b\x43\x10", "\x88\x4b\xf0", "\xff\xd0", "\xff\x50\x08", "\xff\x20",
		"\xc3", "\x50", "\x5b", "\x8f\x03", "\xf7\xfb", "\xf7\x3b", "\xf3\xa4", "\x01\x08", "\x0f\x11\x03", "\x90", "\xfa", "\x48\x8d\x03",
		"\x48\x8b\x05\x10\x00\x00\x00", "\x64\x48\x8b\x04\x25\x28\x00\x00\x00", "\x06", "\xeb\x10", "\x74\x02", "\xe8\x02\x00\x00\x00", "\x67\x8b\x00",
		"\x0f\xb6\x04\x08", "\xac", "\xaa", "\x66\x0f\x6f\x06", "\x0f\x28\x03", "\x0f\x29\x04\x0b", "\x48\x89\x04\x0b", "\xff\x24\xcb", "\x48\xcf",
	}
	code := make([]byte, 16)
	r.Uint64() // so that seeds do not share their first choices
	copy(code, pick(r, codes...))
	regs := minidumptest.Regs{}
	for _, name := range minidump.CPUAMD64.RegisterNames() {
		regs[name] = address()
	}
	regs["rip"] = app + 0x100
	if r.IntN(2) == 0 {
		regs["rsp"] = 0x7fff00010000
	}
	b := minidumptest.New(minidump.CPUAMD64, system).
		Module(minidumptest.Module{Base: app, Size: 0x1000, CodeFile: "app"}).
		Memory(app+0x100, code).
		Thread(1, regs, minidumptest.StackAt(0x7fff00010000).Words(address(), address(), app+0x10))
	switch r.IntN(3) {
	case 0:
		var ranges []minidump.MemoryInfo
		for _, base := range mapped {
			ranges = append(ranges, minidump.MemoryInfo{
				Base: base, Size: pick[uint64](r, 0x1000, 0x1000, 0x8000, 0x9000), State: pick[uint32](r, 0x1000, 0x2000, 0x10000),
				Protection: pick[uint32](r, 0, 1, 1, 2, 4, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x104), Type: 0x20000,
			})
		}
		b.MemoryInfo(ranges...)
	case 1:
		text := ""
		for _, base := range mapped {
			text += fmt.Sprintf("%x-%x %s 0 0:0 0 /x\n", base, base+0x1000, pick(r, "rw-p", "r-xp", "---p", "r--p", "--xp"))
		}
		b.LinuxMaps(text)
	}
	if r.IntN(8) == 0 { // an index that makes a null pointer not canonical
		regs["rbx"], regs["rax"], regs["rcx"] = 0, 0, 0x6172747320746f6e
	}
	crashAddress := pick(r, address(), regs["rax"], regs["rbx"], regs["rbx"]+0x10, 0, ^uint64(0), regs["rip"])
	var params []uint64
	var exception, flags uint32
	switch system {
	case minidump.Windows:
		exception, flags = pick[uint32](r, 0xc0000005, 0xc0000005, 0xc0000005, 0xc0000006, 0xc0000094, 0xc0000096, 0xc00000fd), 0
		params = []uint64{pick[uint64](r, 0, 0, 1, 8, 5), crashAddress, 0xc0000005}[:pick(r, 0, 1, 2, 3, 3, 3, 3)]
		crashAddress = regs["rip"]
	case minidump.MacOS, minidump.IOS:
		exception, flags = pick[uint32](r, 1, 1, 3), pick[uint32](r, 1, 2, 13)
	default:
		exception, flags = pick[uint32](r, 11, 11, 7, 8), pick[uint32](r, 0, 1, 2, 0x80)
	}
	if r.IntN(12) == 0 {
		b.Exception(1, exception, flags, crashAddress, params...)
	} else {
		b.ExceptionWithContext(1, exception, flags, crashAddress, regs, params...)
	}
	return b.Bytes(), nil
}

// randomReason is a dump with nothing but an exception, of the codes that systems
// have.
func randomReason(r *rand.Rand) ([]byte, map[int]string) {
	cpu := pick(r, minidump.CPUX86, minidump.CPUAMD64, minidump.CPUARM64, minidump.CPUPPC)
	small := func() uint32 { return uint32(r.IntN(20)) }
	var code uint32
	flags, params := small(), []uint64{uint64(small()), r.Uint64(), r.Uint64()}
	var system minidump.OS
	switch system = pick(r, minidump.Windows, minidump.Linux, minidump.Android, minidump.MacOS, minidump.IOS); system {
	case minidump.Windows:
		code = pick(r, uint32(r.IntN(9000)), 0xc0000000|uint32(r.IntN(0x500)), 0x80000000|uint32(r.IntN(0x30)), 0xc0000409, 0xc0000006,
			0xc0000005, 0xe06d7363, 0xc06d0000|uint32(r.IntN(200)), 0x40000000|uint32(r.IntN(0x40)), 0xe0000008, 0x0517a7ed,
			0xe0434352, 0xe0430000|uint32(r.IntN(1<<16)), 0xc0000900|uint32(r.IntN(0x800)), 0xc0240100|uint32(r.IntN(0x100)), 0xc0ee0200|uint32(r.IntN(16)))
		params[0] = uint64(r.IntN(90))
		params[2] = pick(r, 0, 0xc0000000|uint64(r.IntN(0x200)), 0xc0000900|uint64(r.IntN(0x800)))
	case minidump.Linux, minidump.Android:
		code, flags = uint32(r.IntN(34)), pick(r, small(), 0x80, uint32(-1-int32(small())))
	default:
		code = pick[uint32](r, 1, 1, 2, 3, 5, 6, 11, 12, 12, 0x43507378)
		flags = pick(r, small(), small(), 0x100+small(), 0x10002, 0x10100, 0xdeadc0de)
		if code == 11 || code == 12 {
			flags = uint32(2+r.IntN(6))<<29 | pick[uint32](r, 1<<26, 1<<r.IntN(27), 0)
			if code == 12 {
				flags = uint32(r.IntN(8))<<29 | pick[uint32](r, 1<<r.IntN(27), 0)
			}
			params[1] = uint64(flags)<<32 | uint64(r.Uint32()>>4)
		}
	}
	return minidumptest.New(cpu, system).Exception(1, code, flags, 0x10, params[:pick(r, 0, 1, 2, 3, 3, 3)]...).Bytes(), nil
}

// randomMaps is a dump with lines of /proc/PID/maps, of which some are not as the
// kernel writes them.
func randomMaps(r *rand.Rand) ([]byte, map[int]string) {
	text := ""
	for i := range 1 + r.IntN(4) {
		base := uint64(0x1000000 + 0x10000*i)
		field := func(usual string, odd ...string) string {
			if r.IntN(16) == 0 {
				return pick(r, odd...)
			}
			return usual
		}
		blank := func() string { return field(" ", "  ", "\t", "") }
		text += field(fmt.Sprintf("%x-%x", base, base+0x1000), "1000", "x-y", "A000-B000", "1000-2000-3000", "-1000", "+1000-+2000", "", "1_0-20",
			"10000000000000000-20", "2000-1000") + blank() +
			field("rw-p", "r", "", "....", "r-xp-and-more") + blank() + field("00000000", "zz", "", "ffffffffffffffff1") + blank() +
			field("08:01", "8", "x:y", "fffffff:1", "ffffffff:1", "8:1:2", "-1:0") + blank() + field("42", "0", "", "x", "18446744073709551616", "-1") +
			field(" ", "      ", "", "\t") +
			field("/lib/x.so", "", "", "[heap]", "[stack:12]", "[stack:x]", "[stack:1:2]", "[anon:x y]", "/SYSV0000002a (deleted)", "/SYSVxxxxxxxx", "/a b (deleted)",
				"\xff", "é") + field("\n", "\n\n", "\r\n", " \n")
		if r.IntN(6) == 0 {
			text += pick(r, "Size: 4 kB\n", "Size: x kB\n", "VmFlags: rd ex\n", "THPeligible:    0\n", "Key\n", " Size: 4 kB\n")
		}
	}
	if r.IntN(4) == 0 {
		text = strings.TrimSuffix(text, "\n") + pick(r, "", "\x00", "\n", "x")
	}
	b := minidumptest.New(minidump.CPUAMD64, minidump.Linux).LinuxMaps(text)
	return b.ExceptionWithContext(1, 11, 1, 0x1000000, minidumptest.Regs{"rip": 0x400100}).Bytes(), nil
}

// randomSymbols is a dump with symbols of which some lines are odd: places without
// a file, lines 0, records that are cut or stand where they may not.
func randomSymbols(r *rand.Rand) ([]byte, map[int]string) {
	const app = 0x400000
	number := func() int { return r.IntN(3) }
	var body strings.Builder
	for range 4 + r.IntN(24) {
		line := pick(r, "FILE 0 a.c", "FILE 1 ", "FILE 2 b.rs", "INLINE_ORIGIN 0 in", "INLINE_ORIGIN 1 deeper", "FUNC 1000 100 0 f", "FUNC 1000 40 0 g", "FUNC 1040 40 0 ",
			"INFO URL https://a.example/x", "PUBLIC 1000 0 p", "PUBLIC 1080 0 q", "STACK CFI INIT 1000 100 .cfa: $rsp 8 + .ra: .cfa 8 - ^", "STACK CFI 1010 .cfa: $rsp 16 +")
		if r.IntN(2) == 0 {
			line = pick(r, fmt.Sprintf("%x %x %d %d", 0x1000+0x10*number(), 0x20*(1+number()), number(), number()+number()),
				fmt.Sprintf("INLINE %d %d %d %d 1000 %x", number(), number(), number()+number(), number(), 0x20*(1+number())))
		}
		if r.IntN(60) == 0 {
			line = pick(r, "", "x", line+" ", line+"\r", line[:len(line)/2])
		}
		body.WriteString(line + "\n")
	}
	module := minidumptest.Module{Base: app, Size: 0x2000, CodeFile: "/lib/app.so", CodeView: minidumptest.BuildID([]byte(strings.Repeat("1", 20)))}
	again := module
	again.Base = 0x600000
	regs := minidumptest.Regs{"rip": app + 0x1000 + uint64(r.IntN(0x90)), "rsp": 0x10000}
	return minidumptest.New(minidump.CPUAMD64, minidump.Linux).Module(module).Module(again).
		Thread(1, regs, minidumptest.StackAt(0x10000).Words(app+0x1008, app+0x1018, 1, app+0x1020, app+0x1f00)).
		ExceptionWithContext(1, 11, 1, 0x10, regs).Bytes(), map[int]string{0: body.String()}
}
