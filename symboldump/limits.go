package symboldump

import "errors"

// Limits on what a file may make the reader keep or do. None is near what real
// files have; what goes beyond one is left out and counted in the Report, except
// where an error is named.
const (
	// maxSections bounds section headers of ELF, maxNumberedSections those of PE
	// (of which Windows loads 96) and Mach-O (whose symbols name 255), and
	// maxSectionName their names. Linked files have some 40.
	maxSections         = 1 << 16
	maxNumberedSections = 256
	maxSectionName      = 256
	// maxProgramHeaders bounds segments of ELF and load commands of Mach-O.
	maxProgramHeaders = 1 << 10
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
	// maxTextBytes bounds a string of a string table.
	maxTextBytes = 256 << 10
	// maxNameBytes bounds a name, mangled or not. C++ names of 82 KB have been
	// seen; minidump-stackwalk reads lines of 160 KiB.
	maxNameBytes = 128 << 10
	// maxPathBytes bounds each part of a source file's path.
	maxPathBytes = 4 << 10
	// maxLEBBytes bounds a LEB128 number: linkers pad those of 64 bits to 10 bytes.
	maxLEBBytes = 16
	// maxCloneParts bounds how often compilers made a variant of a variant. gcc makes
	// up to four.
	maxCloneParts = 16
	// maxMangledBytes bounds a mangled name that is demangled: what it stands for is
	// longer.
	maxMangledBytes = maxDemangledBytes
	// maxDemangledBytes bounds what is demangled: substitutions can make a name
	// of 200 bytes one of megabytes.
	maxDemangledBytes = 1 << maxDemangledPower
	maxDemangledPower = 12

	// maxCIEBytes bounds a CIE, which many FDEs can name. Real ones have some 24.
	// maxCIEs bounds how many there are; linkers merge equal ones.
	maxCIEBytes = 4 << 10
	maxCIEs     = 1 << 14
	// maxSignalFrames bounds ranges of signal frames. glibc has one or two.
	maxSignalFrames = 64
	// maxUnwindChain bounds how far UNWIND_INFO goes on with others. Compilers
	// split a function in 3.
	maxUnwindChain = 32
	// maxArmInstructions bounds the unwinding instructions of a function of ARM, in
	// bytes: their number of words has 8 bits.
	maxArmInstructions = 4 + 4 + 255*4
	// maxMappedSections bounds in how many sections an address of a table is looked
	// for. Linked files have some 40.
	maxMappedSections = 256
	// maxCodeRepeats bounds how often the bytes of a file may be mapped as code.
	// Linkers map a page at the border of two segments twice.
	maxCodeRepeats = 2
	// maxNotes bounds notes of ELF. Linked files have some 5.
	maxNotes = 1 << 12
	// maxFatParts bounds the parts of a universal file. There are two.
	maxFatParts = 16
	// maxRememberedStates bounds DW_CFA_remember_state. Compilers nest 2.
	maxRememberedStates = 64
	// maxExpressionBytes bounds a DWARF expression of a rule. The longest of
	// glibc's have 20.
	maxExpressionBytes = 256
	// maxExpressionText bounds what is written for one; its operands can be
	// doubled by every operation.
	maxExpressionText = 2 << 10
	// maxExpressions bounds the expressions whose text is remembered, of those that
	// rows have had lately. A state has 34.
	maxExpressions = 1 << 10
	// maxRecordText bounds what is held of the records of a function: beyond it they
	// are written, and go on with another INIT record. Go's largest have 300 KB.
	maxRecordText = 4 << 20
	// maxUnits bounds units of debug information. Chrome has 60,000.
	maxUnits = 1 << 18
	// maxAbbrevs bounds the entries of a table of abbreviations, maxAttributes
	// those of an entry. LTO makes a table of 10,000; an entry of gcc's has up to 20
	// attributes.
	maxAbbrevs    = 1 << 16
	maxAttributes = 256
	// maxReferences bounds how far references to other entries are followed for a
	// name. An inlined call of a method takes 3.
	maxReferences = 16
	// maxEntryDepth bounds how deep entries nest. Template-heavy C++ reaches 60.
	maxEntryDepth = 4 << 10
	// maxInlineDepth bounds how deep inlined calls nest: readers of records take
	// no more.
	maxInlineDepth = 512
	// maxFunctionRanges bounds the ranges of one function or inlined call, of which
	// many could name the same list.
	maxFunctionRanges = 4 << 10
	// maxLineFiles bounds files, and folders, of one line table, and maxLineFormats
	// what is said of each. Compilers say 5 things.
	maxLineFiles   = 1 << 17
	maxLineFormats = 16
	// maxRepeats bounds how often what several places can name is read or told:
	// line tables, range lists, abbreviations, rows, names. It is how many times the
	// bytes there are, or rows, may be gone over. dwz and type units make it two or
	// three.
	maxRepeats = 16
	// maxStepRatio bounds what is read because something refers to it, and attributes,
	// by the bytes of the files, beyond minSteps. Of C++, Rust and Go it is up to a half.
	maxStepRatio = 4
	minSteps     = 1 << 20
	// maxHeldRatio bounds what is held of files, by their size, beyond minHeldBytes.
	// Of C++, Go and Rust it is up to twice as much, and 5.5 times if their debug
	// information is compressed.
	maxHeldRatio = 12
	minHeldBytes = 64 << 20
	// demanglingBytes bounds how much is demangled, beyond minDemangling: for so many
	// bytes of files a name of 102 bytes, or 256 that short names stand for. Rust takes
	// as much in 145 bytes, C++ in 320.
	demanglingBytes = 32
	minDemangling   = 1 << 20
	// maxOutputRatio bounds the text that is written, by the bytes it is made of,
	// beyond minOutputBytes. Text of unwind tables is 6 times as large as they are.
	maxOutputRatio = 32
	minOutputBytes = 1 << 20
)

// Why a file is refused as a whole.
var (
	// ErrFormat: the bytes are no ELF, PE or Mach-O file.
	ErrFormat = errors.New("neither ELF, PE nor Mach-O")
	// ErrDamaged: the headers make no sense, or point outside the file.
	ErrDamaged = errors.New("damaged headers")
	// ErrOutputLimit: there would be more text than any honest file makes.
	ErrOutputLimit = errors.New("symbols exceed 32 times the file")
)
