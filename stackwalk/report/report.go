// Package report prints walked dumps: as JSON in minidump-stackwalk's schema
// and as text for people.
package report

import (
	"aftershock/minidump"
	"aftershock/stackwalk"
)

// SymbolStatus is what became of a module's symbols.
type SymbolStatus uint8

// The values of SymbolStatus.
const (
	SymbolsUnused  SymbolStatus = iota // nobody asked for them
	SymbolsLoaded                      // found and used
	SymbolsMissing                     // asked for and not found
	SymbolsCorrupt                     // found and refused
)

var symbolStatusNames = [...]string{"-", "loaded", "missing", "corrupt"}

// String is "loaded", "missing", "corrupt", or "-" for unused.
func (s SymbolStatus) String() string { return symbolStatusNames[s] }

// Input is what a report is made of.
type Input struct {
	Dump *minidump.Dump
	Walk *stackwalk.Result
	// Symbols has the status of each of Dump.Modules; modules beyond its end
	// are SymbolsUnused.
	Symbols []SymbolStatus
}

// status is the status of a module.
func (in *Input) status(module int) SymbolStatus {
	if module >= len(in.Symbols) {
		return SymbolsUnused
	}
	return in.Symbols[module]
}
