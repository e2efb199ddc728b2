// Package pingtest makes the stacks of crash pings out of minidumps, as clients do, for tests.
package pingtest

import (
	"encoding/json"
	"fmt"
	"path"

	"aftershock/minidump"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
)

// Spelling is one of the three in which clients write a stack.
type Spelling int

// The spellings.
const (
	Desktop Spelling = iota // Glean
	Android                 // Glean, in camel case
	Legacy                  // the telemetry ping before
)

// names of members, by spelling.
var names = [...]map[string]string{
	Desktop: {},
	Android: {
		"crash_type": "crashType", "crash_address": "crashAddress", "crash_thread": "crashThread", "main_module": "mainModule", "base_address": "baseAddress",
		"end_address": "endAddress", "code_id": "codeId", "debug_file": "debugFile", "debug_id": "debugId", "module_index": "moduleIndex",
	},
	Legacy: {"base_address": "base_addr", "end_address": "end_addr"},
}

// Stack is the JSON of the stack of the thread that crashed, walked with the symbols found.
func Stack(data []byte, find func(m *minidump.Module) symbolcache.Lookup, s Spelling) (string, error) {
	dump, err := minidump.Parse(data)
	if err != nil {
		return "", err
	}
	var found []symbolcache.Lookup
	defer func() {
		for i := range found {
			found[i].Release()
		}
	}()
	as := func(name string) string {
		if other := names[s][name]; other != "" {
			return other
		}
		return name
	}
	symbols := func(module int) stackwalk.Symbols {
		l := find(&dump.Modules[module])
		if l.File == nil {
			return nil // not a nil *symbolcache.File
		}
		found = append(found, l)
		return l.File
	}
	walk := stackwalk.Walk(dump, symbols, stackwalk.Options{Version: 3, CrashingOnly: true})
	if walk.CrashingThread < 0 {
		return "", fmt.Errorf("no thread crashed")
	}
	frames := []any{}
	for _, f := range walk.Threads[walk.CrashingThread].Frames {
		frame := map[string]any{"ip": hex(f.Resume), "trust": f.Trust.String()}
		if f.Module >= 0 {
			frame[as("module_index")] = f.Module
		}
		frames = append(frames, frame)
	}
	modules := []any{}
	for i := range dump.Modules {
		m := &dump.Modules[i]
		modules = append(modules, map[string]any{
			as("base_address"): hex(m.Base), as("end_address"): hex(m.End()), "filename": m.CodeFile(), as("code_id"): m.CodeID(),
			as("debug_file"): path.Base(m.DebugFile()), as("debug_id"): m.DebugID(), "version": m.Version(),
		})
	}
	out := map[string]any{"modules": modules, "threads": []any{map[string]any{"frames": frames}}, as("main_module"): 0}
	address, _ := dump.CrashAddress()
	if s == Legacy {
		out["status"] = "OK"
		out["crash_info"] = map[string]any{"type": dump.CrashReason(), "address": hex(address), "crashing_thread": 0}
	} else {
		out[as("crash_type")], out[as("crash_address")], out[as("crash_thread")] = dump.CrashReason(), hex(address), 0
	}
	text, err := json.Marshal(out)
	return string(text), err
}

func hex(addr uint64) string { return fmt.Sprintf("0x%x", addr) }
