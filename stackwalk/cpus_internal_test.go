package stackwalk

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

// inMemory is a walker whose memory has words from an address on; over the address it may
// go on for some bytes.
func inMemory(c *cpu, os minidump.OS, base uint64, more int, words ...uint64) *walker {
	var bytes []byte
	for _, word := range words {
		if c.arch.WordBytes() == 4 {
			bytes = binary.LittleEndian.AppendUint32(bytes, uint32(word))
		} else {
			bytes = binary.LittleEndian.AppendUint64(bytes, word)
		}
	}
	bytes = append(bytes, make([]byte, more)...)
	return &walker{cpu: c, os: os, dump: new(minidump.Dump), addressMask: math.MaxUint64, scanWordsLeft: 1 << 30, mem: breakpad.Memory{Base: base, Bytes: bytes}}
}

type registers map[breakpad.Register]uint64

func (r registers) callee(trust Trust) *activation {
	a := &activation{Frame: Frame{Trust: trust}}
	for k, v := range r {
		a.registers.Set(k, v)
	}
	return a
}

// got is what is known of a caller.
func got(rs *breakpad.Registers) registers {
	out := registers{}
	for r := range breakpad.Register(breakpad.MaxRegisters) {
		if v, ok := rs.Get(r); ok {
			out[r] = v
		}
	}
	return out
}

