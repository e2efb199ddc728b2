package symbolcache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"aftershock/breakpad"
)

// The layout of a compiled symbol file is described in format.md, with an
// annotated example in testdata/golden.txt.

// Version is that of the compiled files this package writes, the only one it
// reads. It counts changes of the layout and of the meaning: what breakpad makes
// of a text is part of it, for that is what a compiled file holds.
const Version = 5

// Why a file is refused. All of them mean: compile again from the text.
var (
	// ErrNotCompiled: the file is something else, or text mode damaged it.
	ErrNotCompiled = errors.New("no compiled symbol file")
	// ErrOldVersion and ErrNewVersion: another release wrote it.
	ErrOldVersion = errors.New("compiled symbol file of an older version")
	ErrNewVersion = errors.New("compiled symbol file of a newer version")
	// ErrTruncated: bytes are missing at the end, or there are too many.
	ErrTruncated = errors.New("compiled symbol file does not have its size")
	// ErrCorrupt: a checksum or the layout is wrong.
	ErrCorrupt = errors.New("compiled symbol file is corrupt")
	// ErrTooLarge: a section would exceed what 32-bit offsets reach.
	ErrTooLarge = errors.New("symbols exceed what a compiled file can hold")
)

const (
	magic           = "\x89CSYM\r\n\x1a" // ends like PNG's, which text mode damages
	endMagic        = "CSYM.end"
	frontSize       = 16
	summarySize     = 80 // behind the table of sections
	sectionSize     = 24 // of an entry in the table of sections
	footerSize      = int(sectionCount)*sectionSize + summarySize
	sectionAlign    = 8
	maxSectionBytes = 1<<32 - 1
	// longestName bounds what a name decodes to: lines of a text are no longer.
	longestName = 160 << 10
	// maxInlines bounds the inlined calls at one address: breakpad takes no
	// deeper nest.
	maxInlines = 512
)

// section is the index of a section, in the order of the file.
type section int

const (
	sectionCode section = iota
	sectionMeta
	sectionSymbols
	sectionSymbolIndex
	sectionOrigins
	sectionFiles
	sectionNames
	sectionCFIRows
	sectionCFIIndex
	sectionRuleSets
	sectionRules
	sectionRuleCode
	sectionWinFrameData
	sectionWinFPO
	sectionWinPrograms
	sectionExecutable
	sectionReturnsIndex
	sectionReturns
	sectionCount
)

// sections names the sections and gives the sizes of their elements.
var sections = [sectionCount]struct {
	name    string
	element uint64
}{
	sectionCode:         {"code", 1},
	sectionMeta:         {"meta", 1},
	sectionSymbols:      {"symbols", symbolSize},
	sectionSymbolIndex:  {"symbol index", 4},
	sectionOrigins:      {"origins", originSize},
	sectionFiles:        {"files", nameSize},
	sectionNames:        {"names", 1},
	sectionCFIRows:      {"cfi rows", cfiRowSize},
	sectionCFIIndex:     {"cfi index", 4},
	sectionRuleSets:     {"rule sets", 4},
	sectionRules:        {"rules", 1},
	sectionRuleCode:     {"rule code", 1},
	sectionWinFrameData: {"win framedata", winSize},
	sectionWinFPO:       {"win fpo", winSize},
	sectionWinPrograms:  {"win programs", 1},
	sectionExecutable:   {"executable", executableSize},
	sectionReturnsIndex: {"returns index", returnsIndex},
	sectionReturns:      {"returns", 1},
}

// Sizes of elements (a table with an index starts its entries with their
// address), how many line records a group has at most, and how many rows a part
// of the CFI index has on the average.
const (
	nameSize   = 16
	symbolSize = 16 + nameSize
	originSize = 4 + nameSize
	cfiRowSize = 8
	winSize    = 24
	lineGroup  = 8

	cfiRowsOfPart = 4
)

const (
	// publicBit marks the start of a PUBLIC symbol, which is no offset in the
	// code section: it stands in the number of bytes that its name shares.
	publicBit = 1 << 31
	// undefined stands for what no record defines: a file's index, or the number
	// of bytes that a name shares.
	undefined = 1<<32 - 1
)

// metaStrict is the bit of the last byte of the meta section that tells what
// breakpad.File.Strict does.
const metaStrict = 1

// Bits of a code entry's first number, below the number of line records.
const (
	codeWide    = 1 << iota // tables have numbers of 32 bits, and addresses
	codeInlines             // inlined calls follow
	codeBits    = 2
)

// Bits of a line record's first number, below its size.
const (
	lineFile = 1 << iota // another file than that of the record before
	lineGap              // it does not start where the record before ends
	lineBits = 2
)

// Where the place of a call is from, in the low bits of its first number.
const (
	callAt        = 0 // file and line follow
	callUnknown   = 1
	callByCaller  = 2 // the file that the caller's origin was declared in; the line follows
	callPlaceBits = 2
)

// header is what a file says about itself as a whole.
type header struct {
	arch              breakpad.Arch
	size              uint64 // of the file
	textSHA256        [32]byte
	textBytes         uint64
	records, badLines uint64
	sections          [sectionCount]extent
}

