package signature

import (
	"cmp"
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

// threadIndex is CrashingThread, or that of the first thread.
func (c *Crash) threadIndex() int {
	if c.CrashingThread == nil {
		return 0
	}
	return *c.CrashingThread
}

// crashed is the thread that crashed, an empty one when there is none.
func (c *Crash) crashed() *Thread {
	if t := c.thread(c.threadIndex()); t != nil {
		return t
	}
	return &Thread{}
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

// flatFrame is a frame, or a function inlined into it.
type flatFrame struct {
	*Frame
	inline *Inline
}

func (f *flatFrame) function() string {
	if f.inline != nil {
		return f.inline.Function
	}
	return f.Function
}

// doubtful tells whether the function's name may be wrong, and there is a place in a
// module that can stand for it.
func (f *flatFrame) doubtful() bool { return f.inline == nil && f.Doubtful && f.Module != "" }

// improbable tells whether a frame is less likely true than a ruleset wants.
func (f *flatFrame) improbable(least float64) bool { return f.Probability > 0 && f.Probability < least }

// shortHex drops the zeros before a hexadecimal number.
func shortHex(text string) string {
	digits := strings.TrimLeft(strings.TrimPrefix(text, "0x"), "0")
	return "0x" + cmp.Or(digits, "0")
}

func (f *flatFrame) file() string {
	if f.inline != nil {
		return f.inline.File
	}
	return f.File
}

func (f *flatFrame) line() int64 {
	if f.inline != nil {
		return f.inline.Line
	}
	return f.Line
}

// lineText is the line as siggen prints it.
func (f *flatFrame) lineText() string {
	text := f.Frame.lineText
	if f.inline != nil {
		text = f.inline.lineText
	}
	switch {
	case f.line() != 0:
		return strconv.FormatInt(f.line(), 10)
	case text != "":
		return text
	}
	return none
}

func (f *flatFrame) hasLine() bool {
	if f.line() != 0 {
		return true
	}
	switch f.lineText() {
	case none, "0", "0.0", "False":
		return false
	}
	return true
}

// unloadedModule is the unloaded module's name. Inlined functions have none.
func (f *flatFrame) unloadedModule() string {
	if f.inline != nil {
		return ""
	}
	return f.Unloaded
}

// isRust tells whether the function is one of Rust's.
func (f *flatFrame) isRust() bool {
	known := f.language
	if f.inline != nil {
		known = f.inline.language
	}
	if known == unknownLanguage {
		known = languageOf(f.file())
	}
	return known == rustLanguage
}

// flatten appends the frames that a signature looks at, inlined functions
// before the frame they were inlined into. It returns false for a thread that
// siggen fails on.
func flatten(dst []flatFrame, t *Thread) ([]flatFrame, bool) {
	if t == nil {
		return dst, true
	}
	if t.unreadable {
		return dst, false
	}
	for i := range t.Frames {
		f := &t.Frames[i]
		if f.unreadable {
			return dst, len(dst) == maxFrames
		}
		for j := range f.Inlines {
			if len(dst) == maxFrames {
				return dst, true
			}
			if f.Inlines[j].unreadable {
				return dst, false
			}
			dst = append(dst, flatFrame{f, &f.Inlines[j]})
		}
		if len(dst) == maxFrames {
			return dst, true
		}
		dst = append(dst, flatFrame{Frame: f})
	}
	return dst, true
}

// material is what a frame's name is made of, the best that is known of it: its
// function, its source line, its module, an unloaded module, its address. more
// is the source file where it matters. Lines count besides.
func (f *flatFrame) material(os string) (what kind, text, more string) {
	switch function := f.function(); {
	case function != "":
		if f.isRust() {
			return rust, function, f.file()
		}
		return cpp, function, ""
	case f.file() != "" && f.hasLine():
		return sourceLine, f.file(), ""
	case f.Module != "":
		if os == windows {
			return windowsModule, f.Module, ""
		}
		return module, f.Module, ""
	case f.unloadedModule() != "":
		return unloaded, f.Unloaded, ""
	}
	return address, f.Offset, ""
}

// frameName normalises a frame to its name. It returns nil for a function of
// which nothing is left.
func (r *Ruleset) frameName(f *flatFrame, os string) *name {
	what, text, file := f.material(os)
	if r.switches.doubtfulNames && f.doubtful() {
		what, text = module, f.Module+"@"+shortHex(f.ModuleOffset)
		if os == windows {
			what = windowsModule
		}
	}
	switch what {
	case rust:
		if qualified, ok := rustPanics[[2]string{sourcePath(file), text}]; ok {
			text = qualified
		}
		return r.functionName(rust, text, f)
	case cpp:
		return r.functionName(cpp, text, f)
	case sourceLine:
		text = baseName(text) + "#" + f.lineText()
	case unloaded:
		text = "(unloaded " + text + ")"
	case address:
		text = r.address(text)
	default: // modules: textName trims them
	}
	return r.textName(what, text)
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

// language is what a function is written in, as far as names depend on it.
type language uint8

const (
	unknownLanguage language = iota
	rustLanguage
	otherLanguage
)

// languageOf tells the language by the name of the source file.
func languageOf(file string) language {
	// Most are not Rust: one fast look at the text.
	if strings.Contains(file, ".rs") && strings.HasSuffix(sourcePath(file), ".rs") {
		return rustLanguage
	}
	return otherLanguage
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
	case offset == "":
		return ""
	case r.switches.coarseAddresses && (!ok || len(hex) > nullPageDigits):
		return unmapped
	case !ok:
		return "@" + offset
	}
	return "@" + hex
}