// Each place that a chain of frame pointers may lead to, and the one beside it.
func TestFramePointersLeadToACallersFrameAbove(t *testing.T) {
	const (
		top = 1<<64 - 0x100 // the last 256 bytes
		pc  = 0x400010
	)
	highest := func(c *cpu, base uint64, at int, words ...uint64) *walker { // words at a byte of the last 256
		w := inMemory(c, minidump.Linux, base, 0x100)
		for i, word := range words {
			if c.arch.WordBytes() == 4 {
				binary.LittleEndian.PutUint32(w.mem.Bytes[at+4*i:], uint32(word))
			} else {
				binary.LittleEndian.PutUint64(w.mem.Bytes[at+8*i:], word)
			}
		}
		w.mem.Bytes = w.mem.Bytes[:0xff]
		return w
	}
	for name, tc := range map[string]struct {
		w      *walker
		callee registers
		trust  Trust
		want   registers // nil: none
	}{
		"amd64": {
			inMemory(&amd64, minidump.Linux, 0x1000, 0, 0x1018, pc, 7, 8),
			registers{rbp: 0x1000, rsp: 0x1000},
			TrustContext,
			registers{rip: pc, rsp: 0x1010, rbp: 0x1018},
		},
		"amd64, a frame of no bytes":                   {inMemory(&amd64, minidump.Linux, 0x1000, 0, 0x1010, pc, 7), registers{rbp: 0x1000, rsp: 0x1000}, TrustContext, registers{rip: pc, rsp: 0x1010, rbp: 0x1010}},
		"amd64, a caller's pointer below":              {inMemory(&amd64, minidump.Linux, 0x1000, 0, 0x100f, pc, 7), registers{rbp: 0x1000, rsp: 0x1000}, TrustContext, nil},
		"amd64, nothing above":                         {inMemory(&amd64, minidump.Linux, 0x1000, 7, 0x1010, pc), registers{rbp: 0x1000, rsp: 0x1000}, TrustContext, nil},
		"amd64, a stack pointer at the caller's":       {inMemory(&amd64, minidump.Linux, 0x1000, 0, 0x1018, pc, 7, 8), registers{rbp: 0x1000, rsp: 0x1010}, TrustContext, nil},
		"amd64, a stack pointer just below":            {inMemory(&amd64, minidump.Linux, 0x1000, 0, 0x1018, pc, 7, 8), registers{rbp: 0x1000, rsp: 0x100f}, TrustContext, registers{rip: pc, rsp: 0x1010, rbp: 0x1018}},
		"amd64, the highest user address":              {inMemory(&amd64, minidump.Linux, 0x1000, 0, 0x1018, 0x7fffffffffff, 7, 8), registers{rbp: 0x1000, rsp: 0x1000}, TrustContext, registers{rip: 0x7fffffffffff, rsp: 0x1010, rbp: 0x1018}},
		"amd64, no stack pointer":                      {inMemory(&amd64, minidump.Linux, 0x1000, 0, 0x1018, pc, 7, 8), registers{rbp: 0x1000}, TrustContext, nil},
		"amd64, no frame pointer":                      {inMemory(&amd64, minidump.Linux, 0, 0, 0x18, pc, 7, 8), registers{rsp: 0}, TrustContext, nil},
		"amd64, Windows, the first place that will do": {inMemory(&amd64, minidump.Windows, 0x1000, 0, 1, pc, 0x1030, pc+1, 0x1040, pc+2, 7, 8, 9), registers{rbp: 0x1000, rsp: 0x1000}, TrustContext, registers{rip: pc + 1, rsp: 0x1020, rbp: 0x1030}},
		"amd64, Windows, a place that cannot be read":  {inMemory(&amd64, minidump.Windows, 0x1000, 0, 0x9000, pc, 0x1030, pc+1, 7, 8, 9), registers{rbp: 0x1000, rsp: 0x1000}, TrustContext, nil},
		"arm64":                  {inMemory(&arm64, minidump.Linux, 0x1000, 0, 0x1010, pc, 7, 8), registers{arm64FP: 0x1000, arm64SP: 0x1000}, TrustContext, registers{arm64PC: pc, arm64SP: 0x1010, arm64FP: 0x1010, arm64LR: 8}},
		"arm64, the last record": {inMemory(&arm64, minidump.Linux, 0, 0, 1, 2, 0, pc), registers{arm64FP: 0x10, arm64SP: 0}, TrustContext, registers{arm64PC: pc, arm64SP: 0x20, arm64FP: 0}},
		"arm64, a record behind which nothing is":       {inMemory(&arm64, minidump.Linux, 0x1000, 0, 0x1010, pc), registers{arm64FP: 0x1000, arm64SP: 0x1000}, TrustContext, registers{arm64PC: pc, arm64SP: 0x1010, arm64FP: 0x1010}},
		"arm64, half a record":                          {inMemory(&arm64, minidump.Linux, 0x1000, 7, 0x1010), registers{arm64FP: 0x1000, arm64SP: 0x1000}, TrustContext, nil},
		"arm64, no stack pointer":                       {inMemory(&arm64, minidump.Linux, 0x1000, 0, 0x1010, pc), registers{arm64FP: 0x1000}, TrustContext, nil},
		"arm64, the highest record":                     {highest(&arm64, top, 0xee, 0, pc), registers{arm64FP: 1<<64 - 18, arm64SP: top}, TrustContext, registers{arm64PC: pc, arm64SP: 1<<64 - 2, arm64FP: 0}},
		"arm64, one past it":                            {highest(&arm64, top, 0xef, 0, pc), registers{arm64FP: 1<<64 - 17, arm64SP: top}, TrustContext, nil},
		"arm64, the lowest instruction":                 {inMemory(&arm64, minidump.Linux, 0x1000, 0, 0, 4096), registers{arm64FP: 0x1000, arm64SP: 0x1000}, TrustContext, registers{arm64PC: 4096, arm64SP: 0x1010, arm64FP: 0}},
		"arm64, null in the first frame":                {improved(inMemory(&arm64, minidump.Linux, 0x1000, 0, 1)), registers{arm64FP: 0, arm64SP: 0x1000}, TrustContext, nil},
		"arm64, null in another":                        {improved(inMemory(&arm64, minidump.Linux, 0x1000, 0, 1)), registers{arm64FP: 0, arm64SP: 0x1000}, TrustCFI, registers{arm64PC: 0, arm64SP: 0x1000}},
		"arm64, null in version 1":                      {inMemory(&arm64, minidump.Linux, 0x1000, 0, 1), registers{arm64FP: 0, arm64SP: 0x1000}, TrustCFI, nil},
		"x86":                                           {inMemory(&x86, minidump.Linux, 0x1000, 0, 0x1010, pc), registers{ebp: 0x1000}, TrustContext, registers{eip: pc, esp: 0x1008, ebp: 0x1010}},
		"x86, half a frame":                             {inMemory(&x86, minidump.Linux, 0x1000, 3, 0x1010), registers{ebp: 0x1000}, TrustContext, nil},
		"x86, the highest frame":                        {highest(&x86, 1<<32-0x100, 0xf6, 1, pc), registers{ebp: 1<<32 - 10}, TrustContext, registers{eip: pc, esp: 1<<32 - 2, ebp: 1}},
		"x86, one past it":                              {highest(&x86, 1<<32-0x100, 0xf7, 1, pc), registers{ebp: 1<<32 - 9}, TrustContext, nil},
		"arm on iOS":                                    {inMemory(&arm, minidump.IOS, 0x1000, 0, 0x1010, pc), registers{armFP: 0x1000, armSP: 0x1000}, TrustContext, registers{armPC: pc, armSP: 0x1008, armFP: 0x1010}},
		"arm on iOS, null":                              {inMemory(&arm, minidump.IOS, 0x1000, 0, 1), registers{armFP: 0, armSP: 0x1000}, TrustContext, registers{armPC: 0, armSP: 0x1000}},
		"arm on iOS, half a frame":                      {inMemory(&arm, minidump.IOS, 0x1000, 3, 0x1010), registers{armFP: 0x1000, armSP: 0x1000}, TrustContext, nil},
		"arm on iOS, no stack pointer":                  {inMemory(&arm, minidump.IOS, 0x1000, 0, 0x1010, pc), registers{armFP: 0x1000}, TrustContext, nil},
		"arm elsewhere":                                 {inMemory(&arm, minidump.Linux, 0x1000, 0, 0x1010, pc), registers{armFP: 0x1000, armSP: 0x1000}, TrustContext, nil},
		"riscv64":                                       {inMemory(&riscv64, minidump.Linux, 0x1000, 0, 0x1020, pc), registers{riscv64FP: 0x1010, riscv64SP: 0x1000}, TrustContext, registers{riscv64PC: pc, riscv64SP: 0x1010, riscv64FP: 0x1020}},
		"riscv64, a frame pointer at the stack pointer": {inMemory(&riscv64, minidump.Linux, 0x1000, 0, 0x1020, pc), registers{riscv64FP: 0x1010, riscv64SP: 0x1010}, TrustContext, nil},
		"riscv64, just above":                           {inMemory(&riscv64, minidump.Linux, 0x1000, 0, 0x1020, pc), registers{riscv64FP: 0x1010, riscv64SP: 0x100f}, TrustContext, registers{riscv64PC: pc, riscv64SP: 0x1010, riscv64FP: 0x1020}},
		"riscv64, half a frame":                         {inMemory(&riscv64, minidump.Linux, 0x1008, 0, pc), registers{riscv64FP: 0x1010, riscv64SP: 0x1000}, TrustContext, nil},
		"mips":                                          {inMemory(&mips, minidump.Linux, 0x1000, 0, 0x1010, pc), registers{mipsFP: 0x1000, mipsSP: 0x1000}, TrustContext, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var caller breakpad.Registers
			ok := tc.w.cpu.framePointer(tc.w, tc.callee.callee(tc.trust), &caller)
			if ok != (tc.want != nil) {
				t.Fatalf("found %v", ok)
			}
			if d := cmp.Diff(tc.want, got(&caller)); ok && d != "" {
				t.Error(d)
			}
		})
	}
}

