package symbolcache_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aftershock/breakpad"
	"aftershock/internal/callsite"
	"aftershock/symbolcache"
	"aftershock/symboldump"

	"github.com/prometheus/client_golang/prometheus"
)

// ownFile is the test program itself: an ELF file of megabytes, with frames and calls.
func ownFile(t *testing.T) []byte {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := elf.NewFile(bytes.NewReader(data)); err != nil {
		t.Skip("not an ELF file:", err)
	}
	return data
}

// TestModuleFilesAnswerAsTheirBytes compares where code is and where calls end with the
// file's bytes, at every address.
func TestModuleFilesAnswerAsTheirBytes(t *testing.T) {
	data := ownFile(t)
	var out bytes.Buffer
	if err := symbolcache.CompileModule(&out, data); err != nil {
		t.Fatal(err)
	}
	f := openBytes(t, out.Bytes())
	file, err := symboldump.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	code := file.Code()
	inCode := func(rva uint64) bool {
		for _, s := range code {
			if rva-s.RVA < s.Size {
				return true
			}
		}
		return false
	}
	returns, all := map[uint64]bool{}, 0
	for _, s := range code {
		callsite.Each(file.Module().Arch, s.Data, s.RVA, inCode, func(rva uint64) { returns[rva] = true })
	}
	if len(returns) < 1000 {
		t.Fatal(len(returns), "calls")
	}
	for _, s := range code {
		for rva := s.RVA - 2; rva < s.RVA+s.Size+2; rva++ {
			if f.Executable(rva) != inCode(rva) {
				t.Fatalf("%#x: executable is %v", rva, f.Executable(rva))
			}
			if f.Returns(rva) != returns[rva] {
				t.Fatalf("%#x: behind a call is %v", rva, f.Returns(rva))
			}
			all++
		}
	}
	var text bytes.Buffer
	if _, err := file.WriteSymbols(&text, nil, symboldump.Options{}); err != nil {
		t.Fatal(err)
	}
	parsed, err := breakpad.Parse(bytes.NewReader(text.Bytes()), breakpad.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := oracle{text: parsed, compiled: f}
	for rva := code[0].RVA; rva < code[0].RVA+code[0].Size; rva += 97 {
		if !o.agrees(t, rva) {
			break
		}
	}
	t.Log(len(returns), "calls,", all, "addresses,", len(data), "bytes of file,", out.Len(), "compiled")
}

// TestDamagedModuleFiles damages what only they have: Verify finds it, and lookups
// answer anything but do not panic.
func TestDamagedModuleFiles(t *testing.T) {
	var out bytes.Buffer
	if err := symbolcache.CompileModule(&out, ownFile(t)); err != nil {
		t.Fatal(err)
	}
	for _, s := range openBytes(t, out.Bytes()).Sections() {
		switch s.Name {
		case "executable", "returns index", "returns":
		default:
			continue
		}
		if s.Size == 0 {
			t.Errorf("section %q is empty", s.Name)
		}
		for i := s.Offset; i < s.Offset+s.Size; i += s.Size/64 + 1 {
			b := bytes.Clone(out.Bytes())
			b[i] ^= 0xff
			f := openBytes(t, b)
			for rva := uint64(0); rva < 1<<24; rva += 9973 {
				f.Executable(rva)
				f.Returns(rva)
			}
			if f.Verify() == nil {
				t.Errorf("section %q: byte %d", s.Name, i-s.Offset)
			}
		}
	}
}

// TestModuleSources finds a module's own file wherever sources have it.
func TestModuleSources(t *testing.T) {
	data := ownFile(t)
	const debugID, buildID = "11111111222222223333333344444444" + "0", "AABBCCDDEEFF00112233445566778899AABBCCDD"
	key := symbolcache.Key{DebugFile: "app", DebugID: debugID, CodeFile: "/bin/app", CodeID: buildID}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(data); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for path, body := range map[string][]byte{
		"app/" + debugID + "/app":                              data,
		"app/" + debugID + "/app.gz":                           packed.Bytes(),
		"app/" + buildID + "/app":                              data,
		"app/" + strings.ToLower(buildID) + "/app":             data,
		"app/elf-buildid-" + strings.ToLower(buildID) + "/app": data,
		"buildid/" + strings.ToLower(buildID) + "/executable":  data,
	} {
		t.Run(path, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, path), body, 0o600); err != nil {
				t.Fatal(err)
			}
			served := httptest.NewServer(http.FileServer(http.Dir(dir)))
			defer served.Close()
			names := []string{dir, served.URL}
			if strings.HasSuffix(path, ".gz") {
				names = names[:1]
			}
			for _, name := range names {
				c := moduleCache(t, name)
				l := c.Get(context.Background(), key)
				if l.Outcome != symbolcache.Found || !l.File.Executable(codeOf(t, data)) {
					t.Errorf("%s: %s", name, l.Outcome)
				}
				l.Release()
			}
		})
	}
}

