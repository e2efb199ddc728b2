package symboldump

// splitUnits finds the parts of split units (DWARF 5 section 7.3.2).
type splitUnits struct {
	options Options
	report  *Report
	pack    *packageIndex
	opened  bool
	asked   map[[2]string]int // how often, by folder and name
}

// find is the part of a unit that the linker did not see; nil if it is not there.
func (s *splitUnits) find(u *unit) *unit {
	if !s.opened {
		s.opened = true
		if s.options.Package != nil {
			s.pack = openPackage(s.options.Package, s.report)
		}
	}
	var d *dwarf
	if s.pack != nil {
		d = s.pack.part(u.dwoID)
	}
	if d == nil && s.options.Split != nil {
		d = s.ask(string(u.compDir), string(u.dwoName))
	}
	if d == nil {
		return nil
	}
	if !s.report.step(len(d.info)) { // which is read for each
		return nil
	}
	for i := range d.units {
		part := &d.units[i]
		if part.version >= 5 && part.kind != unitSplitCompile {
			continue
		}
		part.skeleton = u
		if part.root() && part.dwoID == u.dwoID {
			if part.compDir == nil {
				part.compDir = u.compDir
			}
			return part
		}
		part.skeleton = nil
	}
	return nil
}

// ask is the debug information of a .dwo file. Many units can name the same one.
func (s *splitUnits) ask(dir, name string) *dwarf {
	if s.asked == nil {
		s.asked = map[[2]string]int{}
	}
	key := [2]string{dir, name}
	if s.asked[key] == maxRepeats || !s.report.hold(int64(len(dir)+len(name))+heldName) {
		return nil
	}
	s.asked[key]++
	file := s.options.Split(dir, name)
	if file == nil {
		return nil
	}
	if s.asked[key] == 1 {
		s.report.addFile(file)
	}
	return dwarfOf(file, ".dwo", s.report)
}

// packageIndex is the index of a .dwp file: which parts of its sections a unit
// has (DWARF 5 section 7.3.5.3; GNU's of DWARF 4 is the same with other numbers).
type packageIndex struct {
	whole   *dwarf
	version uint16
	columns []uint32 // DW_SECT_* of each
	rows    map[uint64]int
	offsets []uint32 // a row of columns for each unit
	sizes   []uint32
}

// DW_SECT_* (DWARF 5 table 7.1; those of version 2 are GNU's).
const (
	sectInfo       = 1
	sectAbbrev     = 3
	sectLine       = 4
	sectStrOffsets = 6
	sectRnglists   = 8
)

func openPackage(f *File, report *Report) *packageIndex {
	p := &packageIndex{whole: dwarfOf(f, ".dwo", report), rows: map[uint64]int{}}
	r := f.reader(f.sectionBytes("debug_cu_index", report))
	if p.whole == nil {
		return nil
	}
	p.version = r.u16()
	r.skip(2)
	columns, units, slots := uint64(r.u32()), uint64(r.u32()), uint64(r.u32())
	if r.bad || columns > 16 || slots > uint64(r.left())/12 || units > slots || units*columns > uint64(r.left())/8 {
		return nil
	}
	ids := make([]uint64, slots)
	for i := range ids {
		ids[i] = r.u64()
	}
	for _, id := range ids {
		if row := r.u32(); row > 0 && uint64(row) <= units {
			p.rows[id] = int(row - 1)
		}
	}
	numbers := func(n uint64) []uint32 {
		out := make([]uint32, n)
		for i := range out {
			out[i] = r.u32()
		}
		return out
	}
	p.columns = numbers(columns)
	p.offsets, p.sizes = numbers(units*columns), numbers(units*columns)
	if r.bad {
		return nil
	}
	return p
}

// part is the debug information of the unit with the id alone; nil if it is not
// there.
func (p *packageIndex) part(id uint64) *dwarf {
	row, ok := p.rows[id]
	if !ok {
		return nil
	}
	if p.whole.report.spent() {
		return nil
	}
	d := *p.whole
	d.units, d.tables = nil, map[uint64]*abbrevTable{}
	cut := func(section []byte, kind uint32) []byte {
		for i, column := range p.columns {
			if column == kind {
				at := row*len(p.columns) + i
				from := min(uint64(p.offsets[at]), uint64(len(section)))
				return section[from:min(from+uint64(p.sizes[at]), uint64(len(section)))]
			}
		}
		return nil
	}
	d.info, d.abbrevs, d.lines = cut(d.info, sectInfo), cut(d.abbrevs, sectAbbrev), cut(d.lines, sectLine)
	d.strOffset = cut(d.strOffset, sectStrOffsets)
	if p.version >= 5 {
		d.rnglists = cut(d.rnglists, sectRnglists)
	}
	d.readUnits()
	return &d
}
