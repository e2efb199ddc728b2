package symboldump

import (
	"cmp"
	"math"
	"path"
	"slices"
	"strings"
)

// lineTable is the line table of a unit, run to its end (DWARF 5 section 6.2).
// Its memory is used again for the next unit's.
type lineTable struct {
	rows      []lineRow
	sequences []lineSequence // by address
	dirs      [][]byte
	files     []lineFile
	numbers   []uint32 // of files in symbols.files, plus 1; 0 for what was not asked for
	first     int      // index of the first file: 1 before DWARF 5
	compDir   []byte
	report    *Report
	full      bool // there is no room for more rows
}

// lineRow is a place in the source from an address on.
type lineRow struct {
	addr       uint64
	line, file uint32
}

// lineSequence is a part of code that lies together: rows [from, to).
type lineSequence struct {
	start, end uint64
	from, to   int
}

type lineFile struct {
	name []byte
	dir  uint64
}

// lineHeader is what the machine needs of a table's header.
type lineHeader struct {
	version        uint16
	is64           bool
	addrBytes      int
	minInstruction uint64
	maxOperations  uint64
	lineBase       int64
	lineRange      uint64
	opcodeBase     uint8
	lengths        []byte // operands of standard opcodes
}

// read reads the unit's table at an offset of the section. It holds what is before
// the place from which on it makes no sense.
func (t *lineTable) read(u *unit, d *dwarf, off uint64) {
	t.rows, t.sequences, t.dirs, t.files = t.rows[:0], t.sequences[:0], t.dirs[:0], t.files[:0]
	t.compDir, t.report, t.full = u.compDir, d.report, false
	r := d.reader(d.lines)
	r.seek(off)
	length, is64 := r.unitLength()
	body := r.part(min(length, uint64(r.left())))
	d.linesRead += uint64(len(body.data))
	if body.bad || d.linesRead > maxRepeats*uint64(len(d.lines)) || !d.report.step(len(body.data)) {
		d.report.drop(LinesDamaged)
		return
	}
	h := lineHeader{is64: is64, addrBytes: u.addrBytes}
	program, ok := t.header(&h, u, body)
	if ok {
		ok = t.run(&h, program)
	}
	if !ok {
		d.report.drop(LinesDamaged)
	}
	t.numbers = append(t.numbers[:0], make([]uint32, len(t.files))...)
	slices.SortStableFunc(t.sequences, func(a, b lineSequence) int { return cmp.Compare(a.start, b.start) })
}

// header reads the header and answers the program behind it.
func (t *lineTable) header(h *lineHeader, u *unit, r reader) (reader, bool) {
	h.version = r.u16()
	if h.version < 2 || h.version > 5 {
		return r, false
	}
	if h.version == 5 {
		h.addrBytes = int(r.u8())
		r.skip(1) // size of segment selectors
	}
	size := r.offset(h.is64)
	files := r.part(size)
	h.minInstruction, h.maxOperations = uint64(files.u8()), 1
	if h.version >= 4 {
		h.maxOperations = max(uint64(files.u8()), 1)
	}
	files.skip(1) // default_is_stmt
	h.lineBase, h.lineRange = int64(int8(files.u8())), uint64(files.u8())
	if h.opcodeBase = files.u8(); h.opcodeBase > 0 {
		h.lengths = files.bytes(uint64(h.opcodeBase - 1))
	}
	if files.bad || h.lineRange == 0 || h.opcodeBase == 0 {
		return r, false
	}
	if h.version == 5 {
		t.first = 0
		t.entries(u, h, &files, func(name []byte, _ uint64) { t.dirs = append(t.dirs, name) })
		t.entries(u, h, &files, func(name []byte, dir uint64) { t.files = append(t.files, lineFile{name, dir}) })
		return r, true
	}
	t.first = 1
	t.dirs = append(t.dirs, u.compDir)
	for len(t.dirs) < maxLineFiles {
		dir := files.text()
		if len(dir) == 0 {
			break
		}
		t.dirs = append(t.dirs, dir)
	}
	for len(t.files) < maxLineFiles {
		f := lineFile{name: files.text()}
		if len(f.name) == 0 {
			break
		}
		f.dir = files.uleb()
		files.uleb() // time
		files.uleb() // size
		t.files = append(t.files, f)
	}
	return r, true
}

