package breakpad

import "errors"

// Limits on what a symbol file may make the reader keep or do.
const (
	// maxLineBytes is the longest line that is read; longer ones are skipped
	// and counted. C++ names of 82 KB have been seen; minidump-stackwalk's
	// limit is 160 KiB.
	maxLineBytes = 160 << 10
	// maxLinesBeforeModule bounds what is read of a text that may be no symbol
	// file. dump_syms says a line or two before MODULE.
	maxLinesBeforeModule = 64
	// maxNameBytes bounds all names of a file together. libxul's have some 150 MB.
	maxNameBytes = 1 << 30
	// maxSymbols bounds FUNC and PUBLIC records. Chrome has two million.
	maxSymbols = 1 << 23
	// maxInlineDepth is the deepest nest of inlined calls that is followed.
	maxInlineDepth = 512
	// maxProgramTokens bounds one STACK CFI rule or STACK WIN program. The
	// longest of Windows' and glibc's have some 40.
	maxProgramTokens = 512
	// maxProgramStack bounds the operands that wait in an evaluation.
	maxProgramStack = 64
	// maxProgramVariables bounds the variables of a STACK WIN program, with the
	// twelve predefined ones.
	maxProgramVariables = 64
)

// A file is refused as a whole when it exceeds one of these limits.
var (
	ErrNameLimit   = errors.New("names exceed 1 GiB")
	ErrSymbolLimit = errors.New("more than 8388608 FUNC and PUBLIC records")
)
