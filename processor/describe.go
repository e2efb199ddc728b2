package processor

import (
	"aftershock/minidump"
	"aftershock/schema"
	"aftershock/stackwalk"
	"aftershock/stackwalk/analysis"
	"aftershock/symbolcache"
)

// walkOptions are part of the process version.
var walkOptions = stackwalk.Options{Version: 3}

// describe copies what the dump says of the crash, the process and the machine.
func describe(d *minidump.Dump, symbols []symbolcache.Lookup, found *analysis.Analysis, out *schema.ProcessedCrash, n *notes) {
	if s := d.System; s != nil {
		out.System = schema.System{
			OS: s.OS.String(), OSVersion: n.text(osVersion(s)), CPUArch: s.CPU.String(), CPUInfo: n.text(s.CPUInfo), CPUCount: int32(s.CPUCount),
		}
	}
	out.Crash.Reason = n.text(d.CrashReason())
	if addr, ok := d.CrashAddress(); ok {
		out.Crash.Address = new(hexWord(d, addr))
	}
	out.Crash.BitFlipPercent = bitFlipPercent(found)
	if pid, ok := d.ProcessID(); ok {
		out.Crash.ProcessID = new(int64(pid))
	}
	if seconds, ok := d.Uptime(); ok {
		out.Crash.UptimeSeconds = new(int64(seconds))
	}
	if d.HasLinuxMaps() {
		out.MemoryMapCount = new(int64(len(d.LinuxMaps)))
	}
	if c := d.Crashpad; c != nil {
		for i, a := range c.Annotations {
			if i == maxCrashpadAnnotations {
				n.add(schema.StageEvent, schema.NoteCrashpadAnnotationsCut, schema.NoIndex)
				break
			}
			module := ""
			if a.Module >= 0 && a.Module < len(d.Modules) {
				module = moduleName(d, a.Module, symbols[a.Module].Outcome)
			}
			out.CrashpadAnnotations = append(out.CrashpadAnnotations, schema.CrashpadAnnotation{Module: n.text(module), Name: n.text(a.Name), Value: n.long(a.Value)})
		}
	}
	for i := range d.UnloadedModules {
		if i == maxModules {
			n.add(schema.StageEvent, schema.NoteModulesCapped, schema.NoIndex)
			break
		}
		m := &d.UnloadedModules[i]
		out.UnloadedModules = append(out.UnloadedModules, schema.UnloadedModule{
			Filename: n.text(fileName(m.CodeName())), Path: n.text(m.CodeFile), Base: hexWord(d, m.Base), Size: int64(m.Size), CodeID: n.text(m.CodeID),
		})
	}
}

// bitFlipPercent is the best of what speaks for a flipped bit, nil if nothing
// does.
func bitFlipPercent(a *analysis.Analysis) *int32 {
	if a == nil || len(a.BitFlips) == 0 {
		return nil
	}
	best := float32(0)
	for i := range a.BitFlips {
		best = max(best, a.BitFlips[i].Confidence)
	}
	return new(int32(best * 100))
}

// hexWord is an address with as many digits as a pointer of the dump has.
func hexWord(d *minidump.Dump, addr uint64) string {
	var text [18]byte
	return string(d.AppendAddress(text[:0], addr))
}

// modules copies the modules with the outcome of looking for their symbols.
func modules(d *minidump.Dump, symbols []symbolcache.Lookup, out *schema.ProcessedCrash, n *notes) {
	for i := range d.Modules {
		if i == maxModules {
			n.add(schema.StageEvent, schema.NoteModulesCapped, schema.NoIndex)
			break
		}
		m := &d.Modules[i]
		outcome := symbols[i].Outcome
		n.symbols(outcome, i)
		name := moduleName(d, i, outcome)
		id, ok := codeID(m.CodeID())
		if !ok {
			n.add(schema.StageEvent, schema.NoteCodeIDTooLong, i)
		}
		out.Modules = append(out.Modules, schema.Module{
			Filename: n.text(name), Path: n.text(m.CodeFile()), Base: hexWord(d, m.Base), Size: int64(m.Size), Version: n.text(m.Version()),
			CodeID: id, DebugFile: n.text(debugName(m.DebugFile(), name)), DebugID: n.text(m.DebugID()),
			Symbols: string(outcome), SymbolsSHA256: symbols[i].SHA256,
		})
	}
}

