package analysis_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk/analysis"
)

const (
	app   = 0x400100
	stack = 0x7fff0000
	av    = 0xc0000005

	load  = "\x48\x8b\x00"             // mov rax, [rax]
	store = "\x48\x89\x03"             // mov [rbx], rax
	index = "\x48\x8b\x04\xcb"         // mov rax, [rbx+rcx*8]
	call  = "\xff\xd0"                 // call rax
	avx   = "\x62\xf1\xfe\x48\x6f\x06" // AVX-512, not decoded
	wild  = 0x6172747320746f6e         // not canonical
)

type regs = minidumptest.Regs

// crash is a process that ran code with registers; rip and rsp are given unless
// named.
func crash(os minidump.OS, code string, r regs) (*minidumptest.Builder, regs) {
	all := regs{"rip": app, "rsp": stack}
	for name, v := range r {
		all[name] = v
	}
	return minidumptest.New(minidump.CPUAMD64, os).Memory(app, []byte(code)).
		Thread(1, all, minidumptest.StackAt(stack).Words(0x400200, wild)), all
}

func analyze(t *testing.T, b *minidumptest.Builder) *analysis.Analysis {
	t.Helper()
	d, err := minidump.Parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return analysis.Analyze(d, 0)
}

// win is an access violation on Windows; kind is 0 for reading, 1 for writing, 8
// for executing.
func win(t *testing.T, code string, r regs, kind, addr uint64, ranges ...minidump.MemoryInfo) *analysis.Analysis {
	t.Helper()
	b, all := crash(minidump.Windows, code, r)
	return analyze(t, b.MemoryInfo(ranges...).ExceptionWithContext(1, av, 0, app, all, kind, addr))
}

func linux(t *testing.T, code string, r regs, signal, flags uint32, addr uint64, maps string) *analysis.Analysis {
	t.Helper()
	b, all := crash(minidump.Linux, code, r)
	return analyze(t, b.LinuxMaps(maps).ExceptionWithContext(1, signal, flags, addr, all))
}

