package symbolcache

import (
	"cmp"
	"encoding/binary"
	"slices"

	"aftershock/breakpad"
)

// body collects the records below a FUNC and encodes its entry of the code
// section. Its memory is used for every function.
type body struct {
	first, last uint32
	lines       []line
	ranges      []inlineRange
	calls       []call

	tables, lineBytes, callBytes, out []byte
	callAt                            []uint32 // where each call is in callBytes
}

type line struct{ first, last, number, file uint32 }

// call is an inlined call; its place is in the function around it.
type call struct {
	origin, file, line, depth uint32
	old                       bool
}

type inlineRange struct {
	key        uint64 // depth and first address, as breakpad searches
	size, call uint32
}

func (b *body) reset(first, last uint32) {
	b.first, b.last = first, last
	b.lines, b.ranges, b.calls = b.lines[:0], b.ranges[:0], b.calls[:0]
}

// encode answers the entry, valid until the next one is encoded. What no lookup
// inside the function finds is left out.
func (b *body) encode() []byte {
	lines := breakpad.Disjoint(b.lines, func(l line) (uint32, uint32) { return l.first, l.last })
	place, file := uint64(callUnknown), uint32(0) // of calls of the older form in the function itself
	if len(lines) > 0 {
		place, file = callAt, lines[0].file
	}
	lines = b.inside(lines)
	ranges := b.disjointRanges()
	b.encodeCalls(ranges, place, file)
	wide := b.isWide(lines, ranges)
	b.encodeLines(lines, wide)
	if len(b.lineBytes) > narrowest && !wide {
		wide = true
		b.encodeLines(lines, wide)
	}
	if len(ranges) > 0 {
		b.encodeRanges(ranges, wide)
	}
	head := uint64(len(lines)) << codeBits
	if wide {
		head |= codeWide
	}
	if len(ranges) > 0 {
		head |= codeInlines
	}
	b.out = binary.AppendUvarint(b.out[:0], head)
	if len(ranges) > 0 {
		b.out = binary.AppendUvarint(b.out, ranges[len(ranges)-1].key>>32+1)
		b.out = binary.AppendUvarint(b.out, uint64(len(b.callBytes)))
	}
	b.out = append(b.out, b.tables...)
	b.out = append(b.out, b.callBytes...)
	b.out = append(b.out, b.lineBytes...)
	return b.out
}

// narrowest is the greatest number in the tables of an entry that is not wide.
const narrowest = 1<<16 - 1

func (b *body) isWide(lines []line, ranges []inlineRange) bool {
	if b.last-b.first >= narrowest || len(b.callBytes) > narrowest || len(ranges) > narrowest || len(lines) > 0 && lines[0].first < b.first {
		return true
	}
	for i := range ranges {
		if uint32(ranges[i].key) < b.first {
			return true
		}
	}
	return false
}

// inside leaves out lines beside the function.
func (b *body) inside(lines []line) []line {
	for len(lines) > 0 && lines[0].last < b.first {
		lines = lines[1:]
	}
	for len(lines) > 0 && lines[len(lines)-1].first > b.last {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// disjointRanges sorts the ranges and cuts each where the next one of its depth
// starts: breakpad tries only the range that starts nearest before an address.
// So what is left is disjoint in a depth. Calls that lie deeper than a depth
// without ranges cannot be reached.
func (b *body) disjointRanges() []inlineRange {
	slices.SortFunc(b.ranges, func(x, y inlineRange) int {
		if x.key != y.key {
			return cmp.Compare(x.key, y.key)
		}
		return cmp.Or(cmp.Compare(x.size, y.size), cmp.Compare(x.call, y.call))
	})
	kept := b.ranges[:0]
	depth := uint64(0)
	for i, r := range b.ranges {
		first := r.key & maxRVA
		end := min(first+uint64(r.size), uint64(b.last)+1)
		if i+1 < len(b.ranges) && b.ranges[i+1].key>>32 == r.key>>32 {
			end = min(end, b.ranges[i+1].key&maxRVA)
		}
		if end <= first || end <= uint64(b.first) {
			continue
		}
		switch r.key >> 32 {
		case depth:
		case depth + 1:
			if len(kept) == 0 {
				return nil
			}
			depth++
		default:
			return kept
		}
		r.size = uint32(end - first)
		kept = append(kept, r)
	}
	return kept
}

// encodeCalls encodes the calls that ranges are of. place and file are where
// those of the older form stand that the function itself makes.
func (b *body) encodeCalls(ranges []inlineRange, place uint64, file uint32) {
	b.callBytes, b.callAt = b.callBytes[:0], b.callAt[:0]
	for range b.calls {
		b.callAt = append(b.callAt, undefined)
	}
	for _, r := range ranges {
		if b.callAt[r.call] != undefined {
			continue
		}
		b.callAt[r.call] = uint32(len(b.callBytes))
		c := &b.calls[r.call]
		kind, file := uint64(callAt), file
		switch {
		case !c.old:
			file = c.file
		case c.depth == 0:
			kind = place
		default:
			kind = callByCaller
		}
		b.callBytes = binary.AppendUvarint(b.callBytes, uint64(c.origin)<<callPlaceBits|kind)
		if kind == callAt {
			b.callBytes = binary.AppendUvarint(b.callBytes, uint64(file))
		}
		if kind != callUnknown {
			b.callBytes = binary.AppendUvarint(b.callBytes, uint64(c.line))
		}
	}
}

// encodeLines encodes the line records and starts the tables with where their
// groups are.
func (b *body) encodeLines(lines []line, wide bool) {
	b.tables, b.lineBytes = b.tables[:0], b.lineBytes[:0]
	var end uint64
	var file, number uint32
	for i := range lines {
		l := &lines[i]
		first := uint64(l.first)
		if i%lineGroup == 0 {
			b.word(l.first, wide, true)
			b.word(uint32(len(b.lineBytes)), wide, false)
			end, file, number = first, 0, 0
		}
		size := uint64(min(l.last, b.last)) + 1 - first
		v := size << lineBits
		if first != end {
			v |= lineGap
		}
		if l.file != file {
			v |= lineFile
		}
		b.lineBytes = binary.AppendUvarint(b.lineBytes, v)
		if first != end {
			b.lineBytes = binary.AppendUvarint(b.lineBytes, first-end)
		}
		if l.file != file {
			b.lineBytes = binary.AppendUvarint(b.lineBytes, uint64(l.file))
		}
		b.lineBytes = binary.AppendUvarint(b.lineBytes, zigzag(l.number-number))
		end, file, number = first+size, l.file, l.number
	}
}

// encodeRanges appends to the tables where the depths end, and the ranges.
func (b *body) encodeRanges(ranges []inlineRange, wide bool) {
	for i := range ranges {
		if i+1 == len(ranges) || ranges[i].key>>32 != ranges[i+1].key>>32 {
			b.word(uint32(i+1), wide, false)
		}
	}
	for i := range ranges {
		r := &ranges[i]
		b.word(uint32(r.key), wide, true)
		b.word(r.size, wide, false)
		b.word(b.callAt[r.call], wide, false)
	}
}

// word appends a number to the tables. Where they are narrow, addresses count
// from the start of the function.
func (b *body) word(v uint32, wide, address bool) {
	switch {
	case wide:
		b.tables = binary.LittleEndian.AppendUint32(b.tables, v)
	case address:
		b.tables = binary.LittleEndian.AppendUint16(b.tables, uint16(v-b.first))
	default:
		b.tables = binary.LittleEndian.AppendUint16(b.tables, uint16(v))
	}
}
