package symboldump

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"aftershock/breakpad"
)

// partsOf are sections of a fixture, as seeds.
func partsOf(f *testing.F, name string, sections ...string) (parts [][]byte) {
	f.Helper()
	packed, err := os.ReadFile(filepath.Join("testdata", name+".gz"))
	if err != nil {
		f.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		f.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		f.Fatal(err)
	}
	file, err := Open(data)
	if err != nil {
		f.Fatal(err)
	}
	var report Report
	for _, s := range sections {
		parts = append(parts, file.sectionBytes(s, &report))
	}
	return parts
}

// made is a file of sections alone. Everything is code.
func made(arch breakpad.Arch, sections map[string][]byte) *File {
	f := &File{format: formatELF, wordBytes: arch.WordBytes()}
	f.module = Module{OS: "Linux", Arch: arch, CPU: arch.String(), DebugID: debugID(nil, false)}
	for name, data := range sections {
		f.data = append(f.data, data...) // limits go by its size
		f.sections = append(f.sections, section{name: name, addr: 0x1000, size: uint64(len(data)), data: data})
	}
	return f
}

// wellFormed fails unless a text is read without a bad line.
func wellFormed(t *testing.T, f *File, o Options) {
	t.Helper()
	var text bytes.Buffer
	if _, err := f.WriteSymbols(&text, nil, o); err != nil {
		return
	}
	parsed, err := breakpad.Parse(bytes.NewReader(text.Bytes()), breakpad.ParseOptions{})
	if parsed != nil && parsed.BadLines() > 0 {
		t.Fatalf("%d bad lines:\n%.2000s", parsed.BadLines(), text.String())
	}
	_ = err // a file of names alone is no symbol file
}

func FuzzDWARF(f *testing.F) {
	sections := []string{"debug_info", "debug_abbrev", "debug_line", "debug_str", "debug_addr", "debug_rnglists", "debug_line_str", "debug_str_offsets"}
	for _, name := range []string{"amd64.so", "amd64-dwarf4-zlib.so", "x86.so"} {
		p := partsOf(f, name, sections...)
		f.Add(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7])
	}
	f.Fuzz(func(t *testing.T, info, abbrev, line, str, addr, ranges, lineStr, offsets []byte) {
		file := made(breakpad.AMD64, map[string][]byte{
			".debug_info": info, ".debug_abbrev": abbrev, ".debug_line": line, ".debug_str": str, ".debug_addr": addr,
			".debug_rnglists": ranges, ".debug_ranges": ranges, ".debug_line_str": lineStr, ".debug_str_offsets": offsets,
		})
		wellFormed(t, file, Options{Alternate: file, Split: func(_, _ string) *File { return file }})
	})
}

func FuzzFrames(f *testing.F) {
	for _, name := range []string{"amd64.so", "x86.so", "arm64.so"} {
		f.Add(partsOf(f, name, "eh_frame")[0], true)
	}
	f.Add(partsOf(f, "arm.so", "debug_frame")[0], false)
	f.Fuzz(func(t *testing.T, data []byte, eh bool) {
		name := ".debug_frame"
		if eh {
			name = ".eh_frame"
		}
		for _, arch := range []breakpad.Arch{breakpad.AMD64, breakpad.X86, breakpad.ARM64} {
			wellFormed(t, made(arch, map[string][]byte{name: data}), Options{})
		}
	})
}

func FuzzExidx(f *testing.F) {
	parts := partsOf(f, "arm.so", "ARM.exidx", "ARM.extab")
	f.Add(parts[0], parts[1])
	f.Fuzz(func(t *testing.T, index, table []byte) {
		file := made(breakpad.ARM, map[string][]byte{".ARM.exidx": index, ".ARM.extab": table})
		file.code = []Segment{{RVA: 0, Size: 1 << 20}}
		wellFormed(t, file, Options{})
	})
}

func FuzzUnwindInfo(f *testing.F) {
	f.Add(partsOf(f, "macho-amd64", "unwind_info")[0], []byte{}, true)
	f.Add(partsOf(f, "macho-arm64", "unwind_info")[0], []byte{}, false)
	f.Fuzz(func(t *testing.T, data, frames []byte, x64 bool) {
		arch := breakpad.ARM64
		if x64 {
			arch = breakpad.AMD64
		}
		file := made(arch, map[string][]byte{"__unwind_info": data, "__eh_frame": frames})
		file.format = formatMachO
		wellFormed(t, file, Options{})
	})
}

