package stackwalk

import (
	"cmp"
	"math/bits"

	"aftershock/breakpad"
	"aftershock/minidump"
)

// Walk walks every thread of d, the crashing one first so that limits meet the
// others. symbols may be nil: no module has any then.
//
// It never fails: a dump without threads (see minidump.Dump.Walkable) gives a
// Result without threads. An Options.Version that does not exist counts as the
// newest; callers that take it from outside ask Options.Check.
func Walk(d *minidump.Dump, symbols SymbolSource, o Options) *Result {
	w := walker{
		dump: d, source: symbols,
		symbols: make([]Symbols, len(d.Modules)), code: make([]Code, len(d.Modules)), asked: make([]bool, len(d.Modules)),
		maxThreadFrames: orDefault(o.MaxFramesPerThread, DefaultMaxFramesPerThread),
		framesLeft:      orDefault(o.MaxFrames, DefaultMaxFrames),
		scanWordsLeft:   orDefault(o.MaxScanWords, DefaultMaxScanWords),
		inlinesLeft:     orDefault(o.MaxInlines, DefaultMaxInlines),
		unloadedLeft:    maxUnloadedChecks,
		improved:        o.Version != 1,
		weighs:          o.Version == 0 || o.Version >= 3,
		interrupted:     o.Interrupted,
		callee:          &activation{},
		caller:          &activation{},
	}
	r := &Result{Version: cmp.Or(min(o.Version, NewestVersion), NewestVersion), Threads: make([]Thread, len(d.Threads)), CrashingThread: d.CrashingThread()}
	if d.System != nil {
		w.os = d.System.OS
		w.cpu = cpuFor(d.System.CPU)
	}
	if w.improved {
		w.mappings = d.Mappings()
	}
	if w.cpu != nil {
		r.Arch = w.cpu.arch
		w.addressMask = arm64AddressMask(d, w.improved)
		if w.weighs {
			w.signalFrames = w.signalsOf()
		}
	}
	if r.CrashingThread >= 0 {
		r.Threads[r.CrashingThread] = w.thread(r.CrashingThread)
	}
	for i := range d.Threads {
		switch {
		case i == r.CrashingThread:
		case o.CrashingOnly && r.CrashingThread >= 0:
			t := &d.Threads[i]
			r.Threads[i] = Thread{Index: i, ID: t.ID, Name: t.Name, Named: t.Named, End: EndNotAsked}
		default:
			r.Threads[i] = w.thread(i)
		}
	}
	return r
}

func orDefault(n, standard int) int {
	if n <= 0 {
		return standard
	}
	return n
}

// walker walks the threads of one dump, one after another.
type walker struct {
	dump *minidump.Dump
	cpu  *cpu // nil if not supported
	os   minidump.OS
	// improved is false for version 1. mappings are empty then.
	improved bool
	// weighs is true from version 3 on: evidence for and against an address is
	// weighed.
	weighs   bool
	mappings minidump.Mappings

	source  SymbolSource
	symbols []Symbols // by module; meaningful where asked
	code    []Code    // likewise, from version 3 on
	asked   []bool

	interrupted func() bool // nil once it has answered true, or if nobody asks
	stopped     bool

	maxThreadFrames int
	framesLeft      int
	scanWordsLeft   int
	inlinesLeft     int
	unloadedLeft    int

	addressMask uint64             // of pointers without authentication bits
	scratch     breakpad.Registers // a callee's, changed for one evaluation
	probe       breakpad.Registers // what a frame leads to that may be none
	scanned     scanned            // what the last scan found
	outside     uint64             // where the walk has met code in no module; 0 for nowhere

	signalFrames []signalFrame // what the CPU's kernel leaves on stacks
	signals      int           // the thread's frames that one interrupted
	startup      startup       // of the stack that is walked
	left         []uint64      // where the stacks begin that the walk of the thread left

	mem            breakpad.Memory // the stack of the thread being walked
	frames         []Frame         // of that thread
	callee, caller *activation     // the last of them, and the one being looked for

	// What the frames of all threads alias.
	locations breakpad.Locations
	registers []uint64
	chunk     int // frames that memory was made for last
}

