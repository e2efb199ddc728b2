package breakpad

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// cfiRange is an INIT record with its rows.
type cfiRange struct {
	first, last uint32
	rows        slice // of File.cfiRows
}

// cfiRow holds from rva to the next row of its range.
type cfiRow struct {
	rva     uint32
	entries slice // of File.cfiRules; empty for rules that make no sense
}

// cfiRecord is the distinct text of INIT or delta records, compiled.
type cfiRecord struct {
	text  string
	rules []cfiRule
	ok    bool
}

type cfiRule struct {
	target  byte
	program uint32
}

type cfiInit struct {
	first, last uint32
	record      uint32
	deltas      slice
}

type cfiDelta struct {
	rva    uint32
	record uint32
}

// What is kept of STACK records, with what is made of them at the end and the
// room that tables have to grow.
const (
	cfiInitBytes   = 2*24 + 16 + 12
	cfiDeltaBytes  = 2*8 + 12
	cfiRecordBytes = 192 // and three times its text: the record, its rules and programs
	winRecordBytes = 2 * 72
	winProgramSize = 96 // and twice its text
)

// cfi reads "STACK CFI INIT address size rules" and the "STACK CFI address
// rules" that follow it.
func (p *parser) cfi(f *fields) bool {
	if f.keyword("INIT") {
		p.section = sectionNone
		rva, size := f.rva(), f.hex(8)
		if f.bad {
			return false
		}
		p.section = sectionCFI
		p.sink.Unwind(cfiInitBytes)
		n := uint32(len(p.cfiDeltas))
		p.cfiInits = append(p.cfiInits, cfiInit{
			first: uint32(rva), last: uint32(min(rva+max(size, 1)-1, maxRVA)),
			record: p.cfiRecord(f.name()), deltas: slice{n, n},
		})
		if size == 0 { // covers nothing, but takes the deltas after it
			p.cfiInits[len(p.cfiInits)-1].record = unknown
		}
		return true
	}
	if p.section != sectionCFI {
		return false
	}
	rva := f.rva()
	if f.bad {
		return false
	}
	if len(p.cfiDeltas) == cap(p.cfiDeltas) {
		// append would grow by a quarter, and leave five times the size as garbage.
		p.cfiDeltas = slices.Grow(p.cfiDeltas, max(len(p.cfiDeltas), 64))
	}
	p.sink.Unwind(cfiDeltaBytes)
	p.cfiDeltas = append(p.cfiDeltas, cfiDelta{uint32(rva), p.cfiRecord(f.name())})
	p.cfiInits[len(p.cfiInits)-1].deltas.end++
	return true
}

// cfiRecord answers the index of the record with this text.
func (p *parser) cfiRecord(rules []byte) uint32 {
	rules = bytes.TrimRight(rules, " \t")
	if at, ok := p.cfiRecordAt[string(rules)]; ok {
		return at
	}
	p.sink.Unwind(cfiRecordBytes + 3*len(rules))
	at := uint32(len(p.cfiRecords))
	r := cfiRecord{text: string(rules)}
	r.rules, r.ok = p.compileRules(rules)
	p.cfiRecords = append(p.cfiRecords, r)
	p.cfiRecordAt[r.text] = at
	return at
}

// compileRules takes "reg: expression reg: expression ..." apart. A record
// that does not start with a register, or has a rule without expression, is
// unusable as a whole. Rules for unknown registers are ignored.
func (p *parser) compileRules(rules []byte) ([]cfiRule, bool) {
	var out []cfiRule
	tokens := bytes.Fields(rules)
	if len(tokens) == 0 {
		return nil, false
	}
	for len(tokens) > 0 {
		name, isTarget := bytes.CutSuffix(tokens[0], []byte(":"))
		if !isTarget {
			return nil, false
		}
		end := 1
		for end < len(tokens) && !bytes.HasSuffix(tokens[end], []byte(":")) {
			end++
		}
		if end == 1 {
			return nil, false
		}
		expression := tokens[1:end]
		tokens = tokens[end:]
		var target byte
		switch string(name) {
		case ".cfa":
			target = ruleCFA
		case ".ra":
			target = ruleRA
		default:
			r, ok := p.file.arch.Register(string(bytes.TrimPrefix(name, []byte("$"))))
			if !ok {
				continue
			}
			target = byte(r)
		}
		out = append(out, cfiRule{target, p.programs.rule(expression, target == ruleCFA)})
	}
	return out, true
}

// rowBuilder is the rules in force while the records of a range are applied.
type rowBuilder struct {
	programs [256]uint32 // by target; 0 for none
	ok       bool
	buf      []byte
}

func (b *rowBuilder) apply(r *cfiRecord) {
	b.ok = b.ok && r.ok
	for _, rule := range r.rules {
		b.programs[rule.target] = rule.program
	}
}