func codeOf(t *testing.T, data []byte) uint64 {
	t.Helper()
	file, err := symboldump.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	return file.Code()[0].RVA
}

func moduleCache(t *testing.T, name string) *symbolcache.Cache {
	t.Helper()
	s, err := symbolcache.NewSource(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := symbolcache.New(symbolcache.Options{Dir: t.TempDir(), Sources: []symbolcache.Source{s}, Modules: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestWhatIsNoModuleFile: neither a symbol file nor nothing nor half a file is one, and
// keys without ids ask for nothing.
func TestWhatIsNoModuleFile(t *testing.T) {
	data := ownFile(t)
	const debugID = "111111112222222233333333444444440"
	for name, body := range map[string][]byte{"text": []byte("MODULE Linux x86_64 1 app\n"), "nothing": nil, "half": data[:60], "zeros": make([]byte, 4096)} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "app", debugID), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "app", debugID, "app"), body, 0o600); err != nil {
			t.Fatal(err)
		}
		c := moduleCache(t, dir)
		if l := c.Get(context.Background(), symbolcache.Key{CodeFile: "app", DebugID: debugID}); l.Outcome != symbolcache.Malformed {
			t.Errorf("%s: %s", name, l.Outcome)
		}
		for _, key := range []symbolcache.Key{{}, {CodeFile: "app"}, {DebugID: debugID}, {CodeFile: "..", DebugID: debugID}, {CodeFile: "app", CodeID: "../x"}, {CodeFile: "app", DebugID: strings.Repeat("0", 33)}} {
			if l := c.Get(context.Background(), key); l.Outcome != symbolcache.Missing {
				t.Errorf("%+v: %s", key, l.Outcome)
			}
		}
	}
}

// TestModuleFilesOfSymbolCaches: both kinds share a directory, and one is not taken for
// the other.
func TestModuleFilesBesideSymbols(t *testing.T) {
	data := ownFile(t)
	const debugID = "111111112222222233333333444444440"
	root, cacheDir := t.TempDir(), t.TempDir()
	at := filepath.Join(root, "app", debugID)
	if err := os.MkdirAll(at, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"app": data, "app.sym": []byte("MODULE Linux x86_64 " + debugID + " app\nFUNC 10 10 0 f\n")} {
		if err := os.WriteFile(filepath.Join(at, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time from the directory
		for _, ofModules := range []bool{false, true} {
			c, err := symbolcache.New(symbolcache.Options{Dir: cacheDir, Sources: []symbolcache.Source{symbolcache.Dir(root)}, Modules: ofModules})
			if err != nil {
				t.Fatal(err)
			}
			l := c.Get(context.Background(), symbolcache.Key{DebugFile: "app", DebugID: debugID, CodeFile: "app"})
			if l.Outcome != symbolcache.Found || l.File.HasFunction(0x15) == ofModules || l.File.Executable(codeOf(t, data)) != ofModules {
				t.Errorf("modules %v: %s", ofModules, l.Outcome)
			}
			l.Release()
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestMetricsOfModuleFiles counts a load, and lookups that need none.
func TestMetricsOfModuleFiles(t *testing.T) {
	data := ownFile(t)
	const debugID = "111111112222222233333333444444440"
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "app", debugID), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "app", debugID, "app"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // what was written just before it was loaded is loaded again
	registry := prometheus.NewRegistry()
	symbolcache.NewMetrics(registry) // beside
	c, err := symbolcache.New(symbolcache.Options{
		Dir: t.TempDir(), Sources: []symbolcache.Source{symbolcache.Dir(root)}, Modules: true, Metrics: symbolcache.NewModuleMetrics(registry),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, key := range []symbolcache.Key{{CodeFile: "app", DebugID: debugID}, {CodeFile: "app", DebugID: debugID}, {CodeFile: "other", DebugID: debugID}} {
		l := c.Get(context.Background(), key)
		l.Release()
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			got[name] = m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"aftershock_modulecache_lookups_total found": 2, "aftershock_modulecache_lookups_total missing": 1,
		"aftershock_modulecache_compiles_total": 1, "aftershock_symbolcache_compiles_total": 0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if got["aftershock_modulecache_compiled_bytes_total"] == 0 {
		t.Error("nothing was compiled")
	}
}
