package truth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/stackwalk"
)

// Walker walks a set's dumps in this process. It is for one goroutine.
type Walker struct {
	dir     string
	version int
	// Modules has the modules' own files at hand as well.
	Modules bool
	parsed  map[string]*breakpad.File // by path; nil where there is none
	files   map[string]*moduleFile    // likewise
	debian  map[string]string         // where this machine has a module, by name and debug id
}

// NewWalker walks the dumps of the set in a folder with a walker version.
func NewWalker(dir string, version int) *Walker {
	return &Walker{dir: dir, version: version, parsed: map[string]*breakpad.File{}, files: map[string]*moduleFile{}}
}

// Walk answers the callers that the walker finds, by thread id.
func (w *Walker) Walk(condition string, c *Case) (map[uint32][]Reported, error) {
	data, err := os.ReadFile(filepath.Join(w.dir, "dumps", c.Dump))
	if err != nil {
		return nil, err
	}
	d, err := minidump.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dump, err)
	}
	result := stackwalk.Walk(d, func(module int) stackwalk.Symbols {
		var symbols stackwalk.Symbols
		if f := w.symbols(condition, &d.Modules[module]); f != nil {
			symbols = f
		}
		if w.Modules {
			if f := w.file(&d.Modules[module]); f != nil {
				return stackwalk.Join(symbols, f)
			}
		}
		return symbols
	}, stackwalk.Options{Version: w.version})
	out := map[uint32][]Reported{}
	for i := range result.Threads {
		t := &result.Threads[i]
		if len(t.Frames) == 0 {
			continue
		}
		frames := []Reported{}
		for j := range t.Frames[1:] {
			f := &t.Frames[1+j]
			r := Reported{At: f.Instruction, Trust: f.Trust.String(), Probability: f.Probability}
			if f.Module >= 0 {
				r.Module, r.At = d.Modules[f.Module].CodeName(), f.ModuleOffset(d)
			}
			if sp, ok := f.Registers.Get(result.Arch.SP()); ok {
				if below, ok := t.Frames[j].Registers.Get(result.Arch.SP()); ok && below < sp {
					r.Gap = sp - below
				}
			}
			if f.HasFunction {
				r.Function, r.FunctionOffset, r.HasOffset = string(f.Function), f.FunctionOffset(), true
				r.Doubt = f.Doubt != stackwalk.NoDoubt
			}
			frames = append(frames, r)
		}
		out[t.ID] = frames
	}
	return out, nil
}

// symbols are those of a module in a condition, nil if there are none.
func (w *Walker) symbols(condition string, m *minidump.Module) *breakpad.File {
	if m.DebugID() == "" || m.DebugFile() == "" {
		return nil
	}
	path := filepath.Join(Folder(filepath.Join(w.dir, "symbols", condition), m.DebugName()), m.DebugID(), m.DebugName()+".sym")
	f, known := w.parsed[path]
	if !known {
		if in, err := os.Open(path); err == nil {
			f, _ = breakpad.Parse(in, breakpad.ParseOptions{})
			_ = in.Close()
		} else if !errors.Is(err, fs.ErrNotExist) {
			f = nil
		}
		w.parsed[path] = f
	}
	return f
}

// Folder is that of a module in a folder of symbols. Where a set was copied
// without its symbolic links, a file stands there that names the folder.
func Folder(dir, name string) string {
	path := filepath.Join(dir, name)
	//nolint:gosec // the caller's folder
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		if target, err := os.ReadFile(path); err == nil { //nolint:gosec // the caller's folder
			return filepath.Join(dir, strings.TrimSpace(string(target)))
		}
	}
	return path
}