// extent is where a section lies.
type extent struct {
	offset, size uint64
	checksum     uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// layout places sections of these sizes and answers where the footer starts.
func (h *header) layout(sizes [sectionCount]uint64) uint64 {
	at := uint64(frontSize)
	for i, size := range sizes {
		h.sections[i].offset, h.sections[i].size = at, size
		at = (at + size + sectionAlign - 1) &^ (sectionAlign - 1)
	}
	return at
}

// front is what a file starts with.
func front() []byte {
	b := append(make([]byte, 0, frontSize), magic...)
	b = binary.LittleEndian.AppendUint32(b, Version)
	return binary.LittleEndian.AppendUint32(b, uint32(sectionCount))
}

// encode makes the footer.
func (h *header) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, footerSize)
	for i, s := range h.sections {
		b = le.AppendUint32(b, uint32(i))
		b = le.AppendUint32(b, s.checksum)
		b = le.AppendUint64(b, s.offset)
		b = le.AppendUint64(b, s.size)
	}
	b = append(b, h.textSHA256[:]...)
	b = le.AppendUint64(b, h.textBytes)
	b = le.AppendUint64(b, h.records)
	b = le.AppendUint64(b, h.badLines)
	b = le.AppendUint64(b, h.size)
	b = le.AppendUint32(b, uint32(h.arch))
	b = le.AppendUint32(b, crc32.Update(crc32.Checksum(front(), castagnoli), castagnoli, b))
	return append(b, endMagic...)
}

// decode reads and checks front and footer of a file of this size. It trusts
// no number: whoever slices the file by what it answers stays inside.
func (h *header) decode(front, footer []byte, size uint64) error {
	le := binary.LittleEndian
	if len(front) < len(magic)+4 || string(front[:len(magic)]) != magic {
		return ErrNotCompiled
	}
	switch version := le.Uint32(front[8:]); {
	case version < Version:
		return fmt.Errorf("%w: %d, want %d", ErrOldVersion, version, Version)
	case version > Version:
		return fmt.Errorf("%w: %d, want %d", ErrNewVersion, version, Version)
	}
	if len(footer) < footerSize {
		return fmt.Errorf("%w: %d bytes have no room for a footer", ErrTruncated, size)
	}
	s := footer[int(sectionCount)*sectionSize:]
	if string(s[72:]) != endMagic {
		return fmt.Errorf("%w: no footer", ErrTruncated)
	}
	covered := footer[:footerSize-len(endMagic)-4]
	if crc32.Update(crc32.Checksum(front, castagnoli), castagnoli, covered) != le.Uint32(s[68:]) {
		return fmt.Errorf("%w: checksum of the footer", ErrCorrupt)
	}
	copy(h.textSHA256[:], s)
	h.textBytes, h.records, h.badLines, h.size = le.Uint64(s[32:]), le.Uint64(s[40:]), le.Uint64(s[48:]), le.Uint64(s[56:])
	h.arch = breakpad.Arch(s[64])
	if h.size != size {
		return fmt.Errorf("%w: %d bytes, want %d", ErrTruncated, size, h.size)
	}
	if le.Uint32(front[12:]) != uint32(sectionCount) {
		return fmt.Errorf("%w: number of sections", ErrCorrupt)
	}
	return h.decodeSections(footer)
}

// decodeSections takes only the one layout that a compiler writes.
func (h *header) decodeSections(table []byte) error {
	le := binary.LittleEndian
	var sizes [sectionCount]uint64
	for i := range sizes {
		if sizes[i] = le.Uint64(table[i*sectionSize+16:]); sizes[i] > h.size || sizes[i]%sections[i].element != 0 {
			return fmt.Errorf("%w: size of section %q", ErrCorrupt, sections[i].name)
		}
	}
	if end := h.layout(sizes) + uint64(footerSize); end != h.size {
		return fmt.Errorf("%w: sections end at %d of %d", ErrCorrupt, end, h.size)
	}
	for i := range h.sections {
		entry := table[i*sectionSize:]
		if le.Uint32(entry) != uint32(i) || le.Uint64(entry[8:]) != h.sections[i].offset {
			return fmt.Errorf("%w: place of section %q", ErrCorrupt, sections[i].name)
		}
		h.sections[i].checksum = le.Uint32(entry[4:])
	}
	return nil
}

// verify compares every section with its checksum.
func (h *header) verify(file io.ReaderAt) error {
	buffer := make([]byte, 64<<10)
	for i, s := range h.sections {
		sum := crc32.New(castagnoli)
		// CopyBuffer would not use the buffer if one of the two could do without.
		in := struct{ io.Reader }{io.NewSectionReader(file, int64(s.offset), int64(s.size))}
		if n, err := io.CopyBuffer(sum, in, buffer); err != nil {
			return err
		} else if uint64(n) != s.size || sum.Sum32() != s.checksum {
			return fmt.Errorf("%w: checksum of section %q", ErrCorrupt, sections[i].name)
		}
	}
	return nil
}
