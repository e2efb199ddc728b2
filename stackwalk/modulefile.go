package stackwalk

import "aftershock/breakpad"

// Code is what a module's own file says of its code; version 3 of the walk believes
// it.
type Code interface {
	// Executable tells whether code lies at rva.
	Executable(rva uint64) bool
	// Returns tells whether a call ends at rva.
	Returns(rva uint64) bool
}

// ModuleFile is what is known of a module by its own file: how its functions are
// unwound, and where its code is. It names the functions that the file exports.
type ModuleFile interface {
	Symbols
	Code
}

// Join are the symbols of a module with what its own file says. Functions and lines
// are the symbols', and the file's where there are no symbols. How a function is
// unwound the symbols say first. symbols may be nil.
func Join(symbols Symbols, file ModuleFile) Symbols {
	if symbols == nil {
		symbols = file
	}
	return joined{symbols, file}
}

type joined struct {
	Symbols
	file ModuleFile
}

// CFI is that of the symbols, else the file's.
func (j joined) CFI(rva uint64) (breakpad.CFIRow, bool) {
	if row, ok := j.Symbols.CFI(rva); ok {
		return row, true
	}
	return j.file.CFI(rva)
}

// CFIStart is of the same.
func (j joined) CFIStart(rva uint64) (uint64, bool) {
	if start, ok := j.Symbols.CFIStart(rva); ok {
		return start, true
	}
	return j.file.CFIStart(rva)
}

// codeOf is what is known of a module's code, nil for nothing.
func (w *walker) codeOf(module int) Code {
	w.symbolsOf(module)
	return w.code[module]
}