// entries reads a list of folders or files of DWARF 5 (section 6.2.4.1).
func (t *lineTable) entries(u *unit, h *lineHeader, r *reader, yield func(name []byte, dir uint64)) {
	format := make([]attrSpec, r.u8())
	if len(format) > maxLineFormats {
		r.fail()
		return
	}
	for i := range format {
		format[i] = attrSpec{name: uint32(r.uleb()), form: uint32(r.uleb())}
	}
	forms := *u // the table has its own size of offsets
	forms.is64 = h.is64
	n := r.uleb()
	for range min(n, maxLineFiles) {
		var name []byte
		var dir uint64
		from := r.off
		for _, s := range format {
			v := forms.read(r, s)
			switch s.name {
			case lnctPath:
				name = forms.text(v)
			case lnctDirectoryIndex:
				dir = v.n
			}
		}
		if r.bad || r.off == from { // entries of nothing could be any number
			return
		}
		yield(name, dir)
	}
}

// lineMachine is the state of the line number machine (DWARF 5 section 6.2.2).
type lineMachine struct {
	addr, op   uint64
	line, file uint32
	// dropped: the sequence is of code that the linker dropped.
	dropped bool
	start   int // row that the sequence began with
}

// run executes the program.
func (t *lineTable) run(h *lineHeader, r reader) bool {
	m := lineMachine{line: 1, file: 1, start: len(t.rows)}
	begun := false // the sequence has an address
	advance := func(n uint64) {
		if h.maxOperations == 1 {
			m.addr += n * h.minInstruction
			return
		}
		m.addr += (m.op + n) / h.maxOperations * h.minInstruction
		m.op = (m.op + n) % h.maxOperations
	}
	for r.left() > 0 && !t.full {
		op := r.u8()
		if op >= h.opcodeBase {
			op -= h.opcodeBase
			advance(uint64(op) / h.lineRange)
			m.line += uint32(h.lineBase + int64(uint64(op)%h.lineRange))
			t.row(&m)
			continue
		}
		switch op {
		case 0:
			size := r.uleb()
			if size == 0 {
				continue
			}
			body := r.part(size)
			switch body.u8() {
			case lneEndSequence:
				t.end(&m)
				m = lineMachine{line: 1, file: 1, start: len(t.rows)}
				begun = false
			case lneSetAddress:
				m.addr, m.op = body.word(body.left()), 0
				if !begun { // 0 and the highest addresses stand for dropped code
					begun, m.dropped = true, m.addr == 0 || m.addr >= math.MaxUint64-1 || h.addrBytes == 4 && m.addr >= math.MaxUint32-1
				}
			case lneDefineFile:
				f := lineFile{name: body.text()}
				f.dir = body.uleb()
				if len(t.files) < maxLineFiles {
					t.files = append(t.files, f)
				}
			}
		case lnsCopy:
			t.row(&m)
		case lnsAdvancePC:
			advance(r.uleb())
		case lnsAdvanceLine:
			m.line += uint32(r.sleb())
		case lnsSetFile:
			m.file = uint32(r.uleb())
		case lnsSetColumn, lnsSetISA:
			r.uleb()
		case lnsNegateStmt, lnsSetBasicBlock, lnsSetPrologueEnd, lnsSetEpilogueBegin:
		case lnsConstAddPC:
			advance(uint64(255-h.opcodeBase) / h.lineRange)
		case lnsFixedAdvancePC:
			m.addr += uint64(r.u16())
			m.op = 0
		default:
			for range h.lengths[op-1] {
				r.uleb()
			}
		}
	}
	if len(t.rows) > m.start { // a sequence without an end: its last row covers a byte
		m.addr = t.rows[len(t.rows)-1].addr + 1
		t.end(&m)
	}
	return !r.bad
}