// thread walks one thread.
func (w *walker) thread(index int) Thread {
	t := &w.dump.Threads[index]
	out := Thread{Index: index, ID: t.ID, Name: t.Name, Named: t.Named}
	if w.dump.WroteDump(index) {
		out.End = EndDumpThread
		return out
	}
	context := t.Context
	if e := w.dump.Exception; e != nil && e.ThreadID == t.ID && e.Context != nil {
		context = e.Context
	}
	switch {
	case w.cpu == nil:
		out.End = EndUnsupportedCPU
		return out
	case context == nil:
		out.End = EndNoContext
		return out
	}
	w.frames = w.frames[len(w.frames):] // the rest of the memory
	w.signals, w.left, w.outside = 0, w.left[:0], 0
	out.End = w.walk(t, context)
	out.Frames = w.frames[:len(w.frames):len(w.frames)]
	w.framesLeft -= len(w.frames)
	return out
}

// activation is a frame with its registers where they can be worked with.
type activation struct {
	Frame
	registers breakpad.Registers
}

// walk fills w.frames and answers why it ended.
func (w *walker) walk(t *minidump.Thread, context *minidump.Context) End {
	if w.framesLeft <= 0 {
		return EndTotalFrameLimit
	}
	if w.stop() {
		return EndInterrupted
	}
	first := w.callee
	*first = activation{Frame: Frame{Trust: TrustContext}}
	if w.weighs {
		first.Probability = 1
	}
	for r := range context.CPU.RegisterNames() {
		if w.cpu.inContext>>r&1 != 0 {
			first.registers.Set(breakpad.Register(r), context.Registers[r])
		}
	}
	first.Resume, _ = first.registers.Get(w.cpu.pc)
	first.Instruction = first.Resume
	if !w.symbolicate(&first.Frame) {
		return EndInlineLimit
	}
	w.keep(first)
	if w.cpu.arch == breakpad.ArchUnknown {
		return EndUnsupportedCPU
	}
	sp, _ := first.registers.Get(w.cpu.sp)
	if !w.setStack(t, sp) {
		return EndNoStackMemory
	}
	if w.weighs {
		w.startup = startup{unknown: w.mayBeFirst(t)}
		w.meet(&first.Frame)
	}
	if w.improved && atBottom(&first.Frame, nil) {
		return EndStackBottom
	}
	for {
		if len(w.frames) >= w.maxThreadFrames {
			return EndThreadFrameLimit
		}
		if len(w.frames) >= w.framesLeft {
			return EndTotalFrameLimit
		}
		if len(w.frames)%framesUninterrupted == 0 && w.stop() {
			return EndInterrupted
		}
		w.caller.Frame = Frame{}
		if end := w.findCaller(w.callee, w.caller); end != "" {
			return end
		}
		w.keep(w.caller)
		w.meet(&w.caller.Frame)
		if w.improved && atBottom(&w.caller.Frame, &w.callee.Frame) {
			return EndStackBottom
		}
		w.callee, w.caller = w.caller, w.callee
	}
}

// framesUninterrupted is how often Options.Interrupted is asked: a frame takes a
// microsecond, or a millisecond with the longest of rules.
const framesUninterrupted = 64

func (w *walker) stop() bool {
	if w.interrupted != nil && w.interrupted() {
		w.stopped, w.interrupted = true, nil
	}
	return w.stopped
}

// How many frames and registers memory is made for at a time: more each time.
const (
	minFramesChunk, maxFramesChunk = 16, 256
	registersOfFrame               = 6 // that are known, typically
)

// keep appends a frame.
func (w *walker) keep(a *activation) {
	if len(w.frames) == cap(w.frames) {
		// Threads that were walked before keep the old memory.
		w.chunk = min(max(2*w.chunk, minFramesChunk), maxFramesChunk)
		w.frames = append(make([]Frame, 0, max(w.chunk, 2*len(w.frames))), w.frames...)
	}
	n := bits.OnesCount64(a.registers.Valid)
	if cap(w.registers)-len(w.registers) < n {
		w.registers = make([]uint64, 0, max(registersOfFrame*w.chunk, n))
	}
	start := len(w.registers)
	for left := a.registers.Valid; left != 0; left &= left - 1 {
		w.registers = append(w.registers, a.registers.Values[bits.TrailingZeros64(left)])
	}
	a.Registers = Registers{a.registers.Valid, w.registers[start:len(w.registers):len(w.registers)]}
	w.frames = append(w.frames, a.Frame)
}