func FuzzPostfix(f *testing.F) {
	f.Add([]byte{0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22}, uint64(0x1234), uint64(0x5678))
	f.Add([]byte{0x80, 0, 0x3f, 0x1a, 0x33, 0x2a}, uint64(7), uint64(9))
	f.Fuzz(func(t *testing.T, expression []byte, rsp, rip uint64) {
		text, ok := postfix(reader{data: expression}, registersOf[breakpad.AMD64], 8, "")
		if !ok {
			return
		}
		want, ok := interpret(expression, rsp, rip)
		if !ok {
			return
		}
		sym := "MODULE Linux x86_64 0 x\nSTACK CFI INIT 0 10 .cfa: " + text + " .ra: 0\n"
		file, err := breakpad.Parse(bytes.NewReader([]byte(sym)), breakpad.ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		row, _ := file.CFI(0)
		var callee, caller breakpad.Registers
		callee.Set(7, rsp)
		callee.Set(16, rip)
		if row.Rules.Eval(breakpad.AMD64, &callee, &caller, &breakpad.Memory{}) {
			if got, _ := caller.Get(7); got != want {
				t.Errorf("%x: %s is %#x, want %#x (rsp %#x, rip %#x)", expression, text, got, want, rsp, rip)
			}
		}
	})
}

// interpret runs an expression of what postfix can say, without memory, as
// DWARF 5 section 2.5 has it.
func interpret(expression []byte, rsp, rip uint64) (uint64, bool) {
	r := reader{data: expression}
	var stack []uint64
	pop := func() uint64 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		return v
	}
	truth := func(b bool) uint64 {
		if b {
			return 1
		}
		return 0
	}
	for r.left() > 0 {
		op := r.u8()
		if v, ok := constantOp(op, &r); ok {
			stack = append(stack, uint64(v))
			continue
		}
		if op >= opBreg0 && op < opBreg0+32 {
			base := map[uint8]uint64{7: rsp, 16: rip}
			v, ok := base[op-opBreg0]
			if !ok {
				return 0, false
			}
			stack = append(stack, v+uint64(r.sleb()))
			continue
		}
		need := 2
		switch op {
		case opNop:
			need = 0
		case opPlusUconst, opNeg, opDup, opDrop:
			need = 1
		}
		if len(stack) < need {
			return 0, false
		}
		switch op {
		case opNop:
		case opDup:
			stack = append(stack, stack[len(stack)-1])
		case opDrop:
			pop()
		case opOver:
			stack = append(stack, stack[len(stack)-2])
		case opPlusUconst:
			stack = append(stack, pop()+r.uleb())
		case opNeg:
			stack = append(stack, -pop())
		default:
			b, a := pop(), pop()
			switch op {
			case opSwap:
				stack = append(stack, b)
			case opAnd:
				a &= b
			case opMinus:
				a -= b
			case opMul:
				a *= b
			case opPlus:
				a += b
			case opShl:
				a <<= b
			case opShr:
				a >>= b
			case opGe:
				a = truth(int64(a) >= int64(b))
			case opLt:
				a = truth(int64(a) < int64(b))
			default:
				return 0, false
			}
			stack = append(stack, a)
		}
	}
	if r.bad || len(stack) == 0 {
		return 0, false
	}
	return stack[len(stack)-1], true
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{
		"_ZN3foo3barIiEEvT_", "_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "hello.constprop.0.isra.0", "f [clone .cold]",
		"_RNCINvNtNtCsjrHSEGnQ3l9_3std6thread7current17with_current_nameNCNCNvNtB8_9panicking12default_hook00uE0B8_",
		"_RINvC7mycrate3fooRL_eTuEDNtNtC4core3any3AnyEL_Kj2a_FKCjEuE", "_RNvXs_C7mycrateNtB4_1TNtNtC4core3fmt5Debug3fmt",
	} {
		f.Add([]byte(name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var report Report
		for _, name := range []string{symbolName(raw, &report), publicName(raw, &report)} {
			if bytes.ContainsAny([]byte(name), "\n\r\x00") {
				t.Errorf("%q is %q", raw, name)
			}
			if len(name) > max(len(raw), maxDemangledBytes) {
				t.Errorf("%d bytes became %d", len(raw), len(name))
			}
		}
	})
}