func TestAccesses(t *testing.T) {
	r := regs{"rax": 0x1000, "rbx": 0x2000, "rcx": 2, "rsi": 0x3000, "rdi": 0x4000}
	for name, c := range map[string]struct {
		code string
		want []analysis.Access
	}{
		"load":             {load, []analysis.Access{{Address: 0x1000, Size: 8, Type: analysis.Read}}},
		"store":            {store, []analysis.Access{{Address: 0x2000, Size: 8, Type: analysis.Write}}},
		"base and index":   {index, []analysis.Access{{Address: 0x2010, Size: 8, Type: analysis.Read}}},
		"change":           {"\x01\x08", []analysis.Access{{Address: 0x1000, Size: 4, Type: analysis.ReadWrite}}},
		"of unknown type":  {"\xf7\x3b", []analysis.Access{{Address: 0x2000, Size: 4}}},
		"none":             {"\x90", []analysis.Access{}},
		"address only":     {"\x48\x8d\x03", []analysis.Access{}},
		"push":             {"\x50", []analysis.Access{{Address: stack - 8, Size: 8, Type: analysis.Write}}},
		"return":           {"\xc3", []analysis.Access{{Address: stack, Size: 8, Type: analysis.Read}}},
		"pop to memory":    {"\x8f\x03", []analysis.Access{{Address: 0x2000, Size: 8, Type: analysis.Write}, {Address: stack, Size: 8, Type: analysis.Read}}},
		"call from memory": {"\xff\x50\x08", []analysis.Access{{Address: 0x1008, Size: 8, Type: analysis.Read}, {Address: stack - 8, Size: 8, Type: analysis.Write}}},
		"string":           {"\xf3\xa4", []analysis.Access{{Address: 0x4000, Size: 1}, {Address: 0x3000, Size: 1}}},
		"of unknown size":  {"\xd9\x20", []analysis.Access{{Address: 0x1000}}},
		"negative offset":  {"\x48\x8b\x80\x00\xff\xff\xff", []analysis.Access{{Address: 0xf00, Size: 8, Type: analysis.Read}}},
		// Parity: the instruction's own address counts, not the next one's.
		"relative to rip": {"\x48\x8b\x05\x10\x00\x00\x00", []analysis.Access{{Address: app + 0x10, Size: 8, Type: analysis.Read}}},
		// Parity: of 32-bit addresses nothing is told.
		"32-bit address": {"\x67\x8b\x00", nil},
		"AVX":            {"\xc5\xfe\x6f\x0e", []analysis.Access{{Address: 0x3000, Size: 32}}},
		"not decoded":    {avx, nil},
	} {
		a := linux(t, c.code, r, 11, 1, 0x123456, "")
		if diff := cmp.Diff(c.want, a.Accesses, cmpopts.IgnoreUnexported(analysis.Access{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTarget(t *testing.T) {
	for name, c := range map[string]struct {
		code string
		r    regs
		want uint64 // 0: unknown
	}{
		"register":         {call, regs{"rax": 0x1234}, 0x1234},
		"return":           {"\xc3", nil, 0x400200},
		"far return":       {"\xcb", nil, 0x400200},
		"memory":           {"\xff\x20\x90\x90\x90\x90\x90\x90\x78\x56\x34\x12\x00\x00\x00\x00", regs{"rax": app + 8}, 0x12345678},
		"relative":         {"\xe8\x10\x00\x00\x00", nil, 0},
		"stack not there":  {"\xc3", regs{"rsp": 0x9000}, 0},
		"memory not there": {"\xff\x20", regs{"rax": 0x9000}, 0},
		// Parity: a jump's operand is not looked up in the stack.
		"memory of the stack": {"\xff\x20", regs{"rax": stack}, 0},
	} {
		if a := linux(t, c.code, c.r, 11, 1, 5, ""); a.Target != c.want || a.HasTarget != (c.want != 0) {
			t.Errorf("%s: %#x %v", name, a.Target, a.HasTarget)
		}
	}
}

func TestAdjustedAddress(t *testing.T) {
	null := func(offset uint64) *analysis.Adjusted {
		return &analysis.Adjusted{Kind: analysis.NullPointer, Address: offset}
	}
	nonCanonical := &analysis.Adjusted{Kind: analysis.NonCanonical, Address: wild}
	const kernel, general = 0x80, 13 // SI_KERNEL, EXC_I386_GPFLT
	mac := func(flags uint32) *analysis.Analysis {
		b, r := crash(minidump.MacOS, load, regs{"rax": wild})
		return analyze(t, b.ExceptionWithContext(1, 1, flags, 0, r))
	}
	for name, c := range map[string]struct {
		got  *analysis.Analysis
		want *analysis.Adjusted
	}{
		"null base":                {linux(t, index, regs{"rcx": 2}, 11, 1, 16, ""), null(16)},
		"null index":               {linux(t, index, regs{"rbx": 0x5000}, 11, 1, 0x5000, ""), nil},
		"call of null":             {linux(t, call, nil, 11, 1, 0, ""), null(0)},
		"return from a null stack": {linux(t, "\xc3", regs{"rsp": 0}, 11, 1, 0, ""), null(0)},
		"push to a null stack":     {linux(t, "\x50", regs{"rsp": 0}, 11, 1, 0, ""), nil},
		"linux":                    {linux(t, load, regs{"rax": wild}, 11, kernel, 0, ""), nonCanonical},
		"linux, bus error":         {linux(t, load, regs{"rax": wild}, 7, kernel, 0, ""), nonCanonical},
		"linux, another code":      {linux(t, load, regs{"rax": wild}, 11, 1, 0, ""), nil},
		"linux, another address":   {linux(t, load, regs{"rax": wild}, 11, kernel, 5, ""), nil},
		"linux, call":              {linux(t, call, regs{"rax": wild}, 11, kernel, 0, ""), nonCanonical},
		"linux, canonical":         {linux(t, load, regs{"rax": 0x5000}, 11, kernel, 0, ""), nil},
		"mac":                      {mac(general), nonCanonical},
		"mac, another code":        {mac(1), nil},
		"windows":                  {win(t, load, regs{"rax": wild}, 0, math.MaxUint64), nonCanonical},
		"windows, write":           {win(t, load, regs{"rax": wild}, 1, math.MaxUint64), nil},
	} {
		if diff := cmp.Diff(c.want, c.got.Adjusted); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestInconsistencies(t *testing.T) {
	windows := func(code string, exception uint32) *analysis.Analysis {
		b, r := crash(minidump.Windows, code, regs{"rax": 0x5000})
		return analyze(t, b.ExceptionWithContext(1, exception, 0, app, r))
	}
	readable := minidump.MemoryInfo{Base: 0x5000, Size: 0x1000, Protection: 2}
	at := regs{"rax": 0x5000, "rbx": 0x5000}
	for name, c := range map[string]struct {
		got  *analysis.Analysis
		want []analysis.Inconsistency
	}{
		"division":                           {windows("\xf7\xfb", 0xc0000094), nil},
		"no division":                        {windows("\x90", 0xc0000094), []analysis.Inconsistency{analysis.IntDivByZeroNotPossible}},
		"no division on linux":               {linux(t, "\x90", nil, 8, 1, app, ""), []analysis.Inconsistency{analysis.IntDivByZeroNotPossible}},
		"privileged":                         {windows("\xf4", 0xc0000096), nil},
		"every mov may be privileged":        {windows(load, 0xc0000096), nil},
		"not privileged":                     {windows("\x90", 0xc0000096), []analysis.Inconsistency{analysis.PrivInstructionWithoutOne}},
		"no address":                         {win(t, load, regs{"rax": wild}, 0, math.MaxUint64), nil},
		"not canonical, from a null pointer": {win(t, "\x48\x89\x04\x0b", regs{"rbx": 0, "rcx": wild}, 0, math.MaxUint64), nil}, // mov [rbx+rcx], rax
		"not aligned, perhaps":               {win(t, "\x0f\x28\x03", regs{"rbx": 0x1001}, 0, math.MaxUint64), nil},             // movaps xmm0, [rbx]
		"a target that is not known":         {win(t, "\xff\x23", regs{"rbx": 0x1000}, 0, math.MaxUint64), nil},                 // jmp [rbx]
		"no address though there is one":     {win(t, load, at, 0, math.MaxUint64), []analysis.Inconsistency{analysis.NonCanonicalAddressFalseReported}},
		"inside the access":                  {win(t, load, at, 0, 0x5007), nil},
		"behind the access":                  {win(t, load, at, 0, 0x5008), []analysis.Inconsistency{analysis.AccessNotFound}},
		"a write that reads":                 {win(t, load, at, 1, 0x5000), []analysis.Inconsistency{analysis.AccessNotFound}},
		"of what nothing is known":           {win(t, "\xf7\x3b", at, 0, 0x9999), nil},
		"executing here":                     {win(t, load, at, 8, app), nil},
		"executing elsewhere":                {win(t, "\x90", at, 8, 0x5000), []analysis.Inconsistency{analysis.AccessNotFound}},
		"allowed":                            {win(t, load, at, 0, 0x5000, readable), []analysis.Inconsistency{analysis.ViolationWhenAllowed}},
		"not allowed":                        {win(t, store, at, 1, 0x5000, readable), nil},
		"no address, relative jump":          {win(t, "\xeb\x10", at, 0, math.MaxUint64), nil},
		"allowed, unknown instruction":       {win(t, avx, at, 0, 0x5000, readable), []analysis.Inconsistency{analysis.ViolationWhenAllowed}},
		"executing, unknown accesses":        {win(t, "\x67\x8b\x00", at, 8, 0x9999), nil},
		"stack overflow by nothing":          {windows("\xeb\x00", 0xc00000fd), []analysis.Inconsistency{analysis.AccessNotFound}},
		"stack overflow by a push":           {windows("\x50", 0xc00000fd), nil},
		"elsewhere than on windows":          {linux(t, load, at, 11, 1, 0x9999, ""), nil},
	} {
		if diff := cmp.Diff(c.want, c.got.Inconsistencies); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestGuardPages(t *testing.T) {
	const none, readWrite = 1, 4
	for name, c := range map[string]struct {
		ranges []minidump.MemoryInfo
		want   bool
	}{
		"before":                 {[]minidump.MemoryInfo{{Base: 0x5000, Size: 0x1000, Protection: none}, {Base: 0x6000, Size: 0x1000, Protection: readWrite}}, true},
		"behind":                 {[]minidump.MemoryInfo{{Base: 0x4000, Size: 0x1000, Protection: readWrite}, {Base: 0x5000, Size: 0x1000, Protection: none}}, true},
		"accessible":             {[]minidump.MemoryInfo{{Base: 0x5000, Size: 0x1000, Protection: 2}, {Base: 0x6000, Size: 0x1000, Protection: readWrite}}, false},
		"alone":                  {[]minidump.MemoryInfo{{Base: 0x5000, Size: 0x1000, Protection: none}, {Base: 0x7000, Size: 0x1000, Protection: readWrite}}, false},
		"beside another of them": {[]minidump.MemoryInfo{{Base: 0x5000, Size: 0x1000, Protection: none}, {Base: 0x6000, Size: 0x1000, Protection: none}}, false},
		"largest":                {[]minidump.MemoryInfo{{Base: 0x5000, Size: 0x8000, Protection: none}, {Base: 0xd000, Size: 0x1000, Protection: readWrite}}, true},
		"too large":              {[]minidump.MemoryInfo{{Base: 0x5000, Size: 0x8001, Protection: none}, {Base: 0xd001, Size: 0x1000, Protection: readWrite}}, false},
	} {
		if a := win(t, load, regs{"rax": 0x5010}, 0, 0x5010, c.ranges...); a.Accesses[0].GuardPage != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}

func TestAnalyzeWithoutACrash(t *testing.T) {
	b, _ := crash(minidump.Linux, load, nil)
	if a := analyze(t, b); a != nil {
		t.Errorf("%+v", a)
	}
}

// FuzzAnalyze checks that no dump makes it panic or list more than it may.
func FuzzAnalyze(f *testing.F) {
	for _, code := range []string{load, store, index, call, "\xc3", "\xf3\xa4", "\xf7\x3b", "\xdd\x54\x24\xe8", "\x67\x8b\x00", avx} {
		b, r := crash(minidump.Linux, code, regs{"rax": 1 << 40, "rbx": wild})
		f.Add(b.LinuxMaps("1000-2000 rw-p 0 0:0 0 /x\n").ExceptionWithContext(1, 11, 0x80, 0, r).Bytes())
	}
	b, r := crash(minidump.Windows, load, nil)
	f.Add(b.MemoryInfo(minidump.MemoryInfo{Base: 0x5000, Size: 0x1000, Protection: 4}).ExceptionWithContext(1, av, 0, app, r, 0, 5).Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := minidump.Parse(data)
		if err != nil {
			return
		}
		a := analysis.Analyze(d, 0)
		if a == nil {
			return
		}
		// An operation has at most two operands in memory and one on the stack.
		if len(a.Accesses) > 3 || len(a.BitFlips) > 64*5 || len(a.Inconsistencies) > 4 {
			t.Errorf("%+v", a)
		}
		for _, b := range a.BitFlips {
			if b.Confidence < 0 || b.Confidence > 1 {
				t.Errorf("%+v", b)
			}
		}
	})
}
