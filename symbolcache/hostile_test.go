package symbolcache_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"aftershock/breakpad"
)

// hostileText makes a text whose records overlap, come in any order and name
// what does not exist. All addresses are small, or at the end of 4 GiB.
func hostileText(r *rand.Rand) string {
	var b strings.Builder
	end := "\n"
	if r.IntN(4) == 0 {
		end = "\r\n"
	}
	arch := []string{"x86", "x86_64", "arm64"}[r.IntN(3)]
	b.WriteString("MODULE Linux " + arch + " 0 app" + end)
	base := []uint64{0, 0x1000, 1<<32 - 0x80}[r.IntN(3)]
	addr := func() string {
		if r.IntN(40) == 0 {
			return "100000010" // beyond 4 GiB: a bad line
		}
		return fmt.Sprintf("%x", base+r.Uint64N(0x60))
	}
	size := func() string {
		switch r.IntN(12) {
		case 0:
			return "0"
		case 1:
			return "ffffffff"
		case 2:
			return "12345"
		}
		return fmt.Sprintf("%x", r.IntN(0x20))
	}
	id := func() uint32 { return []uint32{0, 1, 2, 3, 4000, 1<<31 + 1, 1<<32 - 1}[r.IntN(7)] }
	name := func() string {
		return []string{"", "a", "f", "std::vector<int, std::allocator<int>>::push_back", "std::vector<int, std::allocator<int>>::pop_back", "1 x", "9 ", "with\x00nul", "m"}[r.IntN(9)]
	}
	multiple := func() string { return []string{"", "", "m "}[r.IntN(3)] }
	old := r.IntN(3) == 0
	for range 1 + r.IntN(60) {
		switch r.IntN(16) {
		case 0, 1:
			fmt.Fprintf(&b, "FUNC %s%s %s %x %s", multiple(), addr(), size(), r.IntN(20), name())
		case 2, 3, 4, 5:
			fmt.Fprintf(&b, "%s %s %d %d", addr(), size(), r.IntN(1000), id())
		case 6, 7, 8, 9:
			fmt.Fprintf(&b, "INLINE %d %d", []int{0, 0, 1, 1, 2, 3, 511, 512}[r.IntN(8)], r.IntN(1000))
			if !old || r.IntN(4) == 0 {
				fmt.Fprintf(&b, " %d", id())
			}
			fmt.Fprintf(&b, " %d", id())
			for range r.IntN(4) {
				fmt.Fprintf(&b, " %s %s", addr(), size())
			}
		case 10:
			fmt.Fprintf(&b, "FILE %d %s", id(), name())
		case 11:
			fmt.Fprintf(&b, "INLINE_ORIGIN %d %s", id(), name())
		case 12:
			fmt.Fprintf(&b, "PUBLIC %s%s %x %s", multiple(), addr(), r.IntN(20), name())
		case 13:
			fmt.Fprintf(&b, "STACK CFI INIT %s %s .cfa: sp %d + .ra: .cfa -8 + ^", addr(), size(), r.IntN(3))
		case 14:
			fmt.Fprintf(&b, "STACK CFI %s %s", addr(), []string{".cfa: sp 8 +", "fp: 1", ".ra: .undef", "", "x"}[r.IntN(5)])
		case 15:
			fmt.Fprintf(&b, "STACK WIN %d %s %s 0 0 %x 4 8 0 %d %s", []int{0, 4}[r.IntN(2)], addr(), size(), r.IntN(20), r.IntN(2), "$eip 4 =")
		}
		b.WriteString(end)
	}
	return b.String()
}