// setStack chooses the memory that the walk reads: the thread's stack, or the
// region that holds the stack pointer if that is another one. It answers false
// if there is none.
func (w *walker) setStack(t *minidump.Thread, sp uint64) bool {
	const probe = 8 // bytes, on 32-bit CPUs as well
	region := t.Stack
	if len(region.Bytes) == 0 {
		region, _ = w.dump.Memory.Find(t.StackBase)
	}
	if !region.Contains(sp, probe) {
		if other, ok := w.dump.Memory.Find(sp); ok {
			region = other
		}
	}
	return w.setMemory(region)
}

// setMemory makes the walk read a region; it answers false if that is none.
func (w *walker) setMemory(region minidump.Region) bool {
	size := uint64(len(region.Bytes))
	if size == 0 || region.Base+size-1 < region.Base {
		return false
	}
	w.mem = breakpad.Memory{Base: region.Base, Bytes: region.Bytes, BigEndian: w.dump.Header.BigEndian}
	return true
}

// findCaller fills the caller of the last frame or answers why there is none.
// Version 1 takes what the first technique that finds something finds; when
// that turns out to be no good the walk ends (parity). Later versions go on to
// the next technique.
func (w *walker) findCaller(callee, caller *activation) End {
	if w.interruptedBy(callee, caller) {
		caller.Instruction, caller.Probability = caller.Resume, surely
		if !w.symbolicate(&caller.Frame) {
			return EndInlineLimit
		}
		return ""
	}
	var failed End
	for trust := TrustCFI; trust <= TrustScan; trust++ {
		if w.weighs && trust == TrustFramePointer && w.atTop(callee) {
			return EndStackBottom
		}
		if !w.find(trust, callee, &caller.registers) {
			continue
		}
		caller.Trust = trust
		end := w.check(callee, caller)
		if end == "" {
			caller.Instruction = caller.Resume - w.cpu.callBytes
			if w.weighs && w.madeUp(caller) {
				caller.Instruction = caller.Resume // the function that starts there
			}
			if !w.symbolicate(&caller.Frame) {
				return EndInlineLimit
			}
			caller.Instruction = caller.Resume - w.cpu.callBytes
			if w.weighs {
				caller.Probability = w.probability(callee, caller)
			}
			return ""
		}
		if !w.improved || end == EndStackBottom {
			return end
		}
		failed = cmp.Or(failed, end)
	}
	if w.scanWordsLeft <= 0 {
		return EndScanLimit
	}
	return cmp.Or(failed, EndNoCaller)
}

// find looks for the caller's registers with one technique.
func (w *walker) find(trust Trust, callee *activation, caller *breakpad.Registers) bool {
	switch trust {
	case TrustCFI:
		return w.cfi(callee, caller)
	case TrustFramePointer:
		if w.byLinkRegister(callee, caller) || w.bySystemCall(callee, caller) {
			return true
		}
		if w.isWild(callee) && w.onTop(callee, caller) {
			w.outside = 0
			return true
		}
		*caller = breakpad.Registers{}
		return w.cpu.framePointer(w, callee, caller)
	default:
		if w.weighs && w.pushesReturns() && callee.Trust == TrustContext && callee.Module < 0 && w.codeAt(callee.Resume) != isCode && w.onTop(callee, caller) {
			return true
		}
		*caller = breakpad.Registers{}
		return w.cpu.scan(w, callee, caller)
	}
}

