package symbolcache_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aftershock/breakpad"
	"aftershock/symbolcache"
)

// small is a text with something in every section.
const small = `MODULE windows x86 5A9832E51 app.pdb
INFO CODE_ID 45D35F6C app.exe
INFO URL http://a/
FILE 0 a.c
FILE 1 b.c
INLINE_ORIGIN 0 inner
INLINE_ORIGIN 1 outer
FUNC 1000 40 8 main
INLINE 0 9 0 1 1008 20
INLINE 1 8 1 0 1010 8
1000 10 5 0
1010 10 6 1
1020 20 7 0
PUBLIC 2000 4 exported
STACK CFI INIT 1000 40 .cfa: $esp 4 + .ra: .cfa 4 - ^
STACK CFI 1001 .cfa: $esp 8 + $ebp: .cfa 8 - ^
STACK WIN 4 1000 40 0 0 8 4 10 0 1 $T0 .raSearch = $eip $T0 ^ = $esp $T0 4 + =
STACK WIN 0 2000 10 0 0 4 0 0 0 0 1
`

// What a file starts and ends with. The footer is the table of sections, 24
// bytes each, and 80 bytes.
const (
	front    = 16
	sections = 18
	footer   = sections*24 + 80
)

// seal gives a changed footer its checksum, so that what comes after that
// check is tested too.
func seal(b []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	covered := b[len(b)-footer : len(b)-12]
	binary.LittleEndian.PutUint32(b[len(b)-12:], crc32.Update(crc32.Checksum(b[:front], table), table, covered))
	return b
}

// entry is section i in the table.
func entry(b []byte, i int) []byte { return b[len(b)-footer+24*i:] }

func TestOpenRefuses(t *testing.T) {
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		damage func(b []byte) []byte
		want   error
	}{
		"nothing":               {func([]byte) []byte { return nil }, symbolcache.ErrNotCompiled},
		"a text":                {func([]byte) []byte { return []byte(small) }, symbolcache.ErrNotCompiled},
		"text mode":             {func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }, symbolcache.ErrNotCompiled},
		"an older version":      {func(b []byte) []byte { le.PutUint32(b[8:], symbolcache.Version-1); return b }, symbolcache.ErrOldVersion},
		"a newer version":       {func(b []byte) []byte { le.PutUint32(b[8:], symbolcache.Version+1); return b }, symbolcache.ErrNewVersion},
		"no footer":             {func(b []byte) []byte { return b[:footer-1] }, symbolcache.ErrTruncated},
		"nothing but a front":   {func(b []byte) []byte { return b[:front] }, symbolcache.ErrTruncated},
		"half a front":          {func(b []byte) []byte { return b[:front-1] }, symbolcache.ErrTruncated},
		"a byte less":           {func(b []byte) []byte { return b[:len(b)-1] }, symbolcache.ErrTruncated},
		"a byte more":           {func(b []byte) []byte { return append(b, 0) }, symbolcache.ErrTruncated},
		"8 bytes amid less":     {func(b []byte) []byte { return append(b[:front], b[front+8:]...) }, symbolcache.ErrTruncated},
		"another architecture":  {func(b []byte) []byte { b[len(b)-16] ^= 1; return b }, symbolcache.ErrCorrupt},
		"another checksum":      {func(b []byte) []byte { b[len(b)-12] ^= 1; return b }, symbolcache.ErrCorrupt},
		"sections":              {func(b []byte) []byte { b[12]++; return seal(b) }, symbolcache.ErrCorrupt},
		"a section's number":    {func(b []byte) []byte { entry(b, 0)[0]++; return seal(b) }, symbolcache.ErrCorrupt},
		"a section's place":     {func(b []byte) []byte { entry(b, 0)[8]++; return seal(b) }, symbolcache.ErrCorrupt},
		"a section's size":      {func(b []byte) []byte { entry(b, 0)[16] += 64; return seal(b) }, symbolcache.ErrCorrupt},
		"a section without end": {func(b []byte) []byte { le.PutUint64(entry(b, 0)[16:], 1<<64-1); return seal(b) }, symbolcache.ErrCorrupt},
		"sections that wrap": {func(b []byte) []byte {
			le.PutUint64(entry(b, 0)[16:], 1<<63)
			le.PutUint64(entry(b, 1)[16:], 1<<63)
			return seal(b)
		}, symbolcache.ErrCorrupt},
		"part of an entry": {func(b []byte) []byte {
			le.PutUint64(entry(b, 2)[16:], le.Uint64(entry(b, 2)[16:])-4)
			return seal(b)
		}, symbolcache.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			b := c.damage(compile(t, small))
			if _, err := symbolcache.OpenBytes(b); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			path := filepath.Join(t.TempDir(), "x.csym")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := symbolcache.Open(path); !errors.Is(err, c.want) {
				t.Errorf("from the disk: %v, want %v", err, c.want)
			}
		})
	}
}

// TestEveryBitOfFrontAndFooterIsChecked: none changes without notice.
func TestEveryBitOfFrontAndFooterIsChecked(t *testing.T) {
	good := compile(t, small)
	for i := range good {
		if i >= front && i < len(good)-footer {
			continue
		}
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			if _, err := symbolcache.OpenBytes(b); err == nil {
				t.Errorf("bit %d of byte %d", bit, i)
			}
		}
	}
}

