package symboldump

import (
	"cmp"
	"slices"
)

// dwarf is the debug information of a file.
type dwarf struct {
	report    *Report
	bigEndian bool
	info      []byte
	abbrevs   []byte
	lines     []byte
	lineStr   []byte
	str       []byte
	strOffset []byte
	addr      []byte
	ranges    []byte
	rnglists  []byte

	units     []unit // by offset
	tables    map[uint64]*abbrevTable
	alternate *dwarf // of dwz, or nil

	// What has been read of what several units can name, see maxRepeats.
	abbrevsRead, rangesRead, linesRead uint64
}

// dwarfOf finds the debug information of a file; nil if it has none. suffix is
// ".dwo" for the sections of a split unit.
func dwarfOf(f *File, suffix string, report *Report) *dwarf {
	section := func(name string) []byte { return f.sectionBytes(name+suffix, report) }
	d := &dwarf{report: report, bigEndian: bool(f.order), tables: map[uint64]*abbrevTable{}}
	if d.info = section("debug_info"); d.info == nil {
		return nil
	}
	d.abbrevs, d.lines, d.lineStr = section("debug_abbrev"), section("debug_line"), section("debug_line_str")
	d.str, d.strOffset, d.addr = section("debug_str"), section("debug_str_offsets"), section("debug_addr")
	d.ranges, d.rnglists = section("debug_ranges"), section("debug_rnglists")
	d.readUnits()
	return d
}

func (d *dwarf) reader(data []byte) reader { return reader{data: data, bigEndian: d.bigEndian} }

// readUnits reads the headers of all units (DWARF 5 section 7.5.1).
func (d *dwarf) readUnits() {
	r := d.reader(d.info)
	for r.left() >= 4 {
		if len(d.units) == maxUnits {
			d.report.drop(UnitUnknown)
			return
		}
		if !d.report.hold(heldUnit) {
			return
		}
		u := unit{dwarf: d, offset: uint64(r.off)}
		length, is64 := r.unitLength()
		u.is64 = is64
		if r.bad || length > uint64(r.left()) {
			d.report.drop(UnitDamaged)
			return
		}
		u.end = uint64(r.off) + length
		next := u.end
		known := u.header(&r)
		u.first = uint64(r.off)
		switch {
		case !known:
			d.report.drop(UnitUnknown)
		case r.bad || u.first > u.end:
			d.report.drop(UnitDamaged)
		default:
			d.units = append(d.units, u)
		}
		if r.bad {
			return
		}
		r.seek(next)
	}
}

// header reads what follows a unit's length; false for a version or kind that is
// not known.
func (u *unit) header(r *reader) bool {
	u.version = int(r.u16())
	u.kind = unitCompile
	switch {
	case u.version >= 2 && u.version <= 4:
		u.abbrevOffset = r.offset(u.is64)
		u.addrBytes = int(r.u8())
	case u.version == 5:
		u.kind = r.u8()
		u.addrBytes = int(r.u8())
		u.abbrevOffset = r.offset(u.is64)
		switch u.kind {
		case unitSkeleton, unitSplitCompile:
			u.dwoID = r.u64()
		case unitType, unitSplitType:
			r.u64()
			r.offset(u.is64)
		}
	default:
		return false
	}
	return u.addrBytes == 4 || u.addrBytes == 8
}

// unitAt is the unit that has an offset of the section.
func (d *dwarf) unitAt(off uint64) *unit {
	i, exact := slices.BinarySearchFunc(d.units, off, func(u unit, off uint64) int { return cmp.Compare(u.offset, off) })
	if !exact {
		i--
	}
	if i < 0 || off < d.units[i].first || off >= d.units[i].end {
		return nil
	}
	return &d.units[i]
}
