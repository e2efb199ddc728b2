// Package breakpad reads Breakpad text symbol files (.sym) and evaluates the
// unwind programs in them.
//
// The entry point is [Parse], which turns the text into an in-memory [File].
// A File answers three questions about a module-relative address (rva): which
// function, source line and inlined calls it belongs to
// ([File.AppendLocations]), how to find the caller with STACK CFI rules
// ([File.CFI]) and how with STACK WIN records ([File.Win]).
//
// The format is documented in Breakpad's docs/symbol_files.md. Parsing is
// tolerant: a line that makes no sense is skipped and counted
// ([File.BadLines]), because one bad line must not cost a module its symbols.
//
// The types that a lookup answers with ([Location], [CFIRow], [WinRecord],
// [Registers], [Register]) live here too, for every reader of symbols shares
// them. They hold compiled programs, never program text, so that a stack walk
// tokenises nothing.
//
// The package does not find, download or cache symbol files, and it does not
// decide between unwind techniques: that is the walker's work.
package breakpad