// symbols notes what became of looking for a module's symbols, unless they were found whole
// or nobody has them.
func (n *notes) symbols(outcome symbolcache.Outcome, module int) {
	switch {
	case outcome == symbolcache.FoundLossy:
		n.add(schema.StageSymbols, schema.NoteSymbolsLossy, module)
	case outcome == symbolcache.Malformed:
		n.add(schema.StageSymbols, schema.NoteSymbolsMalformed, module)
	case outcome.Transient():
		n.add(schema.StageSymbols, schema.NoteSymbolsTransient, module)
	}
}

// threads copies the walked threads.
func threads(d *minidump.Dump, walk *stackwalk.Result, symbols []symbolcache.Lookup, out *schema.ProcessedCrash, n *notes) {
	if walk.CrashingThread >= 0 {
		out.Crash.CrashingThread = new(int32(walk.CrashingThread))
	} else if len(walk.Threads) > 0 {
		n.add(schema.StageWalk, schema.NoteNoCrashingThread, schema.NoIndex)
	}
	for i := range walk.Threads {
		if i == maxThreads {
			n.add(schema.StageEvent, schema.NoteThreadsCapped, schema.NoIndex)
			break
		}
		w := &walk.Threads[i]
		t := schema.Thread{ThreadID: int64(w.ID), Name: n.text(w.Name), End: string(w.End), FrameCount: int32(len(w.Frames))}
		if code, ok := d.LastError(w.Index); ok {
			t.LastError = new(minidump.WindowsErrorText(code))
		}
		if limited(w.End) {
			n.add(schema.StageWalk, string(w.End), i)
		}
		keep := maxFrames
		if i == walk.CrashingThread {
			keep = maxCrashingFrames
		}
		if len(w.Frames) > keep {
			n.add(schema.StageWalk, schema.NoteFramesCapped, i)
		}
		for j := range w.Frames {
			if leftOut(j, len(w.Frames), keep) {
				continue
			}
			t.Frames = append(t.Frames, frame(d, symbols, out.Modules, &w.Frames[j], n))
		}
		out.Threads = append(out.Threads, t)
	}
}

// leftOut tells whether frame j of n is one of the middle, when only keep of
// them are kept: both ends of a stack overflow tell what it was.
func leftOut(j, n, keep int) bool { return n > keep && j >= (keep+1)/2 && j < n-keep/2 }

// limited tells whether a walk was cut by a limit of ours.
func limited(e stackwalk.End) bool {
	switch e {
	case stackwalk.EndThreadFrameLimit, stackwalk.EndTotalFrameLimit, stackwalk.EndScanLimit, stackwalk.EndInlineLimit:
		return true
	default:
		return false
	}
}

func frame(d *minidump.Dump, symbols []symbolcache.Lookup, modules []schema.Module, w *stackwalk.Frame, n *notes) schema.Frame {
	f := schema.Frame{Trust: w.Trust.String(), Offset: hexWord(d, w.Instruction), Probability: w.Probability}
	function(&f, w, n)
	if w.Module >= 0 {
		if w.Module < len(modules) {
			f.Module = modules[w.Module].Filename
		} else { // beyond what the event keeps
			f.Module = n.text(moduleName(d, w.Module, symbols[w.Module].Outcome))
		}
		f.ModuleOffset = hexWord(d, w.ModuleOffset(d))
	}
	if w.HasFunction {
		f.FunctionOffset = hexWord(d, w.FunctionOffset())
	}
	for _, hit := range w.Unloaded {
		if len(f.Unloaded) == maxUnloadedHits {
			break
		}
		name := n.text(fileName(d.UnloadedModules[hit.Module].CodeName()))
		offset := hexWord(d, hit.Offset)
		if k := len(f.Unloaded) - 1; k >= 0 && f.Unloaded[k].Module == name {
			f.Unloaded[k].Offsets = append(f.Unloaded[k].Offsets, offset)
			continue
		}
		f.Unloaded = append(f.Unloaded, schema.UnloadedHit{Module: name, Offsets: []string{offset}})
	}
	return f
}

// function copies what symbols know of a frame.
func function(f *schema.Frame, w *stackwalk.Frame, n *notes) {
	f.Function, f.File, f.Line = n.text(string(w.Function)), n.text(sourceFile(string(w.File))), int64(w.Line)
	f.Doubt = w.Doubt.String()
	for i := range w.Inlines {
		if i == maxInlines {
			n.add(schema.StageEvent, schema.NoteFramesCapped, schema.NoIndex)
			break
		}
		l := &w.Inlines[i]
		f.Inlines = append(f.Inlines, schema.Inline{Function: n.text(string(l.Function)), File: n.text(sourceFile(string(l.File))), Line: int64(l.Line)})
	}
}
