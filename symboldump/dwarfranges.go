package symboldump

import "math"

// span is a range of addresses, [low, high).
type span struct{ low, high uint64 }

// appendRanges appends what a DW_AT_ranges stands for (DWARF 5 section 2.17.3).
// Code that the linker dropped lies at 0 and is left out.
func (u *unit) appendRanges(dst []span, v attr) []span {
	dst, ok := u.rangesOf(dst, v)
	if !ok {
		u.dwarf.report.drop(RangesDamaged)
	}
	return dst
}

func (u *unit) rangesOf(dst []span, v attr) ([]span, bool) {
	base := u.lowPC
	if u.skeleton != nil {
		base = u.skeleton.lowPC
	}
	if u.version < 5 {
		// Split units of DWARF 4 have their ranges in the file that names them.
		d, off := u.dwarf, v.n
		if u.skeleton != nil {
			d, off = u.skeleton.dwarf, v.n+u.skeleton.rangesBase
		}
		return u.rangeList(dst, d.reader(d.ranges), off, base)
	}
	off := v.n
	if v.form == formRnglistx {
		r := u.dwarf.reader(u.dwarf.rnglists)
		if v.n > uint64(len(r.data)) {
			return dst, false
		}
		r.seek(u.rnglistsBase + v.n*uint64(u.offsetBytes()))
		off = u.rnglistsBase + r.offset(u.is64)
		if r.bad {
			return dst, false
		}
	}
	return u.rngList(dst, off, base)
}

// rangeList reads a list of .debug_ranges (DWARF 4 section 2.17.3).
func (u *unit) rangeList(dst []span, r reader, off, base uint64) ([]span, bool) {
	r.seek(off)
	highest := uint64(math.MaxUint64)
	if u.addrBytes == 4 {
		highest = math.MaxUint32
	}
	for u.mayReadRange() {
		low, high := r.word(u.addrBytes), r.word(u.addrBytes)
		switch {
		case r.bad:
			return dst, false
		case low == 0 && high == 0:
			return dst, true
		case low == highest:
			base = high
			continue
		}
		dst = appendSpan(dst, base+low, base+high)
	}
	return dst, false
}

// rngList reads a list of .debug_rnglists (DWARF 5 section 7.25).
func (u *unit) rngList(dst []span, off, base uint64) ([]span, bool) {
	r := u.dwarf.reader(u.dwarf.rnglists)
	r.seek(off)
	for u.mayReadRange() {
		var low, high uint64
		ok := true
		switch r.u8() {
		case rleEndOfList:
			return dst, !r.bad
		case rleBaseAddressx:
			if base, ok = u.indexedAddress(r.uleb()); ok {
				continue
			}
		case rleBaseAddress:
			base = r.word(u.addrBytes)
			continue
		case rleStartxEndx:
			if low, ok = u.indexedAddress(r.uleb()); ok {
				high, ok = u.indexedAddress(r.uleb())
			}
		case rleStartxLength:
			low, ok = u.indexedAddress(r.uleb())
			high = low + r.uleb()
		case rleOffsetPair:
			low = base + r.uleb()
			high = base + r.uleb()
		case rleStartEnd:
			low, high = r.word(u.addrBytes), r.word(u.addrBytes)
		case rleStartLength:
			low = r.word(u.addrBytes)
			high = low + r.uleb()
		default:
			return dst, false
		}
		if !ok || r.bad {
			return dst, false
		}
		dst = appendSpan(dst, low, high)
	}
	return dst, false
}

// mayReadRange counts an entry of a list.
func (u *unit) mayReadRange() bool {
	d := u.dwarf
	d.rangesRead++
	size := uint64(len(d.ranges) + len(d.rnglists))
	if u.skeleton != nil {
		size += uint64(len(u.skeleton.dwarf.ranges))
	}
	return d.rangesRead <= maxRepeats*size && d.report.step(1)
}

func appendSpan(dst []span, low, high uint64) []span {
	if low == 0 || high <= low || len(dst) == maxFunctionRanges {
		return dst
	}
	return append(dst, span{low, high})
}
