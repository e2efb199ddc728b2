package processor

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/processor/pingstack"
	"aftershock/schema"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
)

// A crash ping has been walked on the client: there is no memory, and no names. What is
// left to do is to look for the symbols of the modules in its stacks, and to believe
// nothing that is shown.

// annotationOS is where the client of a ping says its system.
const annotationOS = "os"

// pingSystems are the systems in the words of pings.
var pingSystems = map[string]minidump.OS{
	"Windows": minidump.Windows, "Mac": minidump.MacOS, "Darwin": minidump.MacOS, "iOS": minidump.IOS, "Linux": minidump.Linux, "Android": minidump.Android,
}

// Statuses of a ping's stack beside schema.DumpOK.
const (
	statusNoStack        = "NoStack"
	statusMalformedStack = "MalformedStack"
)

// endOfClient is the end of a stack that the client has walked.
const endOfClient = "walked_by_client"

// pingStacks names the frames of a ping's stack. Without a readable one it says why in
// DumpStatus.
func (p *Processor) pingStacks(ctx context.Context, in Input, out *schema.ProcessedCrash, n *notes) {
	if os, ok := pingSystems[in.Raw.Annotations[annotationOS]]; ok {
		out.System.OS = os.String()
	}
	if len(in.Dump) == 0 {
		out.DumpStatus = statusNoStack
		n.add(schema.StageDump, schema.NoteDumpMissing, schema.NoIndex)
		return
	}
	stack, err := pingStackOf(in.Dump)
	if err != nil {
		out.DumpStatus = statusMalformedStack
		n.add(schema.StageDump, schema.NoteStackMalformed, schema.NoIndex)
	} else if len(stack.Threads) == 0 {
		out.DumpStatus = statusNoStack
	}
	if stack == nil {
		return
	}
	w := newPingWalk(ctx, stack, p.Symbols)
	defer w.release()
	w.ask()
	w.describe(out, n)
	w.modules(out, n)
	w.threads(out, n)
}

var errPingStackTooLarge = errors.New("the stack is larger than stacks are")

// pingStackOf reads a stack, nil when it is larger than stacks are.
func pingStackOf(text []byte) (*pingstack.Stack, error) {
	if len(text) > pingstack.MaxBytes {
		return nil, errPingStackTooLarge
	}
	return pingstack.Parse(string(text))
}

// pingWalk is a ping's stack with the symbols of its modules.
type pingWalk struct {
	*asking
	*pingstack.Stack
	narrow      bool // addresses have 32 bits
	locations   breakpad.Locations
	inlinesLeft int
}

func newPingWalk(ctx context.Context, stack *pingstack.Stack, symbols Symbols) *pingWalk {
	w := &pingWalk{Stack: stack, narrow: true, inlinesLeft: stackwalk.DefaultMaxInlines}
	w.asking = newAsking(ctx, symbols, len(stack.Modules), walkOptions.Version, func(i int) symbolcache.Key {
		m := &stack.Modules[i]
		return symbolcache.Key{DebugFile: m.DebugFile, DebugID: m.DebugID, CodeFile: m.File, CodeID: m.CodeID}
	})
	for i := range stack.Modules {
		w.narrow = w.narrow && stack.Modules[i].Base>>32 == 0 && stack.Modules[i].End>>32 == 0
	}
	for i := range stack.Threads {
		for _, f := range stack.Threads[i].Frames {
			w.narrow = w.narrow && f.IP>>32 == 0
		}
	}
	return w
}

// ask looks for the symbols of all modules in the stacks at once.
func (w *pingWalk) ask() {
	thread := func(i int) {
		frames := w.Threads[i].Frames
		for j := range frames {
			if m, ok := w.moduleOf(j, &frames[j]); ok && !w.used[m] {
				w.module(m, false)
			}
		}
	}
	if w.CrashingThread >= 0 && w.CrashingThread < len(w.Threads) {
		thread(w.CrashingThread) // first: there may be more modules than are asked for
	}
	for i := range w.Threads {
		thread(i)
	}
	if len(w.wanted) > 0 {
		w.asking.ask()
	}
}

// lookupAddress is the address that symbols know frame j by: a return address is one
// behind its call, and what is behind a call may be another line or function.
func lookupAddress(j int, f *pingstack.Frame) uint64 {
	if f.Trust == stackwalk.TrustContext.String() || f.Trust == "" && j == 0 {
		return f.IP
	}
	return f.IP - 1
}

// moduleOf is the module that frame j lies in: the one that the client names, if it can be.
func (w *pingWalk) moduleOf(j int, f *pingstack.Frame) (int, bool) {
	if !f.HasIP || f.Module < 0 || f.Module >= len(w.Modules) {
		return 0, false
	}
	m := &w.Modules[f.Module]
	at := lookupAddress(j, f)
	return f.Module, m.HasBase && m.Base != 0 && f.IP != 0 && at >= m.Base && at-m.Base < m.Size()
}

// word is an address with as many digits as a pointer of the process has.
func (w *pingWalk) word(addr uint64) string {
	digits := 16
	if w.narrow {
		digits = 8
	}
	text := strconv.FormatUint(addr, 16)
	return "0x" + strings.Repeat("0", max(0, digits-len(text))) + text
}