// row appends a row. Of several at one address the last one counts; addresses may
// only increase.
func (t *lineTable) row(m *lineMachine) {
	if m.dropped {
		return
	}
	row := lineRow{m.addr, m.line, m.file}
	if n := len(t.rows); n > m.start {
		last := &t.rows[n-1]
		if m.addr == last.addr {
			*last = row
			return
		}
		if m.addr < last.addr {
			return
		}
	}
	if n := len(t.rows); n == cap(t.rows) {
		n = max(n, firstRows)
		if t.full = !t.report.hold(int64(n) * heldRow); t.full {
			return
		}
		t.rows = slices.Grow(t.rows, n)
	}
	t.rows = append(t.rows, row)
}

// firstRows are what there is room for at first.
const firstRows = 256

// end ends the sequence at the machine's address.
func (t *lineTable) end(m *lineMachine) {
	n := len(t.rows)
	if n == m.start {
		return
	}
	t.sequences = append(t.sequences, lineSequence{
		start: t.rows[m.start].addr, end: max(m.addr, t.rows[n-1].addr+1), from: m.start, to: n,
	})
}

// within are the rows of a range of code: the first one may begin before it.
func (t *lineTable) within(at span) []lineRow {
	// The last sequence that begins at or before the range's start, else the next.
	i, _ := slices.BinarySearchFunc(t.sequences, at.low, func(s lineSequence, low uint64) int {
		if s.start <= low {
			return -1
		}
		return 1
	})
	if i > 0 && t.sequences[i-1].end > at.low {
		i--
	}
	if i == len(t.sequences) || t.sequences[i].start >= at.high {
		return nil
	}
	rows := t.rows[t.sequences[i].from:t.sequences[i].to]
	order := func(row lineRow, addr uint64) int { return cmp.Compare(row.addr, addr) }
	from, exact := slices.BinarySearchFunc(rows, at.low, order)
	if !exact && from > 0 {
		from--
	}
	to, _ := slices.BinarySearchFunc(rows, at.high, order)
	return rows[from:max(from, to)]
}

// number is the number of a file of the table.
func (t *lineTable) number(file uint32, s *symbols) uint32 {
	i := int64(file) - int64(t.first)
	if i < 0 || i >= int64(len(t.files)) {
		return s.fileNumber(cleanPath(t.compDir, nil, nil))
	}
	if t.numbers[i] == 0 {
		f := t.files[i]
		var dir []byte
		if f.dir < uint64(len(t.dirs)) {
			dir = t.dirs[f.dir]
		}
		t.numbers[i] = s.fileNumber(cleanPath(t.compDir, dir, f.name)) + 1
	}
	return t.numbers[i] - 1
}

func (s *symbols) fileNumber(path string) uint32 {
	if n, ok := s.files.at[path]; ok {
		return n
	}
	if !s.roomFor(path) {
		path = nameOmitted
	}
	return s.files.add(path, path)
}

// cleanPath joins what is relative to the folder of the compilation.
func cleanPath(compDir, dir, name []byte) string {
	compDir, dir = cut(compDir, maxPathBytes), cut(dir, maxPathBytes)
	full := string(cut(name, maxPathBytes))
	if !absolute(full) && len(dir) > 0 {
		full = string(dir) + "/" + full
	}
	if !absolute(full) && len(compDir) > 0 {
		full = string(compDir) + "/" + full
	}
	if full == "" {
		return "<unknown>"
	}
	if strings.Contains(full, "\\") || absolute(full) && full[0] != '/' {
		return oneLine(full) // Windows'
	}
	return oneLine(path.Clean(full))
}

func absolute(name string) bool {
	return strings.HasPrefix(name, "/") || strings.HasPrefix(name, "\\") || len(name) > 2 && name[1] == ':' && (name[2] == '\\' || name[2] == '/')
}
