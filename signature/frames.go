package signature

import (
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

// thread returns a thread by index, or from the end by a negative one; nil when
// there is none.
func (c *Crash) thread(index int) *Thread {
	if index < 0 {
		index += len(c.Threads)
	}
	if index < 0 || index >= len(c.Threads) {
		return nil
	}
	return &c.Threads[index]
}

// frameList is the crashing thread as normalised names, at most maxFrames.
type frameList struct {
	names [maxFrames]*name
	n     int
}

func (l *frameList) all() []*name { return l.names[:l.n] }

// normalizeThread fills the list, inlined functions before the frame they were
// inlined into. It returns false for a thread that siggen fails on.
func (r *Ruleset) normalizeThread(t *Thread, os string, list *frameList) bool {
	if t == nil {
		return true
	}
	if t.unreadable {
		return false
	}
	for i := range t.Frames {
		f := &t.Frames[i]
		for j := range f.Inlines {
			if list.n == maxFrames {
				return true
			}
			in := &f.Inlines[j]
			inlined := Frame{
				Module: f.Module, ModuleOffset: f.ModuleOffset, Offset: f.Offset,
				Function: in.Function, File: in.File, Line: in.Line, lineText: in.lineText, unreadable: in.unreadable,
			}
			if !r.appendFrame(list, &inlined, os) {
				return false
			}
		}
		if list.n == maxFrames {
			return true
		}
		if !r.appendFrame(list, f, os) {
			return false
		}
	}
	return true
}

func (r *Ruleset) appendFrame(list *frameList, f *Frame, os string) bool {
	if f.unreadable {
		return false
	}
	name := r.frameName(f, os)
	list.names[list.n] = name
	list.n++
	return name != nil
}

// frameName names a frame by the best that is known of it: its function, its
// source line, its module, an unloaded module, its address. It returns nil for
// a function of which nothing is left.
func (r *Ruleset) frameName(f *Frame, os string) *name {
	switch {
	case f.Function != "":
		function, language := f.Function, cpp
		if source := sourcePath(f.File); strings.HasSuffix(source, ".rs") {
			language = rust
			if qualified, ok := rustPanics[[2]string{source, function}]; ok {
				function = qualified
			}
		}
		return r.functionName(language, function, f)
	case f.File != "" && f.hasLine():
		return r.textName(plain, baseName(f.File)+"#"+f.printedLine())
	case f.Module != "":
		if os == windows {
			return r.textName(windowsModule, f.Module)
		}
		return r.textName(module, f.Module)
	case f.Unloaded != "":
		return r.textName(plain, "(unloaded "+f.Unloaded+")")
	case f.Offset != "":
		return r.textName(plain, r.address(f.Offset))
	}
	return emptyName
}

var emptyName = &name{}

// hasLine tells whether there is a line that is not 0.
func (f *Frame) hasLine() bool {
	return f.Line != 0 || f.lineText != "" && f.lineText != "0" && f.lineText != "0.0" && f.lineText != "False"
}

// printedLine is the line as siggen prints it.
func (f *Frame) printedLine() string {
	switch {
	case f.Line != 0:
		return strconv.FormatInt(f.Line, 10)
	case f.lineText != "":
		return f.lineText
	}
	return none
}

// sourcePath returns the path of a source file out of what symbols say: plain,
// or vcs:repository:path:revision, or drive:path. It is empty when neither.
func sourcePath(file string) string {
	switch strings.Count(file, ":") {
	case 3:
		_, file, _ = strings.Cut(file, ":")
		_, file, _ = strings.Cut(file, ":")
		file, _, _ = strings.Cut(file, ":")
		return file
	case 1:
		_, file, _ = strings.Cut(file, ":")
		return file
	}
	if strings.HasPrefix(file, "/") {
		return file
	}
	return ""
}

// baseName is the last element of a path of any system.
func baseName(file string) string {
	file = strings.TrimRight(file, `/\`)
	separator := byte('/')
	if strings.Contains(file, `\`) {
		separator = '\\'
	}
	return file[strings.LastIndexByte(file, separator)+1:]
}

// nullPageDigits is the length of hexadecimal addresses that null pointers with
// an offset point to.
const nullPageDigits = len("0xffff")

// unmapped is any address outside every module but near zero.
const unmapped = "@unmapped"

// address is an instruction that no module holds. With the switch
// coarse_addresses only small ones are told apart: the others differ from run to
// run, and one that was jumped to by accident can be made of the user's data.
func (r *Ruleset) address(offset string) string {
	hex, ok := hexadecimal(offset)
	switch {
	case r.switches.coarseAddresses && (!ok || len(hex) > nullPageDigits):
		return unmapped
	case !ok:
		return "@" + offset
	}
	return "@" + hex
}
