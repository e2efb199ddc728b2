package breakpad

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
)

// Why a text is refused as a whole.
var (
	// ErrNoModule: a text does not start with a MODULE record, so it is no symbol
	// file (but an error page, a compressed one, an empty one).
	ErrNoModule = errors.New("no MODULE record")
	// ErrDamaged: there are more bad lines than such that tell something of code,
	// so that nothing the text seems to say is to be believed.
	ErrDamaged = errors.New("more lines make no sense than do")
)

// ParseOptions change how Parse reads. The zero value is right for files found
// by debug id.
type ParseOptions struct {
	// Arch overrides the architecture of the MODULE record.
	Arch Arch
}

// Parse reads a symbol file to its end. Bad lines are skipped and counted
// ([File.BadLines]); a line may end in CR LF and the last one without either.
// Some may stand before the MODULE record, as what a program says that wrote the
// file. Texts as PowerShell writes them are read as well ([File.Encoding]).
//
// The error is ErrNoModule, ErrDamaged, a limit's or the reader's.
func Parse(r io.Reader, o ParseOptions) (*File, error) {
	t := &tables{file: &File{}, fileIDs: map[uint32]uint32{}, originIDs: map[uint32]uint32{}}
	if err := scan(r, o, t.file, t); err != nil {
		return nil, err
	}
	t.resolve()
	t.file.finish()
	return t.file, nil
}

// Scan reads as Parse does, and hands the records of code to the sink instead
// of keeping them: the File that it answers locates nothing, but has all the
// rest. So what a reader of large files holds at a time is its own choice.
//
// The error is one of Parse or of the sink.
func Scan(r io.Reader, o ParseOptions, sink Sink) (*File, error) {
	f := &File{}
	if err := scan(r, o, f, sink); err != nil {
		return nil, err
	}
	return f, nil
}

func scan(r io.Reader, o ParseOptions, file *File, sink Sink) error {
	p := &parser{file: file, sink: sink, options: o, winPrograms: map[string]WinProgram{}, cfiRecordAt: map[string]uint32{}}
	in, encoding := decoded(bufio.NewReaderSize(r, maxLineBytes))
	file.Encoding = encoding
	p.strict.refused = encoding != ""
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			p.file.badLines++
			p.strict.tooLong()
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			line = nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("symbol file: line %d: %w", p.lineNumber+1, err)
		}
		if len(line) > 0 {
			if err != nil { // the last one has no end
				p.strict.refused = true
			}
			if perr := p.line(withoutEnd(line)); perr != nil {
				return fmt.Errorf("symbol file: line %d: %w", p.lineNumber, perr)
			}
		}
		if err != nil {
			break
		}
	}
	switch {
	case !p.sawModule:
		return fmt.Errorf("symbol file: %w", ErrNoModule)
	case p.file.badLines > p.file.records-p.besides:
		return fmt.Errorf("symbol file: %d bad lines: %w", p.file.badLines, ErrDamaged)
	}
	p.finish()
	return nil
}

// withoutEnd takes CR and LF off the end of a line.
func withoutEnd(line []byte) []byte {
	n := len(line)
	for n > 0 && (line[n-1] == '\n' || line[n-1] == '\r') {
		n--
	}
	return line[:n]
}

// parser reads records. Those of code go to the sink, the others to the file.
// Addresses are checked to fit 32 bits as they are read.
type parser struct {
	file        *File
	sink        Sink
	err         error // of the sink
	options     ParseOptions
	strict      strictReader
	lineNumber  int
	sawModule   bool
	besides     int // records that tell nothing of code
	section     section
	nameBytes   uint64        // of all names
	symbols     int           // FUNC and PUBLIC records
	ranges      []InlineRange // of the last INLINE record; its memory is used again
	oldInlines  bool
	programs    programTable
	winPrograms map[string]WinProgram
	cfiInits    []cfiInit
	cfiDeltas   []cfiDelta
	cfiRecords  []cfiRecord
	cfiRecordAt map[string]uint32 // text → index in cfiRecords
}

// line reads one record. It fails only when going on is of no use.
func (p *parser) line(text []byte) error {
	p.lineNumber++
	if p.strict.section == sectionFunc && p.inFunction(text) {
		p.file.records++
		return p.sink.Err()
	}
	p.strict.line(text)
	if len(text) == 0 {
		return nil
	}
	f := fields{rest: text}
	if !p.sawModule {
		switch {
		case f.keyword("MODULE") && p.module(&f):
			p.sawModule = true
			p.file.records++
			p.besides++
		case p.file.badLines == maxLinesBeforeModule:
			return ErrNoModule
		default:
			p.file.badLines++
		}
		return nil
	}
	if p.nameBytes+uint64(len(text)) > maxNameBytes {
		return ErrNameLimit
	}
	if p.record(&f) {
		p.file.records++
	} else {
		p.file.badLines++
	}
	return cmp.Or(p.err, p.sink.Err())
}

// inFunction reads a line or INLINE record, which most lines are. That of these
// one more thing is strict needs no second look.
func (p *parser) inFunction(text []byte) (ok bool) {
	f := fields{rest: text}
	if f.keyword("INLINE") {
		ok = p.inline(&f)
	} else {
		ok = p.sourceLine(&f)
	}
	if ok && (f.long || p.oldInlines || blank(text[0]) || blank(text[len(text)-1])) {
		p.strict.refused = true
	}
	return ok
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
	p.besides++
	switch key := f.token(); string(key) {
	case "CODE_ID":
		p.file.CodeID, p.file.CodeFile = string(f.token()), string(f.name())
	case "URL":
		p.file.URL = string(f.name())
	}
	return true
}
