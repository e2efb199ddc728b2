package breakpad

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrNoModule tells that a text does not start with a MODULE record, so it is
// no symbol file (but an error page, UTF-16, an empty file).
var ErrNoModule = errors.New("no MODULE record")

// ParseOptions change how Parse reads. The zero value is right for files found
// by debug id.
type ParseOptions struct {
	// Arch overrides the architecture of the MODULE record.
	Arch Arch
}

// Parse reads a symbol file to its end. Bad lines are skipped and counted
// ([File.BadLines]); a line may end in CR LF and the last one without either.
//
// The error is ErrNoModule, ErrNameLimit or the reader's.
func Parse(r io.Reader, o ParseOptions) (*File, error) {
	p := newParser(o)
	in := bufio.NewReaderSize(r, maxLineBytes)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			p.file.badLines++
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			line = nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("symbol file: line %d: %w", p.lineNumber+1, err)
		}
		if line != nil {
			if perr := p.line(bytes.TrimRight(line, "\r\n")); perr != nil {
				return nil, fmt.Errorf("symbol file: line %d: %w", p.lineNumber, perr)
			}
		}
		if err != nil {
			break
		}
	}
	if !p.sawModule {
		return nil, fmt.Errorf("symbol file: %w", ErrNoModule)
	}
	return p.finish(), nil
}

// section is what the lines before decide about the next one.
type section uint8

const (
	sectionNone    section = iota
	sectionFunc            // line and INLINE records may follow
	sectionDropped         // the same, of a FUNC that is left out
	sectionCFI             // STACK CFI deltas may follow
)

// parser builds a File. Addresses are checked to fit 32 bits as they are read.
type parser struct {
	file        *File
	options     ParseOptions
	lineNumber  int
	sawModule   bool
	section     section
	fileIDs     map[uint32]uint32 // id in the text → index in File.files
	originIDs   map[uint32]uint32 // id in the text → index in File.origins
	programs    programTable
	winPrograms map[string]WinProgram
	cfiInits    []cfiInit
	cfiDeltas   []cfiDelta
	cfiRecords  []cfiRecord
	cfiRecordAt map[string]uint32 // text → index in cfiRecords
}

func newParser(o ParseOptions) *parser {
	return &parser{
		file: &File{}, options: o,
		fileIDs: map[uint32]uint32{}, originIDs: map[uint32]uint32{},
		winPrograms: map[string]WinProgram{}, cfiRecordAt: map[string]uint32{},
	}
}

// line reads one record. It fails only when going on is of no use.
func (p *parser) line(text []byte) error {
	p.lineNumber++
	if len(text) == 0 {
		return nil
	}
	f := fields{rest: text}
	if !p.sawModule {
		if !f.keyword("MODULE") || !p.module(&f) {
			return ErrNoModule
		}
		p.sawModule = true
		p.file.records++
		return nil
	}
	if uint64(len(p.file.names))+uint64(len(text)) > maxNameBytes {
		return ErrNameLimit
	}
	if p.record(&f) {
		p.file.records++
	} else {
		p.file.badLines++
	}
	return nil
}

// record dispatches on the first word and answers whether the line made sense.
func (p *parser) record(f *fields) bool {
	switch f.rest[0] {
	case 'F':
		if f.keyword("FUNC") {
			return p.function(f)
		}
		if f.keyword("FILE") {
			return p.fileName(f)
		}
	case 'I':
		switch {
		case f.keyword("INLINE"):
			return p.inline(f)
		case f.keyword("INLINE_ORIGIN"):
			return p.origin(f)
		case f.keyword("INFO"):
			return p.info(f)
		}
	case 'P':
		if f.keyword("PUBLIC") {
			p.section = sectionNone
			return p.public(f)
		}
	case 'S':
		if f.keyword("STACK") {
			switch {
			case f.keyword("CFI"):
				return p.cfi(f)
			case f.keyword("WIN"):
				p.section = sectionNone
				return p.win(f)
			}
		}
		return false
	}
	return p.sourceLine(f)
}

// module reads "MODULE os architecture id name".
func (p *parser) module(f *fields) bool {
	os, arch, id := f.token(), f.token(), f.token()
	if len(os) == 0 || len(arch) == 0 || len(id) == 0 || len(id) > 40 {
		return false
	}
	p.file.OS, p.file.DebugID, p.file.Name = string(os), string(id), string(f.name())
	p.file.arch = p.options.Arch
	if p.file.arch == ArchUnknown {
		p.file.arch = ParseArch(string(arch))
	}
	p.programs.arch = p.file.arch
	return true
}

// info reads "INFO key value"; unknown keys are fine.
func (p *parser) info(f *fields) bool {
	switch key := f.token(); string(key) {
	case "CODE_ID":
		p.file.CodeID = string(f.token())
	case "URL":
		p.file.URL = string(f.name())
	}
	return true
}

// keep stores a name and answers where. A NUL, which some compilers leave in
// names, becomes '_' as in Breakpad.
func (p *parser) keep(name []byte) text {
	t := text{uint32(len(p.file.names)), uint32(len(name))}
	p.file.names = append(p.file.names, name...)
	if bytes.IndexByte(name, 0) >= 0 {
		kept := p.file.names[t.start:]
		for i, c := range kept {
			if c == 0 {
				kept[i] = '_'
			}
		}
	}
	return t
}

// fileName reads "FILE id name"; of two with one id the later one counts.
func (p *parser) fileName(f *fields) bool {
	id := f.decimal()
	if f.bad {
		return false
	}
	p.fileIDs[id] = uint32(len(p.file.files))
	p.file.files = append(p.file.files, p.keep(f.name()))
	return true
}

// public reads "PUBLIC [m] address parameter_size name".
func (p *parser) public(f *fields) bool {
	f.multiple()
	rva, params := f.rva(), f.hex32()
	if f.bad {
		return false
	}
	p.file.publics = append(p.file.publics, public{rva: uint32(rva), parameterSize: params, name: p.keep(f.name())})
	return true
}

// multiple passes over the "m" that marks a record standing for several
// symbols at one address.
func (f *fields) multiple() {
	rest := bytes.TrimLeft(f.rest, " \t")
	if len(rest) > 1 && rest[0] == 'm' && blank(rest[1]) {
		f.rest = rest[2:]
	}
}