// check sets where the caller goes on, and tells why it can be no caller.
func (w *walker) check(callee, caller *activation) End {
	ip := caller.registers.Values[w.cpu.pc]
	caller.Resume = ip
	// A return to the null page is how stacks are made to end.
	if ip < lowestInstruction {
		if w.improved && ip == 0 {
			return EndStackBottom
		}
		return EndBadInstruction
	}
	// Real callers have their frames above. This also makes walks finite, but
	// where spMayStay: there rules that lead in a circle are left to the limit.
	sp, calleeSP := caller.registers.Values[w.cpu.sp], callee.registers.Values[w.cpu.sp]
	if sp < calleeSP || sp == calleeSP && (w.cpu.spMayStay == nil || !w.cpu.spMayStay(callee, caller)) {
		return EndStackPointerBack
	}
	switch {
	case w.weighs:
		return w.contradicted(callee, caller)
	case w.improved:
		return w.plausible(caller)
	}
	return ""
}

// plausible is what version 2 asks of a caller besides: its frame ends in the
// stack, and its code is where code is.
func (w *walker) plausible(caller *activation) End {
	if sp := caller.registers.Values[w.cpu.sp]; sp-w.mem.Base > uint64(len(w.mem.Bytes)) {
		return EndStackPointerOutside
	}
	call := caller.Resume - 1
	if m, ok := w.mappings.At(call); ok {
		if !m.Execute {
			return EndNotExecutable
		}
	} else if _, ok := w.moduleAt(call); !ok && len(w.mappings) > 0 {
		return EndNotExecutable
	}
	return ""
}

// cfi unwinds with the STACK WIN or STACK CFI records at the callee's
// instruction: framedata before FPO, and STACK CFI when the record that there
// is fails.
func (w *walker) cfi(callee *activation, caller *breakpad.Registers) bool {
	if _, ok := callee.registers.Get(w.cpu.sp); !ok || callee.Module < 0 {
		return false
	}
	symbols := w.symbolsOf(callee.Module)
	if symbols == nil || symbols.Arch() != w.cpu.arch {
		return false
	}
	rva := callee.Instruction - w.dump.Modules[callee.Module].Base
	if w.cpu.arch == breakpad.X86 {
		record, ok := symbols.Win(rva, breakpad.WinFrameData)
		if !ok {
			record, ok = symbols.Win(rva, breakpad.WinFPO)
		}
		if ok {
			params, first := w.grandCalleeParameters()
			w.forward(callee, caller)
			if record.Eval(&callee.registers, caller, &w.mem, params, first) {
				return true
			}
		}
	}
	row, ok := symbols.CFI(rva)
	if !ok {
		return false
	}
	w.forward(callee, caller)
	registers := &callee.registers
	if w.cpu == &arm64 && callee.Trust == TrustFramePointer && !row.AtInit {
		// What a frame record holds as the callee's lr is the lr only before
		// the callee's first instruction; later it may be anything.
		w.scratch = callee.registers
		w.scratch.Clear(arm64LR)
		registers = &w.scratch
	}
	if !row.Rules.Eval(w.cpu.arch, registers, caller, &w.mem) {
		return false
	}
	if w.cpu.strip != nil {
		w.cpu.strip(w, caller)
	}
	return true
}

// forward gives the caller the registers that a call preserves.
func (w *walker) forward(callee *activation, caller *breakpad.Registers) {
	*caller = callee.registers
	caller.Valid &= w.cpu.calleeSaved
	if callee.Trust == TrustFramePointer {
		caller.Valid &^= w.cpu.notForwarded
	}
}

// grandCalleeParameters is the size of the parameters that the callee pushed
// for the function it called itself, which still lie on its stack. first is
// true when it called none.
func (w *walker) grandCalleeParameters() (size uint32, first bool) {
	if len(w.frames) < 2 {
		return 0, true
	}
	return w.frames[len(w.frames)-2].ParameterSize, false
}

// moduleAt is the module that covers an address. Version 1 knows of modules that
// overlap only the one that minidump-stackwalk finds.
func (w *walker) moduleAt(addr uint64) (int, bool) {
	if w.improved {
		return w.dump.ModuleOf(addr)
	}
	return w.dump.ModuleAt(addr)
}

// symbolsOf asks the source once a module.
func (w *walker) symbolsOf(module int) Symbols {
	if !w.asked[module] {
		w.asked[module] = true
		if w.source != nil {
			w.symbols[module] = w.source(module)
			if w.weighs {
				if j, ok := w.symbols[module].(joined); ok {
					w.code[module] = j.file
				}
			}
		}
	}
	return w.symbols[module]
}