func TestHostileTexts(t *testing.T) {
	const texts = 1000
	located := 0
	for seed := range uint64(texts) {
		text := hostileText(rand.New(rand.NewPCG(seed, 1))) //nolint:gosec // the same texts every time
		// With more bad lines than others it would be refused.
		text = strings.Replace(text, "\n", "\n"+strings.Repeat("PUBLIC f0000000 0 z\n", 100), 1)
		o := oracle{text: parse(t, text), compiled: openBytes(t, compile(t, text))}
		for _, base := range []uint64{0, 0xfe0, 0x12300, 0x13300, 1<<32 - 0x90} {
			for rva := base; rva < base+0xc0; rva++ {
				if !o.agrees(t, rva) {
					t.Fatalf("text %d:\n%s", seed, text)
				}
				located += len(o.want.List)
			}
		}
		if got, want := [2]int{o.compiled.Records(), o.compiled.BadLines()}, [2]int{o.text.Records(), o.text.BadLines()}; got != want {
			t.Errorf("text %d: records, bad lines %v, want %v", seed, got, want)
		}
	}
	if located < texts*100 {
		t.Errorf("%d locations: too few to tell", located)
	}
}

// TestWideFunctions looks at what needs numbers of 32 bits: functions around
// 64 KiB, and calls and lines that take more.
func TestWideFunctions(t *testing.T) {
	for _, size := range []int{0xfffe, 0xffff, 0x10000, 0x10001, 0x200000} {
		for _, records := range []int{1, 9000, 40000} {
			var b strings.Builder
			fmt.Fprintf(&b, "MODULE Linux x86_64 0 app\nFILE 0 a.c\nINLINE_ORIGIN 5 in\nFUNC 1000 %x 0 f\n", size)
			step := max(size/records, 1)
			for i := range records {
				fmt.Fprintf(&b, "INLINE 0 %d 0 5 %x 1\n", i, 0x1000+i*step)
			}
			for i := range records {
				fmt.Fprintf(&b, "%x %x %d 0\n", 0x1000+i*step, step, i*7919%65536)
			}
			o := oracle{text: parse(t, b.String()), compiled: openBytes(t, compile(t, b.String()))}
			for rva := 0xff0; rva < 0x1010+size; rva += 1 + size/7777 {
				if !o.agrees(t, uint64(rva)) {
					t.Fatal(size, records)
				}
			}
			o.agrees(t, uint64(0x1000+size-1))
			o.agrees(t, uint64(0x1000+size))
		}
	}
}

// TestNamesOutliveTheFile: what AppendLocations answers does not alias it.
func TestNamesOutliveTheFile(t *testing.T) {
	b := compile(t, small)
	got := locations(openBytes(t, b), 0x1014)
	clear(b)
	if describe(got) != describe(locations(openBytes(t, compile(t, small)), 0x1014)) {
		t.Error(describe(got))
	}
}

func TestLongestName(t *testing.T) {
	const line = "PUBLIC 10 0 "
	name := strings.Repeat("x", 160<<10-len(line)-1)
	text := "MODULE Linux x86_64 0 app\n" + line + name + "\nPUBLIC 20 0 " + name[1:] + "y\n"
	f := openBytes(t, compile(t, text))
	if got := locations(f, 0x10); len(got) != 1 || string(got[0].Function) != name {
		t.Error("the longest name is not what it was")
	}
	o := oracle{text: parse(t, text), compiled: f}
	o.agrees(t, 0x20)
}

func TestUnwindingDoesNotAllocate(t *testing.T) {
	f := openBytes(t, compile(t, small))
	registers := breakpad.Registers{Valid: 1<<breakpad.MaxRegisters - 1}
	var caller breakpad.Registers
	mem := breakpad.Memory{Bytes: make([]byte, 64)}
	evaluated := true
	if n := testing.AllocsPerRun(100, func() {
		row, ok := f.CFI(0x1014)
		evaluated = evaluated && ok && row.Rules.Eval(f.Arch(), &registers, &caller, &mem)
		w, ok := f.Win(0x1014, breakpad.WinFrameData)
		evaluated = evaluated && ok && w.Eval(&registers, &caller, &mem, 0, true)
	}); n != 0 || !evaluated {
		t.Errorf("%v allocations, evaluated: %v", n, evaluated)
	}
}