// entries encodes the rules in force, see Rules.Entries; empty if they cannot
// be evaluated.
func (b *rowBuilder) entries(code []byte) []byte {
	b.buf = b.buf[:0]
	if !b.ok || b.programs[ruleCFA] == 0 || b.programs[ruleRA] == 0 {
		return b.buf
	}
	add := func(target int) {
		if program := b.programs[target]; program != 0 {
			b.buf = appendRule(b.buf, byte(target), program, code)
		}
	}
	add(ruleCFA)
	add(ruleRA)
	for target := range MaxRegisters {
		add(target)
	}
	return b.buf
}

// finishCFI turns records into rows. Every row stands for itself, so that a
// lookup is two binary searches; rows with equal rules share them.
func (p *parser) finishCFI() {
	f := p.file
	f.cfiCode = p.programs.code
	inits := p.cfiInits[:0]
	for _, in := range p.cfiInits {
		if in.record != unknown {
			inits = append(inits, in)
		}
	}
	inits = Disjoint(inits, func(in cfiInit) (uint32, uint32) { return in.first, in.last })
	shared := map[string]slice{}
	f.cfiRanges = make([]cfiRange, 0, len(inits))
	f.cfiRows = make([]cfiRow, 0, len(inits)+len(p.cfiDeltas))
	var b rowBuilder
	for _, in := range inits {
		b = rowBuilder{ok: true, buf: b.buf}
		b.apply(&p.cfiRecords[in.record])
		deltas := p.cfiDeltas[in.deltas.start:in.deltas.end]
		slices.SortStableFunc(deltas, func(x, y cfiDelta) int {
			return cmp.Or(cmp.Compare(x.rva, y.rva), strings.Compare(p.cfiRecords[x.record].text, p.cfiRecords[y.record].text))
		})
		rows := slice{start: uint32(len(f.cfiRows))}
		row := func(rva uint32) {
			entries := b.entries(f.cfiCode)
			at, ok := shared[string(entries)]
			if !ok {
				at = slice{uint32(len(f.cfiRules)), uint32(len(f.cfiRules) + len(entries))}
				f.cfiRules = append(f.cfiRules, entries...)
				shared[string(entries)] = at
			}
			f.cfiRows = append(f.cfiRows, cfiRow{rva, at})
		}
		next := 0
		for ; next < len(deltas) && deltas[next].rva <= in.first; next++ {
			b.apply(&p.cfiRecords[deltas[next].record])
		}
		row(in.first)
		for next < len(deltas) {
			rva := deltas[next].rva
			for ; next < len(deltas) && deltas[next].rva == rva; next++ {
				b.apply(&p.cfiRecords[deltas[next].record])
			}
			row(rva)
		}
		rows.end = uint32(len(f.cfiRows))
		f.cfiRanges = append(f.cfiRanges, cfiRange{in.first, in.last, rows})
	}
}

// CFI is the STACK CFI row in force at rva.
func (f *File) CFI(rva uint64) (CFIRow, bool) {
	if rva > maxRVA {
		return CFIRow{}, false
	}
	addr := uint32(rva)
	i := searchLast(f.cfiRanges, func(r *cfiRange) uint32 { return r.last }, addr)
	if i == len(f.cfiRanges) || f.cfiRanges[i].first > addr {
		return CFIRow{}, false
	}
	r := &f.cfiRanges[i]
	rows := f.cfiRows[r.rows.start:r.rows.end]
	at := rows[searchFirst(rows, func(row *cfiRow) uint32 { return row.rva }, addr)-1].entries
	return f.cfiRow(at, addr == r.first), true
}

// CFIStart is where the STACK CFI INIT record starts that covers rva: of most
// functions where they do.
func (f *File) CFIStart(rva uint64) (start uint64, ok bool) {
	if rva > maxRVA {
		return 0, false
	}
	i := searchLast(f.cfiRanges, func(r *cfiRange) uint32 { return r.last }, uint32(rva))
	if i == len(f.cfiRanges) || uint64(f.cfiRanges[i].first) > rva {
		return 0, false
	}
	return uint64(f.cfiRanges[i].first), true
}

// CFIRows bounds how often EachCFI yields.
func (f *File) CFIRows() int { return len(f.cfiRows) + len(f.cfiRanges) }

// EachCFI calls yield in the order of addresses with where a row comes into
// force, and with ok false where the last one of an INIT record ends and no
// other begins.
func (f *File) EachCFI(yield func(rva uint64, row CFIRow, ok bool)) {
	for i := range f.cfiRanges {
		r := &f.cfiRanges[i]
		for _, row := range f.cfiRows[r.rows.start:r.rows.end] {
			if row.rva > r.last {
				break
			}
			yield(uint64(row.rva), f.cfiRow(row.entries, row.rva == r.first), true)
		}
		if end := uint64(r.last) + 1; i+1 == len(f.cfiRanges) || uint64(f.cfiRanges[i+1].first) > end {
			yield(end, CFIRow{}, false)
		}
	}
}

func (f *File) cfiRow(entries slice, atInit bool) CFIRow {
	return CFIRow{
		AtInit: atInit,
		Rules:  Rules{Entries: f.cfiRules[entries.start:entries.end:entries.end], Code: f.cfiCode},
	}
}
