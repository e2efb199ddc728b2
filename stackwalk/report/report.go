// Package report prints walked dumps: as JSON in minidump-stackwalk's schema
// and as text for people.
package report

import (
	"aftershock/minidump"
	"aftershock/stackwalk"
	"aftershock/stackwalk/analysis"
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

// Symbols tells what became of a module's symbols, and the INFO URL of those
// that are loaded.
type Symbols struct {
	Status SymbolStatus
	URL    string
}

// Input is what a report is made of.
type Input struct {
	Dump *minidump.Dump
	Walk *stackwalk.Result
	// Symbols tells of each of Dump.Modules; those beyond its end are
	// SymbolsUnused.
	Symbols []Symbols
	// NoAnalysis leaves out what package analysis concludes from the crashing
	// instruction.
	NoAnalysis bool
	// Grey writes the frames that are rather not true so that a terminal shows them
	// greyed.
	Grey bool
}

// analysis is nil for a process that did not crash, and when it is not wanted.
func (in *Input) analysis() *analysis.Analysis {
	if in.NoAnalysis {
		return nil
	}
	return analysis.Analyze(in.Dump, in.Walk.Version)
}

// symbols are those of a module.
func (in *Input) symbols(module int) Symbols {
	if module >= len(in.Symbols) {
		return Symbols{}
	}
	return in.Symbols[module]
}
