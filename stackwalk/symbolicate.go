package stackwalk

import "aftershock/breakpad"

// symbolicate fills the frame's module, function, line and inlined calls. It
// answers false when the inlined calls exceed the limit.
func (w *walker) symbolicate(f *Frame) bool {
	module, ok := w.moduleAt(f.Instruction)
	if !ok {
		f.Module = -1
		f.Unloaded = w.unloadedAt(f.Instruction)
		return true
	}
	f.Module = module
	symbols := w.symbolsOf(module)
	if symbols == nil {
		return true
	}
	if !f.Symbolicate(symbols, w.dump.Modules[module].Base, &w.locations, &w.inlinesLeft) {
		return false
	}
	if !w.weighs {
		f.Doubt = NoDoubt
	}
	return true
}

// Symbolicate fills the frame's function, line and inlined calls with what the symbols of
// its module, which is loaded at base, know of Instruction. The frame aliases locations
// and the symbols. It answers false, and leaves the frame as it is, when the inlined calls
// are more than inlinesLeft, which it counts down.
func (f *Frame) Symbolicate(symbols Symbols, base uint64, locations *breakpad.Locations, inlinesLeft *int) bool {
	// Growing the list leaves what earlier frames point at in place.
	start := len(locations.List)
	symbols.AppendLocations(locations, f.Instruction-base)
	found := locations.List[start:len(locations.List):len(locations.List)]
	n := len(found)
	if n == 0 {
		return true
	}
	if *inlinesLeft -= n - 1; *inlinesLeft < 0 {
		return false
	}
	l := &found[n-1]
	f.HasFunction = true
	f.Function, f.FunctionBase = l.Function, base+l.FunctionRVA
	f.File, f.HasFile, f.Line = l.File, l.HasFile, l.Line
	if l.HasFile {
		f.LineBase = base + l.LineRVA
	}
	f.ParameterSize = l.ParameterSize
	if l.Public {
		f.Doubt = doubtOf(symbols, l.FunctionRVA, f.Instruction-base)
	}
	if n > 1 {
		f.Inlines = found[: n-1 : n-1]
	} else {
		locations.List = locations.List[:start] // copied
	}
	return true
}

// unloadedAt lists the unloaded modules that cover addr; they may overlap.
func (w *walker) unloadedAt(addr uint64) []UnloadedHit {
	var hits []UnloadedHit
	for i := range w.dump.UnloadedModules {
		if w.unloadedLeft--; w.unloadedLeft < 0 || len(hits) == maxUnloadedHits {
			break
		}
		m := &w.dump.UnloadedModules[i]
		if addr >= m.Base && addr-m.Base < m.Size {
			hits = append(hits, UnloadedHit{Module: i, Offset: addr - m.Base})
		}
	}
	return hits
}
