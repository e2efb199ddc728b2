package symboldump

import "errors"

// Limits on what a file may make the reader keep or do. None is near what real
// files have; what goes beyond one is left out and counted in the Report, except
// where an error is named.
const (
	// maxSections bounds section headers. Objects of -ffunction-sections have
	// tens of thousands, linked files some 40.
	maxSections = 1 << 17
	// maxProgramHeaders bounds segments of ELF and load commands of Mach-O.
	maxProgramHeaders = 1 << 12
	// maxSectionBytes bounds one section that is decompressed: libxul's
	// .debug_info has 1.3 GB.
	maxSectionBytes = 3 << 30
	// maxSectionRatio bounds how much larger than the file all that is
	// decompressed may be, beyond minSectionRoom. Debug information of Go and C++
	// becomes 3 to 8 times as large, zeros 1,000 times.
	maxSectionRatio = 16
	minSectionRoom  = 1 << 20
	// maxSymbols bounds symbols that are looked at. Chrome has two million.
	maxSymbols = 1 << 23
	// maxNameBytes bounds a name, mangled or not. C++ names of 82 KB have been
	// seen; minidump-stackwalk reads lines of 160 KiB.
	maxNameBytes = 128 << 10
	// maxDemangledBytes bounds what is demangled: substitutions can make a name
	// of 200 bytes one of megabytes.
	maxDemangledBytes = 1 << maxDemangledPower
	maxDemangledPower = 12

	// maxCIEBytes bounds a CIE, which many FDEs can name. Real ones have some 24.
	maxCIEBytes = 4 << 10
	// maxSignalFrames bounds ranges of signal frames. glibc has one or two.
	maxSignalFrames = 64
	// maxRememberedStates bounds DW_CFA_remember_state. Compilers nest 2.
	maxRememberedStates = 64
	// maxExpressionBytes bounds a DWARF expression of a rule. The longest of
	// glibc's have 20.
	maxExpressionBytes = 256
	// maxExpressionText bounds what is written for one; its operands can be
	// doubled by every operation.
	maxExpressionText = 2 << 10
	// maxOutputBytes bounds the text that is written. libxul's has 700 MB.
	maxOutputBytes = 4 << 30
)

// Why a file is refused as a whole.
var (
	// ErrFormat: the bytes are no ELF, PE or Mach-O file.
	ErrFormat = errors.New("neither ELF, PE nor Mach-O")
	// ErrDamaged: the headers make no sense, or point outside the file.
	ErrDamaged = errors.New("damaged headers")
	// ErrOutputLimit: there would be more text than anybody can want.
	ErrOutputLimit = errors.New("symbols exceed 4 GiB")
)
