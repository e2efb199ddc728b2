package symboldump

// abbrevTable is one table of .debug_abbrev (DWARF 5 section 7.5.3).
type abbrevTable struct {
	dense []abbrev // by code - 1, as compilers number them
	rest  map[uint64]abbrev
}

type abbrev struct {
	tag      uint32
	children bool
	known    bool // there is such a code
	// fixed: the attributes of every entry take bytes, and addresses and offsets
	// of the unit's size.
	fixed                     bool
	bytes, addresses, offsets uint32
	specs                     []attrSpec
}

type attrSpec struct {
	name, form uint32
	implicit   int64
}

// abbrevTable reads the table at an offset, once. It is empty from where it makes
// no sense on.
func (d *dwarf) abbrevTable(off uint64) *abbrevTable {
	if t, ok := d.tables[off]; ok {
		return t
	}
	t := &abbrevTable{}
	r := d.reader(d.abbrevs)
	if r.seek(off); d.abbrevsRead <= maxRepeats*uint64(len(d.abbrevs)) {
		t.read(&r, d.report)
		read := uint64(r.off) - min(off, uint64(r.off)) + 1
		d.abbrevsRead += read
		d.report.step(int(read))
	}
	d.tables[off] = t
	return t
}

func (t *abbrevTable) read(r *reader, report *Report) {
	for n := 0; n < maxAbbrevs; n++ {
		code := r.uleb()
		if code == 0 || r.bad || !report.hold(heldAbbrev) {
			return
		}
		a := abbrev{tag: uint32(r.uleb()), children: r.u8() != 0, known: true, fixed: true}
		for {
			s := attrSpec{name: uint32(r.uleb()), form: uint32(r.uleb())}
			if s.form == formImplicitConst {
				s.implicit = r.sleb()
			}
			if r.bad {
				return
			}
			if s.name == 0 && s.form == 0 {
				break
			}
			if len(a.specs) == maxAttributes || !report.hold(heldAttr) {
				return
			}
			a.specs = append(a.specs, s)
			a.measure(s.form)
		}
		switch {
		case code == uint64(len(t.dense))+1:
			t.dense = append(t.dense, a)
		default:
			if t.rest == nil {
				t.rest = map[uint64]abbrev{}
			}
			t.rest[code] = a
		}
	}
}

// measure adds a form to what every entry takes.
func (a *abbrev) measure(form uint32) {
	switch form {
	case formFlagPresent, formImplicitConst:
	case formData1, formRef1, formFlag, formStrx1, formAddrx1:
		a.bytes++
	case formData2, formRef2, formStrx2, formAddrx2:
		a.bytes += 2
	case formStrx3, formAddrx3:
		a.bytes += 3
	case formData4, formRef4, formStrx4, formAddrx4, formRefSup4:
		a.bytes += 4
	case formData8, formRef8, formRefSig8, formRefSup8:
		a.bytes += 8
	case formData16:
		a.bytes += 16
	case formAddr:
		a.addresses++
	case formStrp, formLineStrp, formSecOffset, formStrpSup, formGNUStrpAlt, formGNURefAlt:
		a.offsets++
	default:
		a.fixed = false
	}
}

// find is the abbreviation of a code, one that is not known if there is none.
func (t *abbrevTable) find(code uint64) *abbrev {
	if code-1 < uint64(len(t.dense)) {
		return &t.dense[code-1]
	}
	a := t.rest[code]
	return &a
}
