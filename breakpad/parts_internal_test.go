package breakpad

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestMemoryIsReadWholeOrNotAtAll(t *testing.T) {
	m := Memory{Base: 0x1000, Bytes: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}}
	for addr, want := range map[uint64]struct{ four, eight bool }{
		0xfff: {}, 0x1000: {true, true}, 0x1001: {true, true}, 0x1002: {true, false}, 0x1005: {true, false}, 0x1006: {}, 0x1009: {}, 0x100a: {}, math.MaxUint64: {},
	} {
		if _, ok := m.Uint32(addr); ok != want.four {
			t.Errorf("four bytes at %#x: %v", addr, ok)
		}
		if _, ok := m.Uint64(addr); ok != want.eight {
			t.Errorf("eight bytes at %#x: %v", addr, ok)
		}
		if _, ok := m.Word(addr, 4); ok != want.four {
			t.Errorf("a word of four at %#x: %v", addr, ok)
		}
		if _, ok := m.Word(addr, 8); ok != want.eight {
			t.Errorf("a word of eight at %#x: %v", addr, ok)
		}
	}
	if b := m.at(0x1009, 0); b == nil {
		t.Error("nothing at the end cannot be read")
	}
	big := Memory{Bytes: m.Bytes, BigEndian: true}
	little, _ := m.Uint32(0x1000)
	v32, _ := big.Uint32(0)
	v64, _ := big.Uint64(0)
	if little != 0x04030201 || v32 != 0x01020304 || v64 != 0x0102030405060708 {
		t.Errorf("%#x, %#x, %#x", little, v32, v64)
	}
}

func TestRegistersOutOfRangeAreNone(t *testing.T) {
	var rs Registers
	for _, r := range []Register{0, MaxRegisters - 1, MaxRegisters, 63, NoRegister} {
		rs.Set(r, uint64(r)+1)
		v, ok := rs.Get(r)
		if in := r < MaxRegisters; ok != in || in && v != uint64(r)+1 || !in && v != 0 {
			t.Errorf("register %d: %d, %v", r, v, ok)
		}
	}
	if rs.Valid != 1|1<<(MaxRegisters-1) {
		t.Errorf("valid: %#x", rs.Valid)
	}
	rs.Clear(MaxRegisters)
	rs.Clear(0)
	if _, ok := rs.Get(0); ok || rs.Values[0] != 0 || rs.Valid != 1<<(MaxRegisters-1) {
		t.Errorf("cleared: %+v", rs)
	}
}

// Every architecture, its words and the registers that have more than one name.
func TestArchitectures(t *testing.T) {
	for _, tc := range []struct {
		names     string // in MODULE records
		arch      Arch
		wordBytes int
		pc, sp    string
		aliases   string
	}{
		{"x86", X86, 4, "eip", "esp", ""},
		{"x86_64 x86_64h amd64", AMD64, 8, "rip", "rsp", ""},
		{"arm armv7 armv7s", ARM, 4, "pc", "sp", "r11=fp r13=sp r14=lr r15=pc"},
		{"arm64 arm64e aarch64", ARM64, 8, "pc", "sp", "x29=fp x30=lr x31=sp"},
		{"mips", MIPS, 4, "pc", "sp", ""},
		{"mips64", MIPS64, 8, "pc", "sp", ""},
		{"riscv64", RISCV64, 8, "pc", "sp", "fp=s0"},
	} {
		for name := range strings.FieldsSeq(tc.names) {
			if got := ParseArch(name); got != tc.arch {
				t.Errorf("%s is %v", name, got)
			}
		}
		if tc.arch.WordBytes() != tc.wordBytes {
			t.Errorf("%v: words of %d bytes", tc.arch, tc.arch.WordBytes())
		}
		pc, _ := tc.arch.Register(tc.pc)
		sp, _ := tc.arch.Register(tc.sp)
		if tc.arch.PC() != pc || tc.arch.SP() != sp || tc.arch.String() != strings.Fields(tc.names)[0] {
			t.Errorf("%v: pc %d, sp %d", tc.arch, tc.arch.PC(), tc.arch.SP())
		}
		for pair := range strings.FieldsSeq(tc.aliases) {
			alias, name, _ := strings.Cut(pair, "=")
			a, ok := tc.arch.Register(alias)
			if b, _ := tc.arch.Register(name); !ok || a != b {
				t.Errorf("%v: %s is register %d, %v", tc.arch, alias, a, ok)
			}
		}
	}
	for _, a := range []Arch{ArchUnknown, 200} {
		if a.PC() != NoRegister || a.SP() != NoRegister || a.WordBytes() != 8 || a.String() != "unknown" || a.RegisterNames() != nil || ParseArch("ppc") != ArchUnknown {
			t.Errorf("%v: pc %d, sp %d, words of %d bytes", a, a.PC(), a.SP(), a.WordBytes())
		}
	}
}