func improved(w *walker) *walker {
	w.improved = true
	return w
}

func TestAddressesThatCodeCanHave(t *testing.T) {
	for _, tc := range []struct {
		c     *cpu
		yes   []uint64
		never []uint64
	}{
		{&x86, []uint64{1}, []uint64{0}},
		{&arm, []uint64{1}, []uint64{0}},
		{&amd64, []uint64{1, 0x7fff_ffff_ffff, 0xffff_8000_0000_0000, math.MaxUint64}, []uint64{0, 0x8000_0000_0000, 0xffff_7fff_ffff_ffff}},
		{&arm64, []uint64{4096, 1<<52 - 1}, []uint64{0, 4095, 1 << 52}},
		{&mips, []uint64{4096, math.MaxUint64}, []uint64{0, 4095}},
		{&riscv64, []uint64{4096, math.MaxUint64}, []uint64{0, 4095}},
	} {
		for _, addr := range tc.yes {
			if !tc.c.addressOK(addr) {
				t.Errorf("%v: %#x is refused", tc.c.arch, addr)
			}
		}
		for _, addr := range tc.never {
			if tc.c.addressOK(addr) {
				t.Errorf("%v: %#x is taken", tc.c.arch, addr)
			}
		}
	}
}

// What the procedure call standards let a callee save, by name.
func TestCallsPreserveWhatTheirStandardsSay(t *testing.T) {
	for _, tc := range []struct {
		c          *cpu
		saved      []string
		callBytes  uint64
		forgotten  []string
		mayStayCtx bool // a leaf's caller keeps the stack pointer
	}{
		{&x86, []string{"ebp", "ebx", "edi", "esi"}, 1, nil, false},
		{&amd64, []string{"rbx", "rbp", "r12", "r13", "r14", "r15"}, 1, nil, false},
		{&arm, []string{"r4", "r5", "r6", "r7", "r8", "r9", "r10", "fp"}, 2, []string{"fp"}, true},
		{&arm64, []string{"x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "fp"}, 4, []string{"fp"}, false},
		{&mips, []string{"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "gp", "sp", "fp"}, 8, nil, true},
		{&riscv64, []string{"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11"}, 2, nil, true},
	} {
		names := func(set uint64) (out []string) {
			for r, name := range tc.c.arch.RegisterNames() {
				if set>>r&1 != 0 {
					out = append(out, name)
				}
			}
			slices.Sort(out)
			return out
		}
		slices.Sort(tc.saved)
		if d := cmp.Diff(tc.saved, names(tc.c.calleeSaved)); d != "" {
			t.Errorf("%v: %s", tc.c.arch, d)
		}
		if d := cmp.Diff(tc.forgotten, names(tc.c.notForwarded)); d != "" {
			t.Errorf("%v forgets: %s", tc.c.arch, d)
		}
		if tc.c.callBytes != tc.callBytes {
			t.Errorf("%v: calls of %d bytes", tc.c.arch, tc.c.callBytes)
		}
		if tc.c.pc != tc.c.arch.PC() || tc.c.sp != tc.c.arch.SP() {
			t.Errorf("%v: pc %d, sp %d", tc.c.arch, tc.c.pc, tc.c.sp)
		}
		if tc.mayStayCtx {
			if !tc.c.spMayStay(registers{}.callee(TrustContext), nil) || tc.c.spMayStay(registers{}.callee(TrustCFI), nil) {
				t.Errorf("%v: who may keep the stack pointer", tc.c.arch)
			}
		}
	}
	one, other := registers{arm64PC: 1}, registers{arm64PC: 2}
	for _, tc := range []struct {
		callee, caller *activation
		want           bool
	}{
		{one.callee(TrustContext), other.callee(TrustScan), true},
		{one.callee(TrustScan), other.callee(TrustCFI), true},
		{one.callee(TrustScan), other.callee(TrustScan), false},
		{one.callee(TrustContext), one.callee(TrustCFI), false},
	} {
		if got := arm64.spMayStay(tc.callee, tc.caller); got != tc.want {
			t.Errorf("%v after %v: %v", tc.caller.Trust, tc.callee.Trust, got)
		}
	}
}

// The bits that addresses of a process need, by its system, modules and stacks.
func TestAuthenticationCodesStandAboveTheAddresses(t *testing.T) {
	build := func(os minidump.OS, end, stack uint64) *minidump.Dump {
		b := minidumptest.New(minidump.CPUARM64, os)
		if end > 0 {
			b.Module(minidumptest.Module{Base: end - 0x1000, Size: 0x1000, CodeFile: "m"})
		}
		d, err := minidump.Parse(b.Thread(1, nil, minidumptest.StackAt(stack)).Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name, tc := range map[string]struct {
		d       *minidump.Dump
		v1, v2  int
		unknown bool // without system info
	}{
		"linux":                          {build(minidump.Linux, 0, 0), 47, 39, false},
		"linux, a module up to 39 bits":  {build(minidump.Linux, 1<<39, 0), 47, 39, false},
		"linux, a module of 40":          {build(minidump.Linux, 1<<39+1, 0), 47, 48, false},
		"android, a stack below 39 bits": {build(minidump.Android, 0, 1<<39-1), 47, 39, false},
		"android, a stack of 40":         {build(minidump.Android, 0, 1<<39), 47, 48, false},
		"linux, a stack of 48":           {build(minidump.Linux, 0, 1<<48-1), 47, 48, false},
		"linux, a stack of 49":           {build(minidump.Linux, 0, 1<<48), 47, 52, false},
		"linux, a stack of 52":           {build(minidump.Linux, 0, 1<<52-1), 47, 52, false},
		"linux, a stack of 53":           {build(minidump.Linux, 0, 1<<52), 47, 47, false},
		"macos":                          {build(minidump.MacOS, 0, 1<<48), 47, 47, false},
		"macos, a module up to 47 bits":  {build(minidump.MacOS, 1<<47, 0), 47, 47, false},
		"macos, a module of 48":          {build(minidump.MacOS, 1<<47+1, 0), 48, 48, false},
		"ios":                            {build(minidump.IOS, 0, 1<<48), 47, 39, false},
		"ios, a module of 40":            {build(minidump.IOS, 1<<39+1, 0), 47, 40, false},
		"windows":                        {build(minidump.Windows, 0, 1<<48), 47, 47, false},
		"no system":                      {build(minidump.Linux, 0, 1<<48), 47, 47, true},
	} {
		if tc.unknown {
			tc.d.System = nil
		}
		for improved, bits := range map[bool]int{false: tc.v1, true: tc.v2} {
			if got, want := arm64AddressMask(tc.d, improved), uint64(1)<<bits-1; got != want {
				t.Errorf("%s, improved %v: %#x, want %d bits", name, improved, got, bits)
			}
		}
	}
}

// On amd64 and x86 a scan recovers the frame pointer that was pushed, up to 128 KiB above.
func TestAScanRecoversAFramePointerThatIsNotFar(t *testing.T) {
	const base, gap = 0x10000, 128 << 10
	for _, c := range []*cpu{&amd64, &x86} {
		word := uint64(c.arch.WordBytes())
		bp := map[*cpu]breakpad.Register{&amd64: rbp, &x86: ebp}[c]
		at := base + word // of the pushed one; the return address is above
		for name, tc := range map[string]struct {
			saved, bp, want uint64 // 0: unknown
			x86             uint64 // where it differs
		}{
			"to the word above the return address": {at + 2*word, at, at + 2*word, at + 2*word},
			"to the return address":                {at + word, at, 0, 0},
			"as far as may be":                     {at + gap, at, at + gap, at + gap},
			"too far":                              {at + gap + 1, at, 0, 0},
			"pushed elsewhere":                     {at + 2*word, at + 1, 0, at + 2*word},
			"in the caller's frame":                {0, at + 2*word, at + 2*word, at + 2*word},
			"just below it":                        {0, at + 2*word - 1, 0, 0},
		} {
			w := inMemory(c, minidump.Linux, base, gap+64, 0, tc.saved, 0x400010)
			d, err := minidump.Parse(minidumptest.New(minidump.CPUAMD64, minidump.Linux).Module(minidumptest.Module{Base: 0x400000, Size: 0x1000, CodeFile: "m"}).Bytes())
			if err != nil {
				t.Fatal(err)
			}
			w.dump, w.symbols, w.asked = d, make([]Symbols, 1), make([]bool, 1)
			var caller breakpad.Registers
			if !c.scan(w, registers{c.sp: base, bp: tc.bp}.callee(TrustContext), &caller) {
				t.Fatalf("%v, %s: nothing is found", c.arch, name)
			}
			want := tc.want
			if c == &x86 {
				want = tc.x86
			}
			if v, ok := caller.Get(bp); ok != (want != 0) || v != want {
				t.Errorf("%v, %s: %#x, %v; want %#x", c.arch, name, v, ok, want)
			}
		}
	}
}

func TestAStackIsWhereItsPointerIs(t *testing.T) {
	d, err := minidump.Parse(minidumptest.New(minidump.CPUAMD64, minidump.Linux).
		Thread(1, nil, minidumptest.StackAt(0x1000).Words(1, 2)).ThreadWithoutStack(2, nil).
		Memory(0x100a, []byte{1, 2}).Memory(0x2000, make([]byte, 16)).Memory(0, make([]byte, 8)).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		thread int
		sp     uint64
		base   uint64
	}{
		{0, 0x1000, 0x1000},
		{0, 0x1008, 0x1000}, // eight bytes are left
		{0, 0x1009, 0x1000}, // seven, and nobody has more
		{0, 0x100a, 0x100a}, // another region does, though not eight
		{0, 0x2000, 0x2000},
		{0, 0x9000, 0x1000},
		{1, 0x9000, 0}, // the record says 0
	} {
		w := walker{dump: d}
		if !w.setStack(&d.Threads[tc.thread], tc.sp) || w.mem.Base != tc.base {
			t.Errorf("thread %d at %#x: the memory at %#x", tc.thread, tc.sp, w.mem.Base)
		}
	}
	for name, tc := range map[string]struct {
		region minidump.Region
		want   bool
	}{
		"up to the last address": {minidump.Region{Base: 1<<64 - 8, Bytes: make([]byte, 8)}, true},
		"over it":                {minidump.Region{Base: 1<<64 - 7, Bytes: make([]byte, 8)}, false},
		"none":                   {minidump.Region{Base: 1 << 20}, false},
	} {
		w := walker{dump: new(minidump.Dump)}
		if got := w.setStack(&minidump.Thread{StackBase: 1 << 20, Stack: tc.region}, 0); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLooksAtUnloadedModulesAreBounded(t *testing.T) {
	d := &minidump.Dump{UnloadedModules: []minidump.UnloadedModule{{Base: 0x1000, Size: 0x10}, {Base: 0x1008, Size: 0x10}, {Base: 0x1000, Size: 0x10}}}
	for left, want := range map[int]int{0: 0, 1: 1, 2: 2, 3: 3} {
		w := walker{dump: d, unloadedLeft: left}
		if got := w.unloadedAt(0x1008); len(got) != want {
			t.Errorf("%d looks: %d hits", left, len(got))
		}
	}
	w := walker{dump: d, unloadedLeft: 100}
	for addr, want := range map[uint64]int{0xfff: 0, 0x1000: 2, 0x1007: 2, 0x1008: 3, 0x100f: 3, 0x1010: 1, 0x1017: 1, 0x1018: 0} {
		if got := w.unloadedAt(addr); len(got) != want {
			t.Errorf("%#x: %+v", addr, got)
		}
	}
}

// A function's name is believed near its start alone.
func TestBottomsOfStacksAreNearTheirNames(t *testing.T) {
	frame := func(name string, offset uint64) *Frame {
		return &Frame{HasFunction: true, Function: []byte(name), FunctionBase: 0x1000, Instruction: 0x1000 + offset}
	}
	for name, tc := range map[string]struct {
		f, before *Frame
		want      bool
	}{
		"at its end":                {frame("_start", 127), nil, true},
		"behind it":                 {frame("_start", 128), nil, false},
		"another":                   {frame("main", 0), nil, false},
		"what a start called":       {frame("main", 0), frame("main", 0), false},
		"what calls a start":        {frame("main", 0), frame("__libc_start_main", 1023), true},
		"what calls one far behind": {frame("main", 0), frame("__libc_start_main", 1024), false},
		"no name":                   {&Frame{Function: []byte("_start")}, nil, false},
	} {
		if got := atBottom(tc.f, tc.before); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLimitsAndVersionsAreThoseThatAreTold(t *testing.T) {
	for name, tc := range map[string]struct{ is, want int }{
		"frames of a thread":         {DefaultMaxFramesPerThread, 65536},
		"frames":                     {DefaultMaxFrames, 131072},
		"scanned words":              {DefaultMaxScanWords, 4194304},
		"inlined calls":              {DefaultMaxInlines, 262144},
		"unloaded hits":              {maxUnloadedHits, 64},
		"unloaded looks":             {maxUnloadedChecks, 16777216},
		"scanned words of version 3": {scanWordsWeighed, 256},
		"words of pointers":          {pointerWords, 512},
		"signals":                    {maxSignalFrames, 16},
		"words above the start":      {maxStartupWords, 262144},
		"arguments":                  {maxStartupList, 65536},
		"auxiliary vector":           {maxAuxv, 64},
		"newest version":             {NewestVersion, 3},
		"no number":                  {orDefault(0, 7), 7},
		"less than none":             {orDefault(-1, 7), 7},
		"one":                        {orDefault(1, 7), 1},
	} {
		if tc.is != tc.want {
			t.Errorf("%s: %d, want %d", name, tc.is, tc.want)
		}
	}
	for asked, want := range map[int]int{0: 3, 1: 1, 2: 2, 3: 3, 4: 3} {
		if got := Walk(new(minidump.Dump), nil, Options{Version: asked}).Version; got != want {
			t.Errorf("version %d is %d", asked, got)
		}
	}
	if err := (Options{Version: 3}).Check(); err != nil {
		t.Error(err)
	}
}

func TestOffsetsOfAFrameThatIsNowhereAreNone(t *testing.T) {
	f := Frame{Instruction: 0x1000, Module: -1}
	if f.ModuleOffset(nil) != 0 || f.FunctionOffset() != 0 {
		t.Errorf("%#x, %#x", f.ModuleOffset(nil), f.FunctionOffset())
	}
	r := Registers{Valid: 1<<3 | 1<<39, Values: []uint64{7, 8}}
	for register, want := range map[breakpad.Register]uint64{3: 7, 39: 8, 0: 0, 4: 0, 40: 0, breakpad.NoRegister: 0} {
		if v, ok := r.Get(register); v != want || ok != (want != 0) {
			t.Errorf("register %d: %d, %v", register, v, ok)
		}
	}
}
