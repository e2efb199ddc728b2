package breakpad_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/breakpad"
)

// values are registers by name.
type values map[string]uint64

func registers(arch breakpad.Arch, v values) breakpad.Registers {
	var out breakpad.Registers
	for name, value := range v {
		r, ok := arch.Register(name)
		if !ok {
			panic(name)
		}
		out.Set(r, value)
	}
	return out
}

func names(arch breakpad.Arch, rs breakpad.Registers) values {
	out := values{}
	for i, name := range arch.RegisterNames() {
		if v, ok := rs.Get(breakpad.Register(i)); ok {
			out[name] = v
		}
	}
	return out
}

// counting is memory from 0x1000 on whose word at address a is a/size + 0x900.
func counting(arch breakpad.Arch) breakpad.Memory {
	mem := breakpad.Memory{Base: 0x1000}
	for i := range uint64(16) {
		if arch.WordBytes() == 4 {
			mem.Bytes = binary.LittleEndian.AppendUint32(mem.Bytes, uint32(0x900+i))
		} else {
			mem.Bytes = binary.LittleEndian.AppendUint64(mem.Bytes, 0x900+i)
		}
	}
	return mem
}

func TestCFIRules(t *testing.T) {
	const cfa = ".cfa: $rsp 16 + .ra: .cfa 8 - ^ "
	base := values{"rip": 0x901, "rsp": 0x1010, "r15": 0x15}
	with := func(more values) values {
		out := values{}
		for _, m := range []values{base, more} {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		rules string
		want  values // nil: no caller
	}{
		"cfa and ra":                         {cfa, base},
		"rule restores a register":           {cfa + "$rbp: .cfa 16 - ^", with(values{"rbp": 0x900})},
		"register names without $":           {".cfa: rsp 16 + .ra: .cfa 8 - ^", base},
		"$ may stand inside a token":         {".cfa: x$rsp 16 + .ra: .cfa 8 - ^", base},
		"later rule replaces":                {cfa + "$rbx: 1 $rbx: 2", with(values{"rbx": 2})},
		"a rule that fails clears":           {cfa + "$r15: .undef", values{"rip": 0x901, "rsp": 0x1010}},
		"negative literal":                   {".cfa: $rsp -16 - .ra: .cfa -8 + ^", base},
		"division is unsigned":               {cfa + "$rbx: -1 2 /", with(values{"rbx": 1<<63 - 1})},
		"division by zero fails the rule":    {cfa + "$rbx: 1 0 /", base},
		"modulo":                             {cfa + "$rbx: 7 4 %", with(values{"rbx": 3})},
		"multiplication wraps":               {cfa + "$rbx: 2 9223372036854775807 * 2 +", with(values{"rbx": 0})},
		"align":                              {cfa + "$rbx: 31 16 @", with(values{"rbx": 16})},
		"align to 12 fails the rule":         {cfa + "$rbx: 31 12 @", base},
		"invalid register fails the rule":    {cfa + "$rbx: $r14", base},
		"two values left fail the rule":      {cfa + "$rbx: 1 2", base},
		"too few operands fail the rule":     {cfa + "$rbx: 1 +", base},
		"memory outside the stack fails":     {cfa + "$rbx: 0 ^", base},
		"memory across its end fails":        {cfa + "$rbx: 4217 ^", base}, // 0x1079
		"rule for an unknown register":       {cfa + "$xmm0: 1", base},
		"registers are the callee's":         {cfa + "$rbx: 5 $r12: $rbp", with(values{"rbx": 5, "r12": 0x77})},
		"no cfa":                             {".ra: 1", nil},
		"no ra":                              {".cfa: 1", nil},
		"cfa may not use cfa":                {".cfa: .cfa .ra: 1", nil},
		"cfa fails":                          {".cfa: $r14 .ra: 1", nil},
		"ra is undefined":                    {".cfa: $rsp .ra: .undef", nil},
		"empty expression spoils the record": {cfa + "$rbx: $r12: 1", nil},
		"text before the first rule":         {"1 " + cfa, nil},
		"deep expression, at the limit":      {cfa + "$rbx: " + strings.Repeat("1 ", 64) + strings.Repeat("+ ", 63), with(values{"rbx": 64})},
		"deep expression, over the limit":    {cfa + "$rbx: " + strings.Repeat("1 ", 65) + strings.Repeat("+ ", 64), base},
		"long expression, at the limit":      {cfa + "$rbx: 0 0 + " + strings.Repeat("1 + ", 254) + " ", with(values{"rbx": 254})},
		"long expression, over the limit":    {cfa + "$rbx: 0 " + strings.Repeat("1 + ", 256), base},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, module+"STACK CFI INIT 1000 10 "+c.rules+"\n")
			row, ok := f.CFI(0x1000)
			if !ok {
				t.Fatal("no row")
			}
			callee := registers(breakpad.AMD64, values{"rsp": 0x1000, "rbp": 0x77})
			caller := registers(breakpad.AMD64, values{"r15": 0x15}) // forwarded
			mem := counting(breakpad.AMD64)
			if !row.Rules.Eval(breakpad.AMD64, &callee, &caller, &mem) {
				if c.want != nil {
					t.Error("no caller")
				}
				return
			}
			if diff := cmp.Diff(c.want, names(breakpad.AMD64, caller)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCFIOf32BitCPUs(t *testing.T) {
	const head = "MODULE Linux x86 1 a\nSTACK CFI INIT 1000 10 "
	mem := counting(breakpad.X86)
	callee := registers(breakpad.X86, values{"esp": 0x1000})
	for name, c := range map[string]struct {
		rules string
		want  values
	}{
		"reads four bytes":         {".cfa: $esp 4 + .ra: .cfa -4 + ^", values{"esp": 0x1004, "eip": 0x900, "ebx": 1}},
		"cfa too large":            {".cfa: 4294967296 .ra: 1", nil},
		"the largest words":        {".cfa: 4294967295 .ra: 4294967295 $ebx: 4294967295", values{"esp": 1<<32 - 1, "eip": 1<<32 - 1, "ebx": 1<<32 - 1}},
		"ra too large":             {".cfa: 1 .ra: 4294967296", nil},
		"too large for a rule":     {".cfa: 4 .ra: 5 $ebx: 4294967296", values{"esp": 4, "eip": 5, "ebx": 1}},
		"negative is too large":    {".cfa: 4 .ra: -5", nil},
		"arithmetic has 64 bits":   {".cfa: 4294967296 4 - 2 / 2 * .ra: 5", values{"esp": 4294967292, "eip": 5, "ebx": 1}},
		"arm names do not exist":   {".cfa: sp .ra: 5", nil},
		"literals may have a sign": {".cfa: +4 .ra: 5", values{"esp": 4, "eip": 5, "ebx": 1}},
	} {
		caller := registers(breakpad.X86, values{"ebx": 1})
		row, _ := parse(t, head+c.rules+"\n").CFI(0x1000)
		ok := row.Rules.Eval(breakpad.X86, &callee, &caller, &mem)
		if ok != (c.want != nil) {
			t.Errorf("%s: %v", name, ok)
		} else if diff := cmp.Diff(c.want, names(breakpad.X86, caller)); ok && diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCFIRowsApplyDeltas(t *testing.T) {
	const text = module + "STACK CFI INIT 1000 20 .cfa: 1 .ra: 1\n" +
		"STACK CFI 1010 .cfa: 10\n" + // out of order
		"STACK CFI 1008 .cfa: 8\n" +
		"STACK CFI 1018 .cfa: 24\nSTACK CFI 1018 .cfa: 25\n" + // one address: in the order of the text
		"STACK CFI 101c nonsense\n" +
		"STACK CFI INIT 2000 10 .cfa: 1 .ra: 1\nSTACK CFI 1000 .cfa: 2\n" + // below its INIT
		"STACK CFI INIT 2008 10 .cfa: 9 .ra: 9\n" // overlaps
	f := parse(t, text)
	for rva, want := range map[uint64]uint64{
		0x1000: 1, 0x1007: 1, 0x1008: 8, 0x100f: 8, 0x1010: 10, 0x1018: 25, 0x101c: 0, 0x101f: 0, 0x2000: 2, 0x200f: 2,
	} {
		row, ok := f.CFI(rva)
		var caller breakpad.Registers
		if ok {
			row.Rules.Eval(breakpad.AMD64, &breakpad.Registers{}, &caller, &breakpad.Memory{})
		}
		if got := caller.Values[breakpad.AMD64.SP()]; !ok || got != want {
			t.Errorf("%#x: CFA %d %v, want %d", rva, got, ok, want)
		}
	}
	for _, rva := range []uint64{0xfff, 0x1020, 0x2010, 1 << 32} {
		if _, ok := f.CFI(rva); ok {
			t.Errorf("%#x is covered", rva)
		}
	}
}

func TestRulesThatPointOutsideTheirCodeFail(t *testing.T) {
	// A compiled symbol file may be damaged: its bytes are not trusted.
	for _, entries := range [][]byte{
		nil, {0xff}, {0xff, 9, 0, 0, 0, 0xfe, 0, 0, 0, 0}, {0xff, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff}, {1, 0, 0, 0, 0, 2, 0, 0, 0, 0},
	} {
		r := breakpad.Rules{Entries: entries, Code: []byte{9, 0, 1}}
		if r.Eval(breakpad.AMD64, &breakpad.Registers{}, &breakpad.Registers{}, &breakpad.Memory{}) {
			t.Errorf("%x evaluates", entries)
		}
	}
}

func TestWinPrograms(t *testing.T) {
	callee := values{"eip": 0x5000, "esp": 0x1000, "ebp": 0x1010}
	kept := func(more values) values { // ebp is written back, eip and esp stay unless assigned
		out := values{"eip": 0x5000, "esp": 0x1000, "ebp": 0x1010}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	for name, c := range map[string]struct {
		program string
		want    values
	}{
		"usual frame":               {"$T0 $ebp = $eip $T0 4 + ^ = $ebp $T0 ^ = $esp $T0 8 + =", kept(values{"eip": 0x905, "ebp": 0x904, "esp": 0x1018})},
		"glued assignment":          {"$T0 $ebp =$eip $T0 4 + ^ =$esp $T0 =", kept(values{"eip": 0x905, "esp": 0x1010})},
		"raSearch is above locals":  {"$eip .raSearch = $esp .raSearchStart =", kept(values{"eip": 0x1000 + 8 + 4 + 2, "esp": 0x1000 + 8 + 4 + 2})},
		"@ searches above ebp":      {"$eip .raSearch = $T1 7 4 @ = $esp $T1 =", kept(values{"eip": 0x1014, "esp": 4})},
		"sizes":                     {"$eip .cbParams = $esp .cbCalleeParams = $esi .cbSavedRegs = $edi .cbLocals =", kept(values{"eip": 6, "esp": 2, "esi": 4, "edi": 8})},
		"temporaries keep places":   {"$T0 1 = $T1 2 = 7 8 + .cbParams .undef $eip $T1 = $esi $T1 = $esp $T0 =", kept(values{"eip": 2, "esi": 2, "esp": 1})},
		"32-bit wrap":               {"$esi 0 1 - =", kept(values{"esi": 0xffffffff})},
		"undefined deletes":         {"$esi 1 = $esi .undef =", kept(nil)},
		"operands may be left":      {"$eip 1 = 2 3", kept(values{"eip": 1})},
		"empty":                     {"", kept(nil)},
		"unknown variable as value": {"$eip $T9 =", nil},
		"deleted variable":          {"$esi .undef = $eip $esi =", nil},
		"assignment to a number":    {"4 5 =", nil},
		"undefined as operand":      {".undef 1 +", nil},
		"bad token":                 {"$eip x =", nil},
		"literal beyond 32 bits":    {"$eip 2147483648 =", nil},
		"division by zero":          {"$eip 1 0 / =", nil},
		"memory outside":            {"$eip 0 ^ =", nil},
		"$eip has no value before":  {"$esi $eip =", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, "MODULE windows x86 1 a\nSTACK WIN 4 1000 10 0 0 6 4 8 0 1 "+c.program+"\n")
			w, ok := f.Win(0x1000, breakpad.WinFrameData)
			if !ok {
				t.Fatal("no record")
			}
			regs, mem := registers(breakpad.X86, callee), counting(breakpad.X86)
			var caller breakpad.Registers
			ok = w.Eval(&regs, &caller, &mem, 2, false)
			if ok != (c.want != nil) {
				t.Fatal("evaluates:", ok)
			}
			if diff := cmp.Diff(c.want, names(breakpad.X86, caller)); ok && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWinFPO(t *testing.T) {
	for name, c := range map[string]struct {
		record       string // saved registers, locals, max stack, has program, allocates base pointer
		eip          uint64
		calleeParams uint32
		first        bool
		want         values
	}{
		"return address above the frame":     {"4 8 0 0 0", 0x5000, 4, false, values{"eip": 0x904, "esp": 0x1014, "ebp": 0x77}},
		"ebp saved":                          {"8 0 0 0 1", 0x5000, 4, false, values{"eip": 0x903, "esp": 0x1010, "ebp": 0x901}},
		"own address on top of the stack":    {"0 0 0 0 0", 0x900, 0, true, values{"eip": 0x901, "esp": 0x1008, "ebp": 0x77}},
		"the same in a caller means nothing": {"0 0 0 0 0", 0x900, 0, false, values{"eip": 0x900, "esp": 0x1004, "ebp": 0x77}},
		"frame beyond the stack":             {"0 40 0 0 0", 0x5000, 0, false, nil},
	} {
		f := parse(t, "MODULE windows x86 1 a\nSTACK WIN 0 1000 10 0 0 0 "+c.record+"\n")
		w, _ := f.Win(0x1000, breakpad.WinFPO)
		regs, mem := registers(breakpad.X86, values{"eip": c.eip, "esp": 0x1000, "ebp": 0x77}), counting(breakpad.X86)
		var caller breakpad.Registers
		if ok := w.Eval(&regs, &caller, &mem, c.calleeParams, c.first); ok != (c.want != nil) {
			t.Errorf("%s: %v", name, ok)
		} else if diff := cmp.Diff(c.want, names(breakpad.X86, caller)); ok && diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Where the return address is looked for is an address, too.
func TestWinProgramsSearchBelowFourGiB(t *testing.T) {
	w, _ := parse(t, "MODULE windows x86 1 a\nSTACK WIN 4 1000 10 0 0 0 0 8 0 1 $eip .raSearch =\n").Win(0x1000, breakpad.WinFrameData)
	aligns, _ := parse(t, "MODULE windows x86 1 a\nSTACK WIN 4 1000 10 0 0 0 0 8 0 1 $eip .raSearch = $T0 7 4 @ =\n").Win(0x1000, breakpad.WinFrameData)
	for name, tc := range map[string]struct {
		w        breakpad.WinRecord
		esp, ebp uint64
		want     bool
	}{
		"above esp":           {w, 1<<32 - 9, 0, true},
		"above esp, too far":  {w, 1<<32 - 8, 0, false},
		"above ebp":           {aligns, 0, 1<<32 - 5, true},
		"above ebp, too far":  {aligns, 0, 1<<32 - 4, false},
		"esp does not matter": {aligns, 1<<32 - 1, 0, true},
	} {
		regs := registers(breakpad.X86, values{"esp": tc.esp, "ebp": tc.ebp})
		if got := tc.w.Eval(&regs, &breakpad.Registers{}, &breakpad.Memory{}, 0, false); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWinProgramVariablesAreBounded(t *testing.T) {
	program := func(temporaries int) string {
		text := ""
		for i := range temporaries {
			text += fmt.Sprintf("$T%d 1 = ", i)
		}
		return "MODULE windows x86 1 a\nSTACK WIN 4 1000 10 0 0 0 0 0 0 1 " + text + "\n"
	}
	for n, want := range map[int]bool{52: true, 53: false} {
		w, _ := parse(t, program(n)).Win(0x1000, breakpad.WinFrameData)
		regs := registers(breakpad.X86, values{"esp": 0x1000, "ebp": 0x1000})
		if got := w.Eval(&regs, &breakpad.Registers{}, &breakpad.Memory{}, 0, false); got != want {
			t.Errorf("%d temporaries: %v", n, got)
		}
	}
}

// FuzzRules checks that damaged compiled rules and programs only fail.
func FuzzRules(f *testing.F) {
	f.Add([]byte{0xff, 0, 0, 0, 0, 0xfe, 0, 0, 0, 0, 3, 0, 0, 0, 0}, []byte{2, 0, 1, 16})
	f.Fuzz(func(_ *testing.T, entries, code []byte) {
		regs := breakpad.Registers{Valid: 1<<breakpad.MaxRegisters - 1}
		mem := breakpad.Memory{Bytes: make([]byte, 64)}
		var caller breakpad.Registers
		breakpad.Rules{Entries: entries, Code: code}.Eval(breakpad.AMD64, &regs, &caller, &mem)
		w := breakpad.WinRecord{Kind: breakpad.WinFrameData, Program: code}
		w.Eval(&regs, &caller, &mem, 0, true)
	})
}