// Rules that need no program are told by their bytecode alone, up to numbers of 32 bits.
func TestSimpleRulesAreNoPrograms(t *testing.T) {
	number := func(base []byte, v int64, rest ...byte) []byte {
		return append(binary.AppendVarint(append(base, opConstant), v), rest...)
	}
	cfa, r7 := func() []byte { return []byte{opCFA} }, func() []byte { return []byte{opRegister, 7} }
	for name, tc := range map[string]struct {
		code      []byte
		how, base byte
		number    int32
		ok        bool
	}{
		"the CFA":                  {cfa(), rulePlain, ruleCFA, 0, true},
		"a register":               {r7(), rulePlain, 7, 0, true},
		"the last register":        {[]byte{opRegister, MaxRegisters - 1}, rulePlain, MaxRegisters - 1, 0, true},
		"a register past it":       {[]byte{opRegister, MaxRegisters}, 0, 0, 0, false},
		"a register that is cut":   {[]byte{opRegister}, 0, 0, 0, false},
		"a number":                 {number(nil, 5), 0, 0, 0, false},
		"a sum":                    {number(cfa(), 8, opAdd), rulePlain, ruleCFA, 8, true},
		"a difference":             {number(r7(), 8, opSubtract), rulePlain, 7, -8, true},
		"a product":                {number(cfa(), 8, opMultiply), 0, 0, 0, false},
		"a word":                   {append(number(cfa(), 8, opSubtract), opDereference), ruleLoad, ruleCFA, -8, true},
		"a word at once":           {append(cfa(), opDereference), ruleLoad, ruleCFA, 0, true},
		"a word of a word":         {append(cfa(), opDereference, opDereference), 0, 0, 0, false},
		"something behind":         {append(number(cfa(), 8, opAdd), opCFA), 0, 0, 0, false},
		"no operator":              {number(cfa(), 8), 0, 0, 0, false},
		"a number that is cut":     {append(cfa(), opConstant, 0x80), 0, 0, 0, false},
		"the largest number":       {number(cfa(), math.MaxInt32, opAdd), rulePlain, ruleCFA, math.MaxInt32, true},
		"one past it":              {number(cfa(), math.MaxInt32+1, opAdd), 0, 0, 0, false},
		"the least number":         {number(cfa(), math.MinInt32+1, opSubtract), rulePlain, ruleCFA, math.MaxInt32, true},
		"one that has no opposite": {number(cfa(), math.MinInt32, opSubtract), 0, 0, 0, false},
	} {
		how, base, n, ok := simpleRule(tc.code)
		if how != tc.how || base != tc.base || n != tc.number || ok != tc.ok {
			t.Errorf("%s: how %d, base %d, number %d, %v", name, how, base, n, ok)
		}
	}
	code := []byte{9, 2, 0, 7, 8, 3, 0}
	for at, want := range map[uint32][]byte{1: {7, 8}, 5: nil, 6: nil, 7: nil, math.MaxUint32: nil, 0: nil} {
		if got := programAt(code, at); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("the program at %d: %v", at, got)
		}
	}
	if got := programAt([]byte{0, 0}, 0); got == nil || len(got) != 0 {
		t.Errorf("a program of no bytes: %v", got)
	}
}

