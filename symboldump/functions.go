package symboldump

// readFunctions reads the debug information of the module, which lies in its own
// file or in debug. It answers false if there is no room for it.
func (s *symbols) readFunctions(f, debug *File, o Options, report *Report) bool {
	file := f
	d := dwarfOf(f, "", report)
	if debug != nil && (d == nil || len(d.units) == 0) {
		file, d = debug, dwarfOf(debug, "", report)
	}
	if d == nil {
		return !report.full()
	}
	if o.Alternate != nil {
		d.alternate = dwarfOf(o.Alternate, "", report)
	}
	var named symbolIndex
	named.add(file, report)
	if file != f {
		named.add(f, report)
	}
	named.sort()
	fr := &functionReader{symbols: s, named: &named, file: file, report: report, seen: map[uint32]int32{}, origins: map[uint64]uint32{}}
	split := splitUnits{options: o, report: report}
	for i := range d.units {
		u := &d.units[i]
		if report.full() {
			break
		}
		if !u.root() {
			continue
		}
		if len(u.dwoName) > 0 {
			if part := split.find(u); part != nil {
				fr.unit(part)
				continue
			}
			report.drop(SplitMissing)
		}
		// A unit without code: the linker dropped it, or others refer to it.
		if u.lowPC == 0 && !u.hasRanges {
			continue
		}
		fr.unit(u)
	}
	s.sortFunctions()
	return !report.full()
}
