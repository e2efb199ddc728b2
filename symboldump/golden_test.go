package symboldump_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/breakpad"
	"aftershock/symboldump"
)

var update = flag.Bool("update", false, "write what is made in the place of testdata/*.sym")

// fixture is a file of testdata; testdata/build.sh makes them.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func open(t testing.TB, name string) *symboldump.File {
	t.Helper()
	f, err := symboldump.Open(fixture(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

// dump writes the symbols of a module and reads them again.
func dump(t testing.TB, f, debug *symboldump.File, o symboldump.Options) (string, symboldump.Report) {
	t.Helper()
	var text bytes.Buffer
	report, err := f.WriteSymbols(&text, debug, o)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := breakpad.Parse(bytes.NewReader(text.Bytes()), breakpad.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if parsed.BadLines() != 0 || !parsed.Strict() {
		t.Errorf("%d bad lines, strict %v", parsed.BadLines(), parsed.Strict())
	}
	return text.String(), report
}

func TestFixturesHaveTheirSymbols(t *testing.T) {
	for _, name := range []string{
		"amd64.so", "amd64-stripped.so", "x86.so", "arm.so", "arm64.so", "macho-amd64", "macho-arm64", "pe-amd64.dll", "pe-dwarf.dll",
	} {
		t.Run(name, func(t *testing.T) {
			got, report := dump(t, open(t, name), nil, symboldump.Options{Name: name})
			got += "# " + report.String() + "\n"
			path := filepath.Join("testdata", name+".sym")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The same code with its debug information in other forms has the same symbols.
func TestFormsOfDebugInformationTellTheSame(t *testing.T) {
	body := func(text string) string { // without MODULE and INFO, whose ids differ
		_, text, _ = bytesCutLine(text)
		_, text, _ = bytesCutLine(text)
		return text
	}
	plain, _ := dump(t, open(t, "amd64.so"), nil, symboldump.Options{})
	split := func(_, name string) *symboldump.File {
		if filepath.Base(name) != "split.dwo" {
			t.Errorf("asked for %q", name)
		}
		return open(t, "split.dwo")
	}
	for name, tt := range map[string]struct {
		file, debug string
		options     symboldump.Options
	}{
		"zstd":                {file: "amd64-zstd.so"},
		"DWARF 4 and zlib":    {file: "amd64-dwarf4-zlib.so"},
		"split":               {file: "amd64-split.so", options: symboldump.Options{Split: split}},
		"split and packed":    {file: "amd64-split.so", options: symboldump.Options{Package: open(t, "amd64-split.dwp")}},
		"stripped, and whole": {file: "amd64-stripped.so", debug: "amd64.so"},
	} {
		t.Run(name, func(t *testing.T) {
			var debug *symboldump.File
			if tt.debug != "" {
				debug = open(t, tt.debug)
			}
			got, report := dump(t, open(t, tt.file), debug, tt.options)
			if why := report.Reasons(); len(why) > 0 {
				t.Errorf("untold: %v", why)
			}
			want := body(plain)
			if tt.debug != "" { // both have .eh_frame
				got, want = withoutStack(got), withoutStack(want)
			}
			if diff := cmp.Diff(want, body(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNotThereIsCounted(t *testing.T) {
	_, report := dump(t, open(t, "amd64-split.so"), nil, symboldump.Options{})
	if got := report.Untold(symboldump.SplitMissing); got != 1 {
		t.Errorf("%d split units are missing, want 1: %s", got, report.String())
	}
	stripped, debug := open(t, "stripped.so"), open(t, "dwz.debug")
	if got, want := stripped.DebugLink().Name, "dwz.debug"; got != want {
		t.Errorf("debug link %q, want %q", got, want)
	}
	if got, want := debug.Alternate().Name, "common.dwz"; got != want {
		t.Errorf("alternate %q, want %q", got, want)
	}
	without, report := dump(t, stripped, debug, symboldump.Options{})
	if report.Untold(symboldump.AlternateMissing) == 0 {
		t.Errorf("nothing of the dwz file is missing: %s", report.String())
	}
	with, report := dump(t, stripped, debug, symboldump.Options{Alternate: open(t, "dwz.common")})
	if report.Untold(symboldump.AlternateMissing) != 0 || with == without {
		t.Errorf("the dwz file does not help: %s", report.String())
	}
	for _, want := range []string{"INLINE_ORIGIN 0 twice\n", "INLINE_ORIGIN 1 square\n"} {
		if !bytes.Contains([]byte(with), []byte(want)) {
			t.Errorf("%q is missing", want)
		}
	}
}

// A file without section headers still says how its stacks are unwound.
func TestUnwindTablesAreFoundWithoutSections(t *testing.T) {
	data := fixture(t, "amd64-stripped.so")
	want, _ := dump(t, open(t, "amd64-stripped.so"), nil, symboldump.Options{Name: "libmodule.so"})
	for i := range 8 {
		data[40+i] = 0 // e_shoff
	}
	f, err := symboldump.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := dump(t, f, nil, symboldump.Options{Name: "libmodule.so"})
	if diff := cmp.Diff(onlyStack(want), onlyStack(got)); diff != "" || onlyStack(got) == "" {
		t.Error(diff)
	}
}

func TestUniversalFilesHaveParts(t *testing.T) {
	data := fixture(t, "macho-universal")
	for arch, alone := range map[breakpad.Arch]string{breakpad.AMD64: "macho-amd64", breakpad.ARM64: "macho-arm64"} {
		f, err := symboldump.OpenArch(data, arch)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := dump(t, f, nil, symboldump.Options{})
		want, _ := dump(t, open(t, alone), nil, symboldump.Options{})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := symboldump.OpenArch(data, breakpad.X86); err == nil {
		t.Error("a part that is not there was opened")
	}
}

func bytesCutLine(text string) (line, rest string, ok bool) {
	before, after, found := bytes.Cut([]byte(text), []byte("\n"))
	return string(before), string(after), found
}

func withoutStack(text string) string { return linesOf(text, false) }

func onlyStack(text string) string { return linesOf(text, true) }

func linesOf(text string, stack bool) string {
	var out []byte
	for line := range bytes.Lines([]byte(text)) {
		if bytes.HasPrefix(line, []byte("STACK")) == stack {
			out = append(out, line...)
		}
	}
	return string(out)
}