// describe copies what the ping says of the crash.
func (w *pingWalk) describe(out *schema.ProcessedCrash, n *notes) {
	if out.Crash.Reason = n.text(minidump.KnownReason(w.Type)); out.Crash.Reason == "" && w.Type != "" {
		n.add(schema.StageDump, schema.NoteReasonUnknown, schema.NoIndex)
	}
	if w.HasAddress {
		out.Crash.Address = new(w.word(w.Address))
	}
	switch {
	case w.CrashingThread >= 0 && w.CrashingThread < len(w.Threads):
		out.Crash.CrashingThread = new(int32(w.CrashingThread))
	case len(w.Threads) > 0:
		n.add(schema.StageWalk, schema.NoteNoCrashingThread, schema.NoIndex)
	}
	if w.Cut {
		n.add(schema.StageDump, schema.NoteStackCut, schema.NoIndex)
	}
}

// What clients give as a version or as the id of a build can be anything: numbers are
// shown, debug ids in Breakpad's form, and code ids.
func isVersion(text string) bool {
	numbers := 0
	for number := range strings.SplitSeq(text, ".") {
		if numbers++; number == "" || len(number) > 10 || strings.Trim(number, "0123456789") != "" {
			return false
		}
	}
	return numbers <= 4
}

func isDebugID(text string) bool { return len(text) >= 33 && len(text) <= 48 && isHex(text) }

func isCodeID(text string) bool { return len(text) <= 2*maxCodeID && isHex(text) }

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdefABCDEF") == "" }

// pingProgram is a program's name as far as a ping is believed, in which no mapping says that
// the file is one: a word.
var pingProgram = regexp.MustCompile(`^[\pL\pN_][\pL\pN_.+-]*$`)

// modules copies the modules with the outcome of looking for their symbols.
func (w *pingWalk) modules(out *schema.ProcessedCrash, n *notes) {
	symbols := w.outcomes()
	for i := range w.Modules {
		m := &w.Modules[i]
		n.symbols(symbols[i].Outcome, i)
		bad := !m.HasBase || m.Base == 0 || !m.HasEnd || m.End <= m.Base || m.End-m.Base > pingstack.MaxModuleBytes
		shaped := func(text string, shape func(string) bool) string {
			if text != "" && !shape(text) {
				bad = true
				return ""
			}
			return text
		}
		name := codeName(m.File, m.DebugFile, symbols[i].Outcome, func() bool { return i == w.MainModule && pingProgram.MatchString(minidump.BaseName(m.File)) })
		to := schema.Module{
			Filename: n.text(name), Path: n.text(m.File), Base: w.word(m.Base), Version: shaped(m.Version, isVersion),
			CodeID: shaped(m.CodeID, isCodeID), DebugFile: n.text(debugName(m.DebugFile, name)), DebugID: shaped(m.DebugID, isDebugID),
			Symbols: string(symbols[i].Outcome), SymbolsSHA256: symbols[i].SHA256,
		}
		if bad {
			n.add(schema.StageDump, schema.NoteModuleMalformed, i)
		} else {
			to.Size = int64(m.End - m.Base)
		}
		out.Modules = append(out.Modules, to)
	}
}

// threads names the frames of the threads.
func (w *pingWalk) threads(out *schema.ProcessedCrash, n *notes) {
	for i := range w.Threads {
		from := &w.Threads[i]
		t := schema.Thread{End: endOfClient, FrameCount: int32(len(from.Frames) + from.Omitted)}
		keep := maxFrames
		if i == w.CrashingThread {
			keep = maxCrashingFrames
		}
		if from.Omitted > 0 || len(from.Frames) > keep {
			n.add(schema.StageWalk, schema.NoteFramesCapped, i)
		}
		for j := range from.Frames {
			switch {
			case !from.Frames[j].HasIP:
				n.once(schema.StageDump, schema.NoteFrameMalformed)
			case !leftOut(j, len(from.Frames), keep):
				t.Frames = append(t.Frames, w.frame(j, &from.Frames[j], out, n))
			}
		}
		out.Threads = append(out.Threads, t)
	}
}

// pingTrusts are the values of trust that a frame can have.
var pingTrusts = map[string]bool{
	"context": true, "cfi": true, "cfi_scan": true, "frame_pointer": true, "scan": true, "prewalked": true, "inline": true, "none": true, "non": true,
}

// frame names frame j of a thread.
func (w *pingWalk) frame(j int, from *pingstack.Frame, out *schema.ProcessedCrash, n *notes) schema.Frame {
	f := schema.Frame{Trust: stackwalk.TrustNone.String(), Offset: w.word(from.IP)}
	if pingTrusts[from.Trust] {
		f.Trust = from.Trust
	}
	module, ok := w.moduleOf(j, from)
	if !ok {
		if from.Module >= 0 {
			n.once(schema.StageDump, schema.NoteFrameMalformed)
		}
		return f
	}
	base := w.Modules[module].Base
	f.Module, f.ModuleOffset = out.Modules[module].Filename, w.word(from.IP-base)
	file := w.lookups[module].File
	if file == nil {
		return f
	}
	named := stackwalk.Frame{Instruction: lookupAddress(j, from)}
	if !named.Symbolicate(file, base, &w.locations, &w.inlinesLeft) {
		n.once(schema.StageWalk, string(stackwalk.EndInlineLimit))
		return f
	}
	function(&f, &named, n)
	if named.HasFunction {
		f.FunctionOffset = w.word(from.IP - named.FunctionBase)
	}
	return f
}
