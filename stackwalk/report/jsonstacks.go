package report

import (
	"cmp"
	"slices"
	"strings"

	"aftershock/breakpad"
	"aftershock/minidump"
	"aftershock/stackwalk"
)

// thread writes a thread. As the crashing one it has its index, and registers
// in its first frame.
func (d *document) thread(i int, crashing bool) {
	t := &d.Walk.Threads[i]
	d.open('{')
	d.key("frame_count")
	d.int(len(t.Frames))
	d.key("frames")
	d.open('[')
	for n := range t.Frames {
		d.element()
		d.frame(n, &t.Frames[n], crashing && n == 0)
	}
	d.close(']')
	d.key("last_error_value")
	if code, ok := d.Dump.LastError(t.Index); ok {
		d.optional(minidump.WindowsErrorText(code))
	} else {
		d.null()
	}
	d.key("thread_id")
	d.uint(uint64(t.ID))
	if d.key("thread_name"); t.Named {
		d.text(t.Name)
	} else {
		d.null()
	}
	if crashing {
		d.key("threads_index")
		d.int(i)
	}
	d.close('}')
}

func (d *document) frame(n int, f *stackwalk.Frame, withRegisters bool) {
	d.open('{')
	if f.Doubt != stackwalk.NoDoubt { // ours, as of version 3
		d.key("doubt")
		d.open('[')
		d.element()
		d.text(f.Doubt.String())
		d.close(']')
	}
	if d.key("file"); f.HasFile {
		d.bytes(f.File)
	} else {
		d.null()
	}
	d.key("frame")
	d.int(n)
	if d.key("function"); f.HasFunction {
		d.bytes(f.Function)
	} else {
		d.null()
	}
	if d.key("function_offset"); f.HasFunction {
		d.address(f.FunctionOffset())
	} else {
		d.null()
	}
	d.key("inlines")
	d.inlines(f.Inlines)
	if d.key("line"); f.HasFile {
		d.uint(uint64(f.Line))
	} else {
		d.null()
	}
	d.key("missing_symbols")
	d.bool(!f.HasFunction)
	if d.key("module"); f.Module >= 0 {
		d.text(d.moduleName(f.Module))
	} else {
		d.null()
	}
	if d.key("module_offset"); f.Module >= 0 {
		d.address(f.ModuleOffset(d.Dump))
	} else {
		d.null()
	}
	d.key("offset")
	d.address(f.Instruction)
	if f.Probability > 0 { // likewise
		d.key("probability")
		d.float(f.Probability)
	}
	if withRegisters {
		d.registers(f)
	}
	d.key("trust")
	d.text(f.Trust.String())
	d.key("unloaded_modules")
	d.unloaded(f)
	d.close('}')
}

// inlines writes null for a frame without.
func (d *document) inlines(list []breakpad.Location) {
	if len(list) == 0 {
		d.null()
		return
	}
	d.open('[')
	for i := range list {
		l := &list[i]
		d.element()
		d.open('{')
		if d.key("file"); l.HasFile {
			d.bytes(l.File)
		} else {
			d.null()
		}
		d.key("function")
		d.bytes(l.Function)
		if d.key("line"); l.HasLine {
			d.uint(uint64(l.Line))
		} else {
			d.null()
		}
		d.close('}')
	}
	d.close(']')
}

// registers are those of a frame by name; without amd64's flags, as in the
// reference. There is none without a known CPU.
func (d *document) registers(f *stackwalk.Frame) {
	if d.Dump.System == nil || f.Registers.Valid == 0 {
		return
	}
	cpu := d.Dump.System.CPU
	names := cpu.RegisterNames()
	byName := make([]int, len(names))
	for i := range byName {
		byName[i] = i
	}
	slices.SortFunc(byName, func(a, b int) int { return strings.Compare(names[a], names[b]) })
	d.key("registers")
	d.open('{')
	for _, i := range byName {
		if v, ok := f.Registers.Get(breakpad.Register(i)); ok {
			d.key(names[i])
			d.hex(v, 2*cpu.RegisterBytes())
		}
	}
	d.close('}')
}

// unloaded groups a frame's unloaded modules by name, both names and offsets
// sorted and each once; null without any.
func (d *document) unloaded(f *stackwalk.Frame) {
	if len(f.Unloaded) == 0 {
		d.null()
		return
	}
	hits := slices.Clone(f.Unloaded)
	name := func(h stackwalk.UnloadedHit) string { return d.Dump.UnloadedModules[h.Module].CodeFile }
	slices.SortFunc(hits, func(a, b stackwalk.UnloadedHit) int {
		return cmp.Or(strings.Compare(name(a), name(b)), cmp.Compare(a.Offset, b.Offset))
	})
	d.open('[')
	for i := 0; i < len(hits); {
		module := name(hits[i])
		d.element()
		d.open('{')
		d.key("module")
		d.text(module)
		d.key("offsets")
		d.open('[')
		for first := i; i < len(hits) && name(hits[i]) == module; i++ {
			if i == first || hits[i].Offset != hits[i-1].Offset {
				d.element()
				d.address(hits[i].Offset)
			}
		}
		d.close(']')
		d.close('}')
	}
	d.close(']')
}
