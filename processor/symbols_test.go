package processor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
)

// TestSymbolsOfAFile: what became of a file's symbols holds for each of its
// mappings. Version 1 has none of a text that minidump-stackwalk refuses.
func TestSymbolsOfAFile(t *testing.T) {
	const text = "MODULE Linux x86_64 313131313131313131313131313131310 app\nFUNC 1000 100 0 f\n"
	for name, c := range map[string]struct {
		text   string
		v1, v2 symbolcache.Outcome
	}{
		"strict":              {text, symbolcache.Found, symbolcache.Found},
		"one bad line":        {text + "x\n", symbolcache.Malformed, symbolcache.FoundLossy},
		"no end":              {text + "FUNC 2000 100 0 g", symbolcache.Malformed, symbolcache.Found},
		"byte order mark":     {"\ufeff" + text, symbolcache.Malformed, symbolcache.Found},
		"nothing makes sense": {strings.ReplaceAll(text, "FUNC", "FUN"), symbolcache.Malformed, symbolcache.Malformed},
		"missing":             {"", symbolcache.Missing, symbolcache.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "app", "313131313131313131313131313131310")
			if err := os.MkdirAll(dir, 0o750); err != nil {
				t.Fatal(err)
			}
			if c.text != "" {
				if err := os.WriteFile(filepath.Join(dir, "app.sym"), []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cache, err := symbolcache.New(symbolcache.Options{Dir: t.TempDir(), Sources: []symbolcache.Source{symbolcache.Dir(root)}})
			if err != nil {
				t.Fatal(err)
			}
			defer cache.Close()
			app := minidumptest.Module{Base: 0x400000, Size: 0x4000, CodeFile: "app", CodeView: minidumptest.BuildID([]byte(strings.Repeat("1", 20)))}
			again, other := app, app
			again.Base, other.Base, other.CodeFile = 0x500000, 0x600000, "other"
			d, err := minidump.Parse(minidumptest.New(minidump.CPUAMD64, minidump.Linux).Module(again).Module(app).Module(other).
				Thread(1, minidumptest.Regs{"rip": 0x401008, "rsp": 0x10000}, minidumptest.StackAt(0x10000).Words(1)).Bytes())
			if err != nil {
				t.Fatal(err)
			}
			for version, want := range map[int]symbolcache.Outcome{1: c.v1, 2: c.v2} {
				walk, symbols := Walk(t.Context(), d, cache.Get, stackwalk.Options{Version: version})
				for i, want := range []symbolcache.Outcome{want, want, symbolcache.Unused} {
					if symbols[i].Outcome != want {
						t.Errorf("version %d, module %d: %s, want %s", version, i, symbols[i].Outcome, want)
					}
				}
				found := want == symbolcache.Found || want == symbolcache.FoundLossy
				if walk.Threads[0].Frames[0].HasFunction != found || (symbols[0].SHA256 != "") != found || symbols[0].SHA256 != symbols[1].SHA256 {
					t.Errorf("version %d: function %q, text %q", version, walk.Threads[0].Frames[0].Function, symbols[0].SHA256)
				}
			}
		})
	}
}
