package signature

import (
	"path"
	"strconv"
	"strings"
)

// maxFrames is how many frames, inlined ones included, a signature looks at.
const maxFrames = 40

// windows is the OS on which module names know no case.
const windows = "Windows NT"

// rustPanics qualifies functions of Rust's runtime that symbols of its release
// 1.34 name without their crate.
var rustPanics = map[[2]string]string{
	{"src/liballoc/raw_vec.rs", "capacity_overflow"}:       "alloc::raw_vec::capacity_overflow",
	{"src/libcore/option.rs", "expect_failed"}:             "core::option::expect_failed",
	{"src/libcore/panicking.rs", "panic_bounds_check"}:     "core::panicking::panic_bounds_check",
	{"src/libcore/panicking.rs", "panic_fmt"}:              "core::panicking::panic_fmt",
	{"src/libcore/panicking.rs", "panic"}:                  "core::panicking::panic",
	{"src/libcore/slice/mod.rs", "slice_index_order_fail"}: "core::slice::slice_index_order_fail",
	{"src/libstd/panicking.rs", "begin_panic_fmt"}:         "std::panicking::begin_panic_fmt",
	{"src/libstd/panicking.rs", "continue_panic_fmt"}:      "std::panicking::continue_panic_fmt",
	{"src/libstd/panicking.rs", "rust_panic_with_hook"}:    "std::panicking::rust_panic_with_hook",
}

// normalizedFrames is the crashing thread as texts, inlined functions before the
// frame they were inlined into. ok is false when a function's text cannot be
// normalised at all.
func (r *Ruleset) normalizedFrames(c *Crash) (frames []string, ok bool) {
	crashing := 0
	if c.CrashingThread != nil {
		crashing = *c.CrashingThread
	}
	if crashing < 0 { // counts from the end, as siggen's lists do
		crashing += len(c.Threads)
	}
	if crashing < 0 || crashing >= len(c.Threads) {
		return nil, true
	}
	for i := range c.Threads[crashing].Frames {
		f := &c.Threads[crashing].Frames[i]
		for _, in := range f.Inlines {
			if len(frames) == maxFrames {
				return frames, true
			}
			outer := Frame{
				Module: f.Module, ModuleOffset: f.ModuleOffset, Offset: f.Offset,
				Function: in.Function, File: in.File, Line: in.Line,
			}
			text, ok := r.normalize(&outer, c.OS)
			if !ok {
				return nil, false
			}
			frames = append(frames, text)
		}
		if len(frames) == maxFrames {
			return frames, true
		}
		text, ok := r.normalize(f, c.OS)
		if !ok {
			return nil, false
		}
		frames = append(frames, text)
	}
	return frames, true
}

// normalize names a frame by the best that is known of it: its function, its
// source line, its module, an unloaded module, its address.
func (r *Ruleset) normalize(f *Frame, os string) (string, bool) {
	source := sourcePath(f.File)
	function := f.Function
	if qualified, ok := rustPanics[[2]string{source, function}]; ok {
		function = qualified
	}
	switch {
	case function != "" && strings.HasSuffix(source, ".rs"):
		return r.normalizeRust(function, f.Line)
	case function != "":
		return r.normalizeCPP(function, f.Line)
	case f.File != "" && f.Line != 0:
		return baseName(f.File) + "#" + strconv.FormatInt(f.Line, 10), true
	case f.Module != "":
		module := f.Module
		if os == windows {
			module = strings.ToLower(module)
		}
		return strings.Trim(module, "[]"), true
	case f.Unloaded != "":
		return "(unloaded " + f.Unloaded + ")", true
	case f.Offset != "":
		return r.address(f.Offset), true
	}
	return "", true
}

// baseName is the last element of a path of any system.
func baseName(file string) string {
	file = strings.TrimRight(file, `/\`)
	if strings.Contains(file, `\`) {
		return file[strings.LastIndexByte(file, '\\')+1:]
	}
	if file == "" {
		return ""
	}
	return path.Base(file)
}

// firstPage is where null pointers with an offset point.
const firstPage = 0x10000

// address is an instruction that no module holds. With the switch
// coarse_addresses only small ones are told apart: the others differ from run to
// run, and one that was jumped to by accident can be made of the user's data.
func (r *Ruleset) address(offset string) string {
	digits := strings.TrimPrefix(strings.TrimPrefix(offset, "0x"), "0X")
	n, err := strconv.ParseUint(digits, 16, 64)
	switch {
	case r.switches.coarseAddresses && (err != nil || n >= firstPage):
		return "@unmapped"
	case err != nil:
		return "@" + offset
	}
	return "@0x" + strconv.FormatUint(n, 16)
}
