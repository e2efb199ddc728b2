package symbolcache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"aftershock/breakpad"
)

// The layout of a compiled symbol file is described in format.md, with an
// annotated example in testdata/golden.txt.

// Version is that of the compiled files this package writes, the only one it
// reads. It counts changes of the layout and of the meaning: what breakpad makes
// of a text is part of it, for that is what a compiled file holds.
const Version = 1

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
	headerSize      = 88
	sectionSize     = 24 // of an entry in the table of sections
	sectionAlign    = 8
	maxSectionBytes = 1<<32 - 1
)

// section is the index of a section, in the order of the file.
type section int

const (
	sectionMeta section = iota
	sectionRunAddresses
	sectionRuns
	sectionSegments
	sectionNodes
	sectionFiles
	sectionStrings
	sectionCFIAddresses
	sectionCFIRuns
	sectionCFIRows
	sectionRuleSets
	sectionRules
	sectionRuleCode
	sectionWinFrameData
	sectionWinFPO
	sectionWinPrograms
	sectionCount
)

// sections names the sections and gives the sizes of their elements.
var sections = [sectionCount]struct {
	name    string
	element uint64
}{
	sectionMeta:         {"meta", 1},
	sectionRunAddresses: {"run addresses", 4},
	sectionRuns:         {"runs", runSize},
	sectionSegments:     {"segments", 1},
	sectionNodes:        {"inline nodes", 1},
	sectionFiles:        {"files", 4},
	sectionStrings:      {"strings", 1},
	sectionCFIAddresses: {"cfi addresses", 4},
	sectionCFIRuns:      {"cfi runs", cfiRunSize},
	sectionCFIRows:      {"cfi rows", 1},
	sectionRuleSets:     {"rule sets", 4},
	sectionRules:        {"rules", 1},
	sectionRuleCode:     {"rule code", 1},
	sectionWinFrameData: {"win framedata", winSize},
	sectionWinFPO:       {"win fpo", winSize},
	sectionWinPrograms:  {"win programs", 1},
}

// Sizes of elements, and how many segments or rows a run has at most: the
// bound of what a lookup decodes.
const (
	runSize     = 20
	cfiRunSize  = 8
	winSize     = 24
	runSegments = 16
	cfiRunRows  = 32
)

// Codes of segments, in the low bits of a segment's first number. The first
// four are a line record that starts with the segment: bit 0 tells that a file
// follows, bit 1 that a node does.
const (
	segmentLine     = 0
	segmentFileBit  = 1
	segmentNodeBit  = 2
	segmentSameLine = 4 // another node in the same line record
	segmentNoLine   = 5
	segmentAnyLine  = 6 // a line record that started earlier; 7 is not used
	segmentCodeBits = 3
)

// What follows a segment's first number, in this order.
func hasFile(code uint64) bool {
	return code == segmentAnyLine || code < segmentSameLine && code&segmentFileBit != 0
}

func hasLine(code uint64) bool {
	return code < segmentSameLine || code == segmentAnyLine
}

func hasNode(code uint64) bool {
	return code >= segmentSameLine || code&segmentNodeBit != 0
}

// Where the function of a node is called from, in the low bits of a node's
// first number.
const (
	callUnknown  = 0
	callAtStart  = 1 // the place starts where the node's range does
	callAnywhere = 2
	callCodeBits = 2
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

const headerBytes = headerSize + int(sectionCount)*sectionSize

// layout places sections of these sizes and answers the size of the file.
func (h *header) layout(sizes [sectionCount]uint64) uint64 {
	at := uint64(headerBytes)
	for i, size := range sizes {
		h.sections[i].offset, h.sections[i].size = at, size
		at = (at + size + sectionAlign - 1) &^ (sectionAlign - 1)
	}
	return at
}

func (h *header) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, headerSize, headerBytes)
	copy(b, magic)
	le.PutUint32(b[8:], Version)
	le.PutUint32(b[12:], uint32(sectionCount))
	le.PutUint64(b[16:], h.size)
	b[28] = byte(h.arch)
	copy(b[32:], h.textSHA256[:])
	le.PutUint64(b[64:], h.textBytes)
	le.PutUint64(b[72:], h.records)
	le.PutUint64(b[80:], h.badLines)
	for i, s := range h.sections {
		b = le.AppendUint32(b, uint32(i))
		b = le.AppendUint32(b, s.checksum)
		b = le.AppendUint64(b, s.offset)
		b = le.AppendUint64(b, s.size)
	}
	le.PutUint32(b[24:], crc32.Checksum(b, castagnoli))
	return b
}

// decode reads and checks the header of a file. It trusts no number: whoever
// slices the file by what it answers stays inside.
func (h *header) decode(file []byte) error {
	le := binary.LittleEndian
	if len(file) < len(magic)+4 || string(file[:len(magic)]) != magic {
		return ErrNotCompiled
	}
	switch version := le.Uint32(file[8:]); {
	case version < Version:
		return fmt.Errorf("%w: %d, want %d", ErrOldVersion, version, Version)
	case version > Version:
		return fmt.Errorf("%w: %d, want %d", ErrNewVersion, version, Version)
	}
	if len(file) < headerBytes {
		return fmt.Errorf("%w: %d bytes are no header", ErrTruncated, len(file))
	}
	b := append([]byte(nil), file[:headerBytes]...)
	checksum := le.Uint32(b[24:])
	le.PutUint32(b[24:], 0)
	if crc32.Checksum(b, castagnoli) != checksum {
		return fmt.Errorf("%w: checksum of the header", ErrCorrupt)
	}
	if h.size = le.Uint64(b[16:]); h.size != uint64(len(file)) {
		return fmt.Errorf("%w: %d bytes, want %d", ErrTruncated, len(file), h.size)
	}
	h.arch = breakpad.Arch(b[28])
	copy(h.textSHA256[:], b[32:])
	h.textBytes, h.records, h.badLines = le.Uint64(b[64:]), le.Uint64(b[72:]), le.Uint64(b[80:])
	if le.Uint32(b[12:]) != uint32(sectionCount) {
		return fmt.Errorf("%w: number of sections", ErrCorrupt)
	}
	return h.decodeSections(b[headerSize:])
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
	if end := h.layout(sizes); end != h.size {
		return fmt.Errorf("%w: sections end at %d of %d", ErrCorrupt, end, h.size)
	}
	for i := range h.sections {
		entry := table[i*sectionSize:]
		if le.Uint32(entry) != uint32(i) || le.Uint64(entry[8:]) != h.sections[i].offset {
			return fmt.Errorf("%w: place of section %q", ErrCorrupt, sections[i].name)
		}
		h.sections[i].checksum = le.Uint32(entry[4:])
	}
	pairs := [...][2]section{{sectionRunAddresses, sectionRuns}, {sectionCFIAddresses, sectionCFIRuns}}
	for _, p := range pairs {
		a, b := p[0], p[1]
		if sizes[a]/sections[a].element != sizes[b]/sections[b].element {
			return fmt.Errorf("%w: %q and %q differ in length", ErrCorrupt, sections[a].name, sections[b].name)
		}
	}
	return nil
}