// TestVerifyFindsEveryDamagedByte leaves out the padding, which nobody reads.
func TestVerifyFindsEveryDamagedByte(t *testing.T) {
	good := compile(t, small)
	for _, s := range openBytes(t, good).Sections() {
		if s.Size == 0 && !slices.Contains([]string{"executable", "returns index", "returns"}, s.Name) { // see TestDamagedModuleFiles
			t.Errorf("section %q is empty: the example does not test it", s.Name)
		}
		for i := s.Offset; i < s.Offset+s.Size; i++ {
			b := bytes.Clone(good)
			b[i] ^= 0x40
			f, err := symbolcache.OpenBytes(b)
			if err == nil {
				err = f.Verify()
			}
			if !errors.Is(err, symbolcache.ErrCorrupt) {
				t.Errorf("byte %d of %q: %v", i-s.Offset, s.Name, err)
			}
		}
	}
}

func TestOpenAndClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.csym")
	if err := os.WriteFile(path, compile(t, small), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := symbolcache.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	o := oracle{text: parse(t, small), compiled: f}
	for rva := range uint64(0x3000) {
		o.agrees(t, rva)
	}
	if f.OS != "windows" || f.DebugID != "5A9832E51" || f.Name != "app.pdb" || f.CodeID != "45D35F6C" || f.CodeFile != "app.exe" || f.URL != "http://a/" || f.Arch() != breakpad.X86 {
		t.Errorf("%+v", f)
	}
	if f.Records() != o.text.Records() || f.BadLines() != 0 || f.TextBytes() != uint64(len(small)) {
		t.Error(f.Records(), f.BadLines(), f.TextBytes())
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(locations(f, 0x1000)) > 0 || f.HasFunction(0x1000) {
		t.Error("a closed file answers")
	}
	if _, err := symbolcache.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	f := openBytes(t, compile(t, small))
	dst := breakpad.Locations{List: make([]breakpad.Location, 0, 8)}
	if n := testing.AllocsPerRun(100, func() {
		dst.Reset()
		f.AppendLocations(&dst, 0x1014)
		f.HasFunction(0x1014)
		f.CFI(0x1014)
		f.Win(0x1014, breakpad.WinFrameData)
	}); n != 0 || len(dst.List) != 3 {
		t.Errorf("%v allocations, %d locations", n, len(dst.List))
	}
}

func locations(f *symbolcache.File, rva uint64) []breakpad.Location {
	var at breakpad.Locations
	f.AppendLocations(&at, rva)
	return at.List
}

// askAll asks everything at an address; what counts is that it comes back.
func askAll(t testing.TB, f *symbolcache.File, rva uint64) {
	t.Helper()
	if got := locations(f, rva); len(got) > 513 {
		t.Errorf("%d locations", len(got))
	}
	f.HasFunction(rva)
	registers := breakpad.Registers{Valid: 1<<breakpad.MaxRegisters - 1}
	mem := breakpad.Memory{Bytes: make([]byte, 64)}
	if row, ok := f.CFI(rva); ok {
		var caller breakpad.Registers
		row.Rules.Eval(f.Arch(), &registers, &caller, &mem)
	}
	for _, kind := range []breakpad.WinKind{breakpad.WinFPO, breakpad.WinFrameData} {
		if w, ok := f.Win(rva, kind); ok {
			var caller breakpad.Registers
			w.Eval(&registers, &caller, &mem, 4, true)
		}
	}
}

func TestDamagedFilesAnswerWithoutPanic(t *testing.T) {
	good := compile(t, small)
	source := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same damage every time
	for range 20_000 {
		b := bytes.Clone(good)
		for range 1 + source.IntN(4) {
			b[front+source.IntN(len(b)-front-footer)] = byte(source.Uint32())
		}
		f, err := symbolcache.OpenBytes(b)
		if err != nil {
			continue
		}
		for _, rva := range []uint64{0, 0x1000, 0x1014, 0x1030, 0x2008, 1<<32 - 1, source.Uint64()} {
			askAll(t, f, rva)
		}
	}
}

// FuzzOpen checks that no bytes make a lookup panic or answer without bound.
func FuzzOpen(f *testing.F) {
	f.Add(compile(f, small), uint64(0x1014))
	f.Add(compile(f, "MODULE Linux x86_64 0 a\n"), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, rva uint64) {
		if len(b) >= front+footer {
			b = seal(bytes.Clone(b)) // else the fuzzer does not get past it
		}
		file, err := symbolcache.OpenBytes(b)
		if err != nil {
			return
		}
		askAll(t, file, rva)
		file.Verify() //nolint:errcheck,gosec // either is fine
	})
}

// FuzzCompile checks that the compiled form of any text answers as the text.
func FuzzCompile(f *testing.F) {
	f.Add(small, uint64(0x1014))
	f.Add("MODULE Linux x86_64 0 a\r\nFUNC m 0 ffffffff 0 f\r\n0 10 1 3\r\nINLINE 0 1 2 0 10 5 0\r\nINLINE_ORIGIN 2 1 x\r\nPUBLIC 5 0 p\r\nSTACK CFI INIT 0 0 .cfa: 1 .ra: 1", uint64(3))
	f.Fuzz(func(t *testing.T, text string, rva uint64) {
		parsed, err := breakpad.Parse(strings.NewReader(text), breakpad.ParseOptions{})
		if err != nil {
			return
		}
		o := oracle{text: parsed, compiled: openBytes(t, compile(t, text))}
		o.agrees(t, rva)
		for _, at := range addresses(text) {
			if !o.agrees(t, at) {
				return
			}
		}
	})
}
