package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/stackwalk"
	"aftershock/stackwalk/analysis"
)

// Human writes the report that a person debugging the crash wants to read:
// what crashed, the crashing thread, the other threads, the modules.
//
// A frame is "#n module!function file:line [trust]"; inlined calls stand above
// the frame they are part of, without a number. Offsets are given where there
// is no line. From version 3 of the walk on a frame that is not sure has the
// probability of being true behind its trust, and a name that may be wrong a ~ before
// it. Control characters in names are printed as '?', because a dump
// comes from a stranger and the report goes to a terminal.
func Human(w io.Writer, in Input) error {
	out := bufio.NewWriter(w)
	h := humanWriter{Input: in, Writer: out}
	h.summary()
	if i := in.Walk.CrashingThread; i >= 0 {
		h.thread(i)
	}
	for i := range in.Walk.Threads {
		if i != in.Walk.CrashingThread && in.Walk.Threads[i].End != stackwalk.EndNotAsked {
			h.thread(i)
		}
	}
	h.modules()
	h.unloadedModules()
	if err := out.Flush(); err != nil {
		return fmt.Errorf("walk report: %w", err)
	}
	return nil
}

// humanWriter prints; the buffered writer keeps the first error for Flush.
type humanWriter struct {
	Input
	*bufio.Writer
}

func (h *humanWriter) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(h.Writer, format, args...) // Flush tells
}

func (h *humanWriter) hex(v uint64) string { return string(h.Dump.AppendAddress(nil, v)) }

// summary prints a line for each thing that is known of the process.
func (h *humanWriter) summary() {
	d := h.Dump
	if addr, ok := d.CrashAddress(); ok {
		h.printf("Crash    %s\n", d.CrashReason())
		h.printf("Address  %s\n", h.hex(addr))
		h.analysis()
	} else {
		h.printf("Crash    none: the process was running\n")
	}
	if s := d.System; s != nil {
		h.printf("OS       %s\n", clean(strings.TrimSpace(s.OS.String()+" "+s.OSVersion())))
		cpu := s.CPU.String()
		if s.CPUInfo != "" {
			cpu += ", " + s.CPUInfo
		}
		if s.CPUCount > 1 {
			cpu += fmt.Sprintf(", %d cores", s.CPUCount)
		}
		h.printf("CPU      %s\n", clean(cpu))
	}
	pid, hasPID := d.ProcessID()
	seconds, hasUptime := d.Uptime()
	switch {
	case hasPID && hasUptime:
		h.printf("Process  %d, up %s\n", pid, duration(seconds))
	case hasPID:
		h.printf("Process  %d\n", pid)
	case hasUptime:
		h.printf("Process  up %s\n", duration(seconds))
	}
}

// analysis prints what the crashing instruction tells.
func (h *humanWriter) analysis() {
	a := h.Input.analysis()
	if a == nil {
		return
	}
	if adjusted := a.Adjusted; adjusted != nil && adjusted.Kind == analysis.NullPointer {
		h.printf("Likely   null pointer + %#x\n", adjusted.Address)
	} else if adjusted != nil {
		h.printf("Likely   %s, no canonical address\n", h.hex(adjusted.Address))
	}
	if a.Instruction != "" {
		h.printf("Code     %s\n", a.Instruction)
	}
	for i := range a.Accesses {
		access := &a.Accesses[i]
		text := cmp.Or(access.Type.String(), "access")
		if access.Size > 0 {
			text += fmt.Sprintf(" of %d bytes", access.Size)
		}
		text += " at " + h.hex(access.Address)
		if access.GuardPage {
			text += ", likely a guard page"
		}
		h.printf("Access   %s\n", text)
	}
	for i := range a.BitFlips {
		b := &a.BitFlips[i]
		text := ""
		if b.Register != "" {
			text = " in " + b.Register
		}
		h.printf("Bit flip %s%s, %.0f %%\n", h.hex(b.Address), text, 100*b.Confidence)
	}
	for _, i := range a.Inconsistencies {
		h.printf("Odd      %s\n", strings.ReplaceAll(string(i), "_", " "))
	}
}

// duration is seconds in the two largest units that matter.
func duration(seconds uint32) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%d min %d s", seconds/60, seconds%60)
	case seconds < 24*3600:
		return fmt.Sprintf("%d h %d min", seconds/3600, seconds/60%60)
	}
	return fmt.Sprintf("%d d %d h", seconds/86400, seconds/3600%24)
}