// Programs that a damaged file holds fail, wherever they are cut.
func TestProgramsThatAreCutFail(t *testing.T) {
	m := machine{registers: &Registers{Valid: 1, Values: [MaxRegisters]uint64{5}}, mem: &Memory{Bytes: make([]byte, 8)}, cfa: 3, wordBytes: 8}
	for name, tc := range map[string]struct {
		code []byte
		want uint64
		ok   bool
	}{
		"a register":          {[]byte{opRegister, 0}, 5, true},
		"an unknown one":      {[]byte{opRegister, 1}, 0, false},
		"none":                {[]byte{opRegister}, 0, false},
		"the CFA":             {[]byte{opCFA}, 3, true},
		"a number":            {[]byte{opConstant, 4}, 2, true},
		"half a number":       {[]byte{opConstant, 0x84}, 0, false},
		"no number":           {[]byte{opConstant}, 0, false},
		"nothing":             {nil, 0, false},
		"a word":              {[]byte{opConstant, 0, opDereference}, 0, true},
		"a word of nothing":   {[]byte{opDereference}, 0, false},
		"a word outside":      {[]byte{opConstant, 2, opDereference}, 0, false},
		"a sum":               {[]byte{opCFA, opRegister, 0, opAdd}, 8, true},
		"a difference":        {[]byte{opRegister, 0, opCFA, opSubtract}, 2, true},
		"a sum of one":        {[]byte{opCFA, opAdd}, 0, false},
		"an operator of none": {[]byte{opAdd}, 0, false},
		"two values":          {[]byte{opCFA, opCFA}, 0, false},
		"what fails":          {[]byte{opCFA, opCFA, opFail}, 0, false},
		"an unknown operator": {[]byte{opCFA, opCFA, 99}, 0, false},
	} {
		if v, ok := m.run(tc.code); v != tc.want || ok != tc.ok {
			t.Errorf("%s: %d, %v", name, v, ok)
		}
	}
	for op, want := range map[byte]struct {
		v  uint64
		ok bool
	}{
		opAdd: {9, true}, opSubtract: {5, true}, opMultiply: {14, true}, opDivide: {3, true}, opModulo: {1, true}, opAlign: {6, true}, opDereference: {0, false}, opFail: {0, false},
	} {
		if v, ok := arithmetic(op, 7, 2); v != want.v || ok != want.ok {
			t.Errorf("7 and 2 by operator %d: %d, %v", op, v, ok)
		}
	}
	for _, op := range []byte{opDivide, opModulo, opAlign} {
		if _, ok := arithmetic(op, 7, 0); ok {
			t.Errorf("7 and 0 by operator %d", op)
		}
	}
}

