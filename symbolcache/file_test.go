package symbolcache_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"aftershock/breakpad"
	"aftershock/internal/reference"
	"aftershock/minidump"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
)

var _ stackwalk.Symbols = (*symbolcache.File)(nil)

func compile(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := symbolcache.Compile(&out, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func openBytes(t testing.TB, b []byte) *symbolcache.File {
	t.Helper()
	f, err := symbolcache.OpenBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func parse(t testing.TB, text string) *breakpad.File {
	t.Helper()
	f, err := breakpad.Parse(strings.NewReader(text), breakpad.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// symbolFiles finds the .sym files of the repository and, where it is, of the
// corpus of reference dumps. The latter lies outside the repository: below
// $AFTERSHOCK_SHARED, or in a folder "shared" beside it.
func symbolFiles(t testing.TB) []string {
	t.Helper()
	roots := []string{filepath.Join("..", "testdata", "symbols")}
	if corpus, ok := reference.Find(t, "corpus"); ok {
		roots = append(roots, filepath.Join(corpus, "symbols"), filepath.Join(corpus, "crasher", "symbols"), filepath.Join(corpus, "synthetic", "symbols"))
	} else {
		t.Log("only the repository's own symbols")
	}
	var files []string
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && filepath.Ext(path) == ".sym" {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// oracle compares what a compiled file answers with what its text does.
type oracle struct {
	text      *breakpad.File
	compiled  *symbolcache.File
	want, got breakpad.Locations
}

func (o *oracle) agrees(t testing.TB, rva uint64) bool {
	t.Helper()
	o.want.Reset()
	o.text.AppendLocations(&o.want, rva)
	o.got.Reset()
	o.compiled.AppendLocations(&o.got, rva)
	if !sameLocations(o.want.List, o.got.List) {
		t.Errorf("%#x: AppendLocations\ngot  %s\nwant %s", rva, describe(o.got.List), describe(o.want.List))
		return false
	}
	if o.text.HasFunction(rva) != o.compiled.HasFunction(rva) {
		t.Errorf("%#x: HasFunction is %v", rva, o.compiled.HasFunction(rva))
		return false
	}
	wantExtent, wantOK := o.text.Extent(rva)
	if e, ok := o.compiled.Extent(rva); e != wantExtent || ok != wantOK {
		t.Errorf("%#x: Extent\ngot  %+v %v\nwant %+v %v", rva, e, ok, wantExtent, wantOK)
		return false
	}
	if n := o.compiled.SymbolCount(); n != o.text.SymbolCount() {
		t.Errorf("%d symbols, want %d", n, o.text.SymbolCount())
		return false
	}
	first, known := o.compiled.FirstSymbol()
	if wantFirst, wantKnown := o.text.FirstSymbol(); known != wantKnown || known && first != wantFirst {
		t.Errorf("FirstSymbol is %#x %v, want %#x %v", first, known, wantFirst, wantKnown)
		return false
	}
	wantStart, wantCovered := o.text.CFIStart(rva)
	if start, covered := o.compiled.CFIStart(rva); start != wantStart || covered != wantCovered {
		t.Errorf("%#x: CFIStart is %#x %v, want %#x %v", rva, start, covered, wantStart, wantCovered)
		return false
	}
	want, wantOK := o.text.CFI(rva)
	got, gotOK := o.compiled.CFI(rva)
	if wantOK != gotOK || want.AtInit != got.AtInit || !bytes.Equal(want.Rules.Entries, got.Rules.Entries) || !bytes.Equal(want.Rules.Code, got.Rules.Code) {
		t.Errorf("%#x: CFI\ngot  %v %v %x\nwant %v %v %x", rva, gotOK, got.AtInit, got.Rules.Entries, wantOK, want.AtInit, want.Rules.Entries)
		return false
	}
	for _, kind := range []breakpad.WinKind{breakpad.WinFPO, breakpad.WinFrameData} {
		want, wantOK := o.text.Win(rva, kind)
		got, gotOK := o.compiled.Win(rva, kind)
		if wantOK != gotOK || !bytes.Equal(want.Program, got.Program) {
			t.Errorf("%#x: Win %d: got %v %+v, want %v %+v", rva, kind, gotOK, got, wantOK, want)
			return false
		}
		want.Program, got.Program = nil, nil
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%#x: Win %d: got %+v, want %+v", rva, kind, got, want)
			return false
		}
	}
	return true
}

func sameLocations(a, b []breakpad.Location) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if !bytes.Equal(x.Function, y.Function) || !bytes.Equal(x.File, y.File) || x.FunctionRVA != y.FunctionRVA || x.Line != y.Line ||
			x.LineRVA != y.LineRVA || x.ParameterSize != y.ParameterSize || x.Inline != y.Inline || x.Public != y.Public || x.HasFile != y.HasFile || x.HasLine != y.HasLine {
			return false
		}
	}
	return true
}

func describe(locations []breakpad.Location) string {
	var out []string
	for _, l := range locations {
		out = append(out, string(l.Function)+"@"+strconv.FormatUint(l.FunctionRVA, 16)+" "+string(l.File)+":"+strconv.Itoa(int(l.Line))+
			"@"+strconv.FormatUint(l.LineRVA, 16)+" params "+strconv.Itoa(int(l.ParameterSize)))
	}
	return strings.Join(out, " < ")
}

// addresses are all hexadecimal numbers of a text, their sums with the number
// before, and what is one off: all places where an answer may change.
func addresses(text string) []uint64 {
	out := []uint64{0, 1<<32 - 1, 1 << 32, 1<<64 - 1}
	for line := range strings.Lines(text) {
		before := uint64(0)
		for _, word := range strings.Fields(line) {
			v, err := strconv.ParseUint(word, 16, 64)
			if err != nil {
				continue
			}
			out = append(out, v-1, v, v+1, v+before-1, v+before, v+before+1)
			before = v
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestCompiledFilesAnswerAsTheirText(t *testing.T) {
	const random = 10_000
	for _, path := range symbolFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			compiled := compile(t, text)
			if !bytes.Equal(compiled, compile(t, text)) {
				t.Error("compiled twice, the bytes differ")
			}
			o := oracle{text: parse(t, text), compiled: openBytes(t, compiled)}
			if err := o.compiled.Verify(); err != nil {
				t.Error(err)
			}
			last := uint64(0)
			at := addresses(text)
			for _, rva := range at {
				if !o.agrees(t, rva) {
					return
				}
				if rva < 1<<32 && o.text.HasFunction(rva) && len(o.want.List) > 0 && len(o.want.List[0].File) > 0 {
					last = max(last, rva)
				}
			}
			source := rand.New(rand.NewPCG(1, uint64(len(text)))) //nolint:gosec // the same addresses every time
			for range random {
				if !o.agrees(t, source.Uint64N(last+0x10000)) {
					return
				}
			}
			t.Logf("%d addresses; %d bytes of text, %d compiled: %.2f", len(at)+random, len(text), len(compiled), float64(len(compiled))/float64(len(text)))
		})
	}
}

// TestWalksAreEqual walks the repository's crashes with both forms of symbols.
func TestWalksAreEqual(t *testing.T) {
	type both struct {
		text     *breakpad.File
		compiled *symbolcache.File
	}
	symbols := map[string]both{} // by debug id
	for _, path := range symbolFiles(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		symbols[filepath.Base(filepath.Dir(path))] = both{parse(t, string(b)), openBytes(t, compile(t, string(b)))}
	}
	dumps, err := filepath.Glob(filepath.Join("..", "testdata", "crashes", "*.dmp"))
	if err != nil || len(dumps) == 0 {
		t.Fatal("no dumps: ", err)
	}
	if corpus, ok := reference.Find(t, "corpus"); ok {
		more, err := filepath.Glob(filepath.Join(corpus, "dumps", "*.dmp"))
		if err != nil {
			t.Fatal(err)
		}
		dumps = append(dumps, more...)
	}
	symbolicated := 0
	for _, path := range dumps {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := minidump.Parse(b)
		if err != nil || d.Walkable() != nil {
			continue
		}
		walk := func(pick func(both) stackwalk.Symbols) *stackwalk.Result {
			return stackwalk.Walk(d, func(module int) stackwalk.Symbols {
				found, ok := symbols[d.Modules[module].DebugID()]
				if !ok {
					return nil
				}
				return pick(found)
			}, stackwalk.Options{})
		}
		want := walk(func(s both) stackwalk.Symbols { return s.text })
		got := walk(func(s both) stackwalk.Symbols { return s.compiled })
		for i := range want.Threads {
			for j := range want.Threads[i].Frames {
				if f := &want.Threads[i].Frames[j]; f.HasFunction {
					symbolicated++
				}
			}
		}
		if !reflect.DeepEqual(emptied(want), emptied(got)) {
			t.Errorf("%s: walks differ", filepath.Base(path))
		}
	}
	if symbolicated < 100 {
		t.Errorf("%d frames with a function: too few to tell", symbolicated)
	}
	t.Logf("%d dumps, %d frames with a function", len(dumps), symbolicated)
}

// emptied makes empty names nil: both mean unknown.
func emptied(r *stackwalk.Result) *stackwalk.Result {
	empty := func(b *[]byte) {
		if len(*b) == 0 {
			*b = nil
		}
	}
	for i := range r.Threads {
		for j := range r.Threads[i].Frames {
			f := &r.Threads[i].Frames[j]
			empty(&f.Function)
			empty(&f.File)
			for k := range f.Inlines {
				empty(&f.Inlines[k].Function)
				empty(&f.Inlines[k].File)
			}
		}
	}
	return r
}

func TestCompileRefusesWhatIsNoSymbolFile(t *testing.T) {
	for _, text := range []string{"", "<html>", "FUNC 1 1 0 f\n"} {
		var out bytes.Buffer
		if err := symbolcache.Compile(&out, strings.NewReader(text)); !errors.Is(err, breakpad.ErrNoModule) || out.Len() != 0 {
			t.Errorf("%q: %v, %d bytes", text, err, out.Len())
		}
	}
}
