// Package symboldump reads a module's own file (ELF, PE or Mach-O) and makes
// Breakpad symbol records of it: functions, lines and inlined calls of its DWARF
// debug information, public symbols, and how stacks are unwound.
//
// A module's own file is a symbol file that nobody has dumped yet: of a stripped
// one there are MODULE, PUBLIC and STACK CFI records.
//
// Everything here takes bytes: no files, no network, no logs, no clock. Bytes are
// untrusted: what they can make the package do is bounded by limits.go and by
// their own number, and whatever could not be told is counted in a [Report].
package symboldump
