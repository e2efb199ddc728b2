package truth

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"aftershock/breakpad"
	"aftershock/internal/callsite"
	"aftershock/minidump"
	"aftershock/symboldump"
)

// moduleFile is what a module's own file says, for walks in this process.
type moduleFile struct {
	*breakpad.File
	code    []symboldump.Segment
	returns map[uint64]bool
}

func (f *moduleFile) Executable(rva uint64) bool {
	for i := range f.code {
		if rva-f.code[i].RVA < f.code[i].Size {
			return true
		}
	}
	return false
}

func (f *moduleFile) Returns(rva uint64) bool { return f.returns[rva] }

// file is that of a module, nil if it is not at hand: below modules/ of the set, or
// on this machine if modules/debian.txt names it there.
func (w *Walker) file(m *minidump.Module) *moduleFile {
	name, id := m.CodeName(), m.DebugID()
	f, known := w.files[name+" "+id]
	if !known {
		if data := w.bytesOf(name, id); data != nil {
			f = readModule(data, id)
		}
		w.files[name+" "+id] = f
	}
	return f
}

func (w *Walker) bytesOf(name, id string) []byte {
	if packed, err := os.Open(filepath.Join(w.dir, "modules", name, id, name+".gz")); err == nil { //nolint:gosec // the caller's folder
		defer packed.Close() //nolint:errcheck // opened for reading
		if z, err := gzip.NewReader(packed); err == nil {
			if data, err := io.ReadAll(z); err == nil {
				return data
			}
		}
		return nil
	}
	data, err := os.ReadFile(w.installed()[name+" "+id])
	if err != nil {
		return nil
	}
	return data
}

// installed is where this machine may have modules, by name and debug id.
func (w *Walker) installed() map[string]string {
	if w.debian != nil {
		return w.debian
	}
	w.debian = map[string]string{}
	list, err := os.Open(filepath.Join(w.dir, "modules", "debian.txt"))
	if err != nil {
		return w.debian
	}
	defer list.Close() //nolint:errcheck // opened for reading
	for in := bufio.NewScanner(list); in.Scan(); {
		if fields := strings.Fields(in.Text()); len(fields) >= 3 {
			w.debian[fields[0]+" "+fields[1]] = fields[2]
		}
	}
	return w.debian
}

// MissingModules lists modules that should be installed on this machine and are not,
// or are other ones.
func (w *Walker) MissingModules() []string {
	var out []string
	for module, path := range w.installed() {
		_, id, _ := strings.Cut(module, " ")
		if data, err := os.ReadFile(path); err != nil || readModule(data, id) == nil {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

// readModule is nil for a file of another module.
func readModule(data []byte, id string) *moduleFile {
	file, err := symboldump.Open(data)
	if err != nil || file.Module().DebugID != id {
		return nil
	}
	var text bytes.Buffer
	if _, err := file.WriteSymbols(&text, nil, symboldump.Options{}); err != nil {
		return nil
	}
	symbols, err := breakpad.Parse(&text, breakpad.ParseOptions{})
	if err != nil {
		return nil
	}
	f := &moduleFile{File: symbols, code: file.Code(), returns: map[uint64]bool{}}
	for _, s := range f.code {
		callsite.Each(symbols.Arch(), s.Data, s.RVA, f.Executable, func(rva uint64) { f.returns[rva] = true })
	}
	return f
}