func (h *humanWriter) thread(i int) {
	t := &h.Walk.Threads[i]
	h.printf("\nThread %d", i)
	if t.Name != "" {
		h.printf(" %s", clean(t.Name))
	}
	h.printf(" (id %d)", t.ID)
	switch {
	case i != h.Walk.CrashingThread:
	case h.Dump.Exception == nil:
		h.printf(" asked for the dump")
	default:
		h.printf(" crashed")
	}
	h.printf("\n")
	number := len(fmt.Sprint(max(len(t.Frames)-1, 0))) + 1
	for n := range t.Frames {
		f := &t.Frames[n]
		on, off := h.grey(f)
		for k := range f.Inlines {
			h.printf("  %s%*s  %s [inlined]%s\n", on, number, "", h.location(f, &f.Inlines[k]), off)
		}
		h.printf("  %s%-*s  %s [%s]%s\n", on, number, fmt.Sprintf("#%d", n), h.frame(f), trust(f), off)
	}
	if text := endText(t.End); text != "" {
		h.printf("  %s\n", text)
	}
}

// sureFrom is the probability from which a frame is not said to be unsure, and
// greyBelow that below which it is greyed: every other frame of scans is.
const (
	sureFrom  = 0.95
	greyBelow = 0.75
)

func trust(f *stackwalk.Frame) string {
	if f.Probability == 0 || f.Probability >= sureFrom {
		return f.Trust.String()
	}
	return fmt.Sprintf("%s, %.0f %% true", f.Trust, 100*f.Probability)
}

// grey is what turns the colour of a frame on and off.
func (h *humanWriter) grey(f *stackwalk.Frame) (on, off string) {
	if !h.Grey || f.Probability == 0 || f.Probability >= greyBelow {
		return "", ""
	}
	return "\x1b[90m", "\x1b[0m"
}

// endText explains ends that a reader should know of; most stacks just end.
func endText(end stackwalk.End) string {
	switch end {
	case stackwalk.EndDumpThread:
		return "not walked: this thread wrote the dump"
	case stackwalk.EndNoContext:
		return "not walked: the dump has no registers of it"
	case stackwalk.EndUnsupportedCPU:
		return "not walked: stacks of this CPU are not supported"
	case stackwalk.EndNoStackMemory:
		return "the dump does not hold the stack"
	case stackwalk.EndThreadFrameLimit, stackwalk.EndTotalFrameLimit, stackwalk.EndScanLimit, stackwalk.EndInlineLimit:
		return "cut: " + string(end)
	default:
		return ""
	}
}

// frame is "module!function file:line" with what is known.
func (h *humanWriter) frame(f *stackwalk.Frame) string {
	if f.Module < 0 {
		text := h.hex(f.Instruction)
		for i, hit := range f.Unloaded {
			text += fmt.Sprintf("%s%s + %#x", [...]string{" in unloaded ", " or "}[min(i, 1)],
				clean(h.Dump.UnloadedModules[hit.Module].CodeName()), hit.Offset)
		}
		return text
	}
	if !f.HasFunction {
		return fmt.Sprintf("%s + %#x", clean(h.Dump.Modules[f.Module].CodeName()), f.ModuleOffset(h.Dump))
	}
	l := breakpad.Location{Function: f.Function, File: f.File, Line: f.Line}
	text := h.location(f, &l)
	if len(f.File) == 0 {
		text += fmt.Sprintf(" + %#x", f.FunctionOffset())
	}
	return text
}

func (h *humanWriter) location(f *stackwalk.Frame, l *breakpad.Location) string {
	text := clean(h.Dump.Modules[f.Module].CodeName()) + "!"
	if f.Doubt != stackwalk.NoDoubt {
		text += "~"
	}
	text += clean(string(l.Function))
	if len(l.File) > 0 {
		text += fmt.Sprintf(" %s:%d", clean(string(l.File)), l.Line)
	}
	return text
}

// modules lists them by address with the state of their symbols.
func (h *humanWriter) modules() {
	type row struct {
		m       *minidump.Module
		symbols string
	}
	rows := make([]row, 0, len(h.Dump.Modules))
	names := 0
	for i := range h.Dump.Modules {
		m := &h.Dump.Modules[i]
		names = max(names, len(clean(m.CodeName())))
		rows = append(rows, row{m, h.symbols(i).Status.String()})
	}
	if len(rows) == 0 {
		return
	}
	names = min(names, maxNameColumn)
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.m.Base, b.m.Base) })
	h.printf("\nModules\n")
	for _, r := range rows {
		line := fmt.Sprintf("  %s-%s  %-*s  %-7s  %-33s  %s", h.hex(r.m.Base), h.hex(r.m.End()-1), names, clean(r.m.CodeName()),
			r.symbols, cmp.Or(r.m.DebugID(), "-"), clean(r.m.Version()))
		h.printf("%s\n", strings.TrimRight(line, " "))
	}
}

// maxNameColumn keeps one long name from moving the columns out of sight.
const maxNameColumn = 40

func (h *humanWriter) unloadedModules() {
	if len(h.Dump.UnloadedModules) == 0 {
		return
	}
	h.printf("\nUnloaded modules\n")
	for i := range h.Dump.UnloadedModules {
		m := &h.Dump.UnloadedModules[i]
		h.printf("  %s-%s  %s\n", h.hex(m.Base), h.hex(m.End()-1), clean(m.CodeName()))
	}
}

// clean makes a text from a dump or symbol file safe to print on a line of a
// terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