func TestWinProgramsThatAreCutFail(t *testing.T) {
	variable := func(i byte) []byte { return []byte{opVariable, i} }
	deep := func(n int) (code []byte) {
		for range n {
			code = append(code, opUndefined)
		}
		return code
	}
	for name, tc := range map[string]struct {
		code []byte
		want bool
	}{
		"nothing":                    {nil, true},
		"the last variable":          {variable(maxProgramVariables - 1), true},
		"one past it":                {variable(maxProgramVariables), false},
		"a variable that is cut":     {[]byte{opVariable}, false},
		"a number that is cut":       {[]byte{opConstant, 0x80}, false},
		"as deep as may be":          {deep(maxProgramStack), true},
		"deeper":                     {deep(maxProgramStack + 1), false},
		"as deep with numbers":       {append(deep(maxProgramStack), opConstant, 2), false},
		"as deep with variables":     {append(deep(maxProgramStack), opVariable, 0), false},
		"no value":                   {[]byte{opAssign}, false},
		"no variable":                {[]byte{opConstant, 2, opAssign}, false},
		"an assignment":              {append(variable(6), opConstant, 2, opAssign), true},
		"undefined without variable": {[]byte{opUndefined, opAssign}, false},
		"undefined to a number":      {[]byte{opConstant, 2, opUndefined, opAssign}, false},
		"a word":                     {[]byte{opConstant, 0, opDereference}, true},
		"a word of nothing":          {[]byte{opDereference}, false},
		"a word outside":             {[]byte{opConstant, 2, opDereference}, false},
		"a word of what is unknown":  {append(variable(9), opDereference), false},
		"a sum":                      {[]byte{opConstant, 2, opConstant, 2, opAdd}, true},
		"a sum of one":               {[]byte{opConstant, 2, opAdd}, false},
		"a sum with what is unknown": {append(variable(9), opConstant, 2, opAdd), false},
	} {
		m := winMachine{mem: &Memory{Bytes: make([]byte, 4)}}
		if got := m.run(tc.code); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, token := range map[string]byte{"+": opAdd, "-": opSubtract, "*": opMultiply, "/": opDivide, "%": opModulo, "@": opAlign, "^": opDereference, "++": opFail, "": opFail, "=": opFail} {
		if got := operator([]byte(name)); got != token {
			t.Errorf("%q is the operation %d", name, got)
		}
	}
}

func TestWinRecordsOfOneTableAreApart(t *testing.T) {
	at := func(rva, size uint64) WinRecord { return WinRecord{RVA: rva, Size: size} }
	for name, tc := range map[string]struct{ in, want []WinRecord }{
		"side by side":        {[]WinRecord{at(0, 4), at(4, 4)}, []WinRecord{at(0, 4), at(4, 4)}},
		"the first is cut":    {[]WinRecord{at(0, 5), at(4, 4)}, []WinRecord{at(0, 4), at(4, 4)}},
		"inside":              {[]WinRecord{at(0, 9), at(4, 1)}, []WinRecord{at(0, 4), at(4, 1)}},
		"below, side by side": {[]WinRecord{at(4, 4), at(0, 4)}, []WinRecord{at(4, 4), at(0, 4)}},
		"below, and over it":  {[]WinRecord{at(4, 4), at(0, 5)}, []WinRecord{at(4, 4)}},
		"equal":               {[]WinRecord{at(4, 4), at(4, 4)}, []WinRecord{at(4, 4), at(4, 4)}},
		"shorter":             {[]WinRecord{at(4, 4), at(4, 3)}, []WinRecord{at(4, 4)}},
		"of no bytes":         {[]WinRecord{at(4, 0), at(4, 1)}, []WinRecord{at(4, 1)}},
	} {
		var got []WinRecord
		for _, w := range tc.in {
			got = appendWin(got, w)
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if got := appendWin([]WinRecord{at(0, 4)}, at(4, 0)); len(got) != 1 {
		t.Errorf("one of no bytes behind another: %v", got)
	}
	f := File{fpo: []WinRecord{at(4, 4), at(10, 1)}}
	for rva, want := range map[uint64]bool{3: false, 4: true, 7: true, 8: false, 10: true, 11: false} {
		if _, ok := f.Win(rva, WinFPO); ok != want {
			t.Errorf("%d is covered: %v", rva, ok)
		}
	}
}

// Ranges by the rule of minidump-stackwalk.
func TestRangesAreMadeDisjoint(t *testing.T) {
	type span struct{ first, last uint32 }
	for name, tc := range map[string]struct{ in, want []span }{
		"none":                     {nil, nil},
		"side by side":             {[]span{{5, 9}, {0, 4}}, []span{{0, 4}, {5, 9}}},
		"the last address of one":  {[]span{{0, 5}, {5, 9}}, []span{{0, 5}}},
		"the shorter of a start":   {[]span{{0, 9}, {0, 5}, {6, 7}}, []span{{0, 5}, {6, 7}}},
		"up to the last of all":    {[]span{{0, math.MaxUint32}, {5, 6}}, []span{{0, math.MaxUint32}}},
		"one that was passed over": {[]span{{0, 4}, {2, 8}, {5, 9}}, []span{{0, 4}, {5, 9}}},
	} {
		got := Disjoint(tc.in, func(s span) (uint32, uint32) { return s.first, s.last })
		if len(got) != len(tc.want) || len(got) > 0 && !cmp.Equal(got, tc.want, cmp.AllowUnexported(span{})) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
	table := []uint32{2, 4, 4, 6}
	self := func(v *uint32) uint32 { return *v }
	for addr, want := range map[uint32]struct{ last, first int }{0: {0, 0}, 1: {0, 0}, 2: {0, 1}, 3: {1, 1}, 4: {1, 3}, 5: {3, 3}, 6: {3, 4}, 7: {4, 4}} {
		if last, first := searchLast(table, self, addr), searchFirst(table, self, addr); last != want.last || first != want.first {
			t.Errorf("%d: %d and %d, want %+v", addr, last, first, want)
		}
	}
}

// Numbers in lines, and where they end.
func TestFieldsOfLines(t *testing.T) {
	for text, want := range map[string]struct {
		v    uint64
		rest string
		bad  bool
	}{
		"0": {0, "", false}, "12345678": {0x12345678, "", false}, "123456789": {0, "123456789", true}, "aF x": {0xaf, " x", false}, "\t 7\t": {7, "\t", false},
		"": {0, "", true}, " ": {0, " ", true}, "g": {0, "g", true}, "1g": {0, "1g", true}, "/": {0, "/", true}, "@1": {0, "@1", true}, "-1": {0, "-1", true},
	} {
		f := fields{rest: []byte(text)}
		if v := f.hex(8); v != want.v || string(f.rest) != want.rest || f.bad != want.bad {
			t.Errorf("%q: %#x, %q left, bad %v", text, v, f.rest, f.bad)
		}
	}
	for text, want := range map[string]struct {
		v         uint32
		bad, long bool
	}{
		"0": {0, false, false}, "4294967295": {math.MaxUint32, false, false}, "4294967296": {0, true, false}, "04294967295": {math.MaxUint32, false, true}, "0000000001": {1, false, false},
		"99999999999999999999999": {0, true, false}, "": {0, true, false}, "x": {0, true, false}, "1x": {0, true, false}, "1:": {0, true, false}, "/": {0, true, false}, "\t1 x": {1, false, false}, "-1": {0, true, false},
	} {
		f := fields{rest: []byte(text)}
		if v := f.decimal(); v != want.v || f.bad != want.bad || f.long != want.long {
			t.Errorf("%q: %d, bad %v, long %v", text, v, f.bad, f.long)
		}
	}
	for text, want := range map[string]bool{"ffffffff": false, "100000000": true, "0": false, "12345678901234567": true} {
		f := fields{rest: []byte(text)}
		if f.rva(); f.bad != want {
			t.Errorf("the address %s: bad %v", text, f.bad)
		}
	}
	for text, want := range map[string]string{"m 1": "1", "m\t1": "1", "m": "m", "m1": "m1", "1": "1", " m 1": "1", "n 1": "n 1"} {
		f := fields{rest: []byte(text)}
		if f.multiple(); string(f.rest) != want {
			t.Errorf("%q: %q left", text, f.rest)
		}
	}
	for text, want := range map[string]bool{"FUNC 1": true, "FUNC\t": true, "FUNC": false, "FUNCS 1": false, "FUN 1": false, "": false} {
		f := fields{rest: []byte(text)}
		if f.keyword("FUNC") != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
	for text, want := range map[string]int{"": 0, " ": 0, "a": 1, " a\tb ": 2} {
		if got := (fields{rest: []byte(text)}).count(); got != want {
			t.Errorf("%q has %d fields", text, got)
		}
		f := fields{rest: []byte(text)}
		if f.done() != (want == 0) {
			t.Errorf("%q is done", text)
		}
	}
	for text, want := range map[string]int{"": 0, "12": 2, "4294967295": 10, "4294967296": 0, "00000000012": 10, "1x": 1, ":": 0, "/": 0} {
		if got := decimalDigitsOf([]byte(text)); got != want {
			t.Errorf("%q begins with %d digits", text, got)
		}
	}
	for text, want := range map[string]int{"": 0, "0123": 3, "fg": 1, "g": 0} {
		if got := hexDigitsOf([]byte(text), 3); got != want {
			t.Errorf("%q begins with %d digits", text, got)
		}
	}
}

// counted is a sink that adds up what it is told of.
type counted struct {
	tables
	unwind int
}

func (c *counted) Unwind(n int) { c.unwind += n }

// A reader that bounds its memory relies on what it is told of STACK records.
func TestWhatIsKeptOfStackRecordsIsTold(t *testing.T) {
	for text, want := range map[string]int{
		"FUNC 0 1 0 f\n":                                                        0,
		"STACK CFI INIT 0 10 .cfa: 1\n":                                         76 + 192 + 3*7,
		"STACK CFI INIT 0 10 .cfa: 1 \nSTACK CFI 4 .cfa: 1\n":                   76 + 192 + 3*7 + 28,
		"STACK CFI INIT 0 10 .cfa: 1\nSTACK CFI 4 .cfa: 22\n":                   76 + 192 + 3*7 + 28 + 192 + 3*8,
		"STACK WIN 0 0 10 0 0 0 0 0 0 0 0\n":                                    144,
		"STACK WIN 4 0 10 0 0 0 0 0 0 1 $eip\n":                                 144 + 96 + 2*4,
		"STACK WIN 4 0 10 0 0 0 0 0 0 1 1\nSTACK WIN 4 20 10 0 0 0 0 0 0 1 1\n": 144 + 96 + 2 + 144,
	} {
		c := &counted{tables: *newTables()}
		if _, err := Scan(strings.NewReader("MODULE Linux x86 1 a\n"+text), ParseOptions{}, c); err != nil || c.unwind != want {
			t.Errorf("%q: %d bytes, want %d; %v", text, c.unwind, want, err)
		}
	}
}

func newTables() *tables {
	return &tables{file: &File{}, fileIDs: map[uint32]uint32{}, originIDs: map[uint32]uint32{}}
}

// A line may hold as many bytes as names have left.
func TestNamesOfAFileAreBoundedTogether(t *testing.T) {
	for name, want := range map[string]error{strings.Repeat("x", 13): nil, strings.Repeat("x", 14): ErrNameLimit} {
		sink := newTables()
		p := &parser{file: sink.file, sink: sink, sawModule: true, nameBytes: 1<<30 - 20}
		if err := p.line([]byte("FILE 1 " + name)); !errors.Is(err, want) {
			t.Errorf("a name of %d bytes where 13 are left: %v", len(name), err)
		}
		if want == nil && (p.nameBytes != 1<<30-7 || p.file.records != 1) {
			t.Errorf("%d bytes of names", p.nameBytes)
		}
	}
}

func TestModuleRecords(t *testing.T) {
	for line, want := range map[string]bool{
		"MODULE Linux x86_64 " + strings.Repeat("A", 40) + " app": true, "MODULE Linux x86_64 " + strings.Repeat("A", 41) + " app": false,
		"MODULE Linux x86_64 1": true, "MODULE Linux x86_64": false, "MODULE Linux": false, "MODULE ": false,
	} {
		sink := newTables()
		p := &parser{file: sink.file, sink: sink}
		if err := p.line([]byte(line)); err != nil || p.sawModule != want || (p.file.arch == AMD64) != want || want && (p.besides != 1 || p.file.records != 1) {
			t.Errorf("%.60s: %v, %v", line, p.sawModule, err)
		}
	}
	if f, err := Parse(strings.NewReader("MODULE Linux x86_64 1 a\n"), ParseOptions{Arch: ARM}); err != nil || f.Arch() != ARM {
		t.Errorf("another architecture: %v", err)
	}
}

func TestRowsOfCFIAreEachToldOnce(t *testing.T) {
	const text = "MODULE Linux x86_64 1 a\nSTACK CFI INIT 10 10 .cfa: 1 .ra: 1\nSTACK CFI 10 .cfa: 9\nSTACK CFI 14 .cfa: 2\nSTACK CFI 20 .cfa: 3\n" +
		"STACK CFI INIT 20 10 .cfa: 4 .ra: 1\nSTACK CFI INIT 40 0 .cfa: 5 .ra: 1\nSTACK CFI INIT 50 4 .cfa: 6 .ra: 1\nSTACK CFI INIT fffffff0 20 .cfa: 7 .ra: 1\n"
	f, err := Parse(strings.NewReader(text), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	type told struct {
		RVA        uint64
		AtInit, OK bool
	}
	var got []told
	f.EachCFI(func(rva uint64, row CFIRow, ok bool) { got = append(got, told{rva, row.AtInit, ok}) })
	want := []told{
		{0x10, true, true}, {0x14, false, true}, {0x20, true, true}, {0x30, false, false}, {0x50, true, true}, {0x54, false, false}, {0xfffffff0, true, true}, {1 << 32, false, false},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := f.CFIRows(); n < len(got) {
		t.Errorf("at most %d", n)
	}
	for rva, want := range map[uint64]bool{0xf: false, 0x10: true, 0x2f: true, 0x30: false, 0x40: false, 0x53: true, 0x54: false, 0xffffffff: true, 1 << 32: false} {
		row, ok := f.CFI(rva)
		if ok != want || row.AtInit != (rva == 0x10) {
			t.Errorf("%#x: %v, at its start %v", rva, ok, row.AtInit)
		}
	}
	if r := (Rules{Entries: make([]byte, 24)}); r.Len() != 3 {
		t.Errorf("%d rules", r.Len())
	}
}

// Readers give what they have in pieces of any size.
func TestTextsAreDecodedFromPieces(t *testing.T) {
	const text = "MODULE a\nFUNC é\U0001f600\n"
	wide := func(order binary.AppendByteOrder, mark bool) []byte {
		var b []byte
		if mark {
			b = order.AppendUint16(b, 0xfeff)
		}
		for _, r := range text {
			if r > 0xffff {
				b = order.AppendUint16(order.AppendUint16(b, 0xd83d), 0xde00)
				continue
			}
			b = order.AppendUint16(b, uint16(r))
		}
		return b
	}
	for name, in := range map[string][]byte{
		"plain": []byte(text), "CR": []byte(strings.ReplaceAll(text, "\n", "\r")), "marked": []byte("\ufeff" + text),
		"little": wide(binary.LittleEndian, false), "big": wide(binary.BigEndian, false), "little, marked": wide(binary.LittleEndian, true), "big, marked": wide(binary.BigEndian, true),
	} {
		for _, reader := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in)), iotest.HalfReader(bytes.NewReader(in))} {
			out, _ := decoded(bufio.NewReaderSize(reader, maxLineBytes))
			if got, err := io.ReadAll(out); err != nil || string(got) != text {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
	for start, want := range map[string]bool{"a\rb": true, "a\r\nb": false, "a\nb\rc": false, "a\r": false, "a": false, "": false, "a\r\r\nb": false, "\rb": true} {
		if got := endsInCR(bufio.NewReaderSize(strings.NewReader(start), maxLineBytes)); got != want {
			t.Errorf("%q: %v", start, got)
		}
	}
	for n, want := range map[int]bool{255: true, 256: true, 600: true, maxLineBytes - 2: true, maxLineBytes: false} {
		if got := endsInCR(bufio.NewReaderSize(strings.NewReader(strings.Repeat("x", n)+"\rb"), maxLineBytes)); got != want {
			t.Errorf("behind %d bytes: %v", n, got)
		}
	}
	failing := &utf16Reader{in: bufio.NewReader(iotest.ErrReader(io.ErrClosedPipe)), order: binary.LittleEndian}
	if _, err := failing.Read(make([]byte, 8)); err != io.ErrClosedPipe { //nolint:errorlint // it is handed on as it is
		t.Errorf("a reader that fails: %v", err)
	}
}

func TestRoomForNamesIsNotSharedOrLost(t *testing.T) {
	var l Locations
	first := l.Room(10)
	copy(first, "0123456789")
	second := l.Room(namesChunk)
	copy(second, strings.Repeat("x", namesChunk))
	third := l.Room(3)
	if string(first) != "0123456789" || len(second) != namesChunk || len(third) != 3 || cap(third) != 3 || cap(first) != 10 {
		t.Errorf("%q, %d, %d of %d", first, len(second), len(third), cap(third))
	}
	var filled Locations
	filled.Room(namesChunk - 1)
	before := cap(filled.names)
	if filled.Room(1); cap(filled.names) != before || len(filled.names) != namesChunk {
		t.Errorf("%d of %d bytes", len(filled.names), cap(filled.names))
	}
	filled.List = append(filled.List, Location{})
	if filled.Reset(); len(filled.List) != 0 || len(filled.names) != 0 || cap(filled.names) != before {
		t.Errorf("%d locations, %d bytes of names", len(filled.List), len(filled.names))
	}
}
