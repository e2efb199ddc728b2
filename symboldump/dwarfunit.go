package symboldump

// unit is a unit of .debug_info: its header, and what its first entry says.
type unit struct {
	dwarf        *dwarf
	offset       uint64 // of the header in the section; references count from it
	first, end   uint64 // of the entries
	abbrevOffset uint64
	dwoID        uint64
	version      int
	addrBytes    int
	kind         uint8
	is64         bool

	rooted       bool // what follows has been read
	abbrevs      *abbrevTable
	name         []byte
	compDir      []byte
	dwoName      []byte
	language     uint64
	lowPC        uint64
	hasRanges    bool
	stmtList     uint64
	hasStmtList  bool
	strBase      uint64
	addrBase     uint64
	rangesBase   uint64 // of .debug_ranges, in split DWARF 4
	rnglistsBase uint64
	hasStrBase   bool
	hasAddrBase  bool
	hasListsBase bool
	skeleton     *unit // of a split unit: the unit that names it, which has its addresses and lines
}

// attr is the value of an attribute as its form has it.
type attr struct {
	form uint32
	n    uint64 // number, index, offset or reference
	b    []byte // the text of formString
}

// size64 is the size of offsets.
func (u *unit) offsetBytes() int {
	if u.is64 {
		return 8
	}
	return 4
}

// read reads the value of an attribute.
func (u *unit) read(r *reader, s attrSpec) attr {
	form := s.form
	if form == formIndirect {
		if form = uint32(r.uleb()); form == formIndirect || form == formImplicitConst {
			r.fail()
		}
	}
	v := attr{form: form}
	switch form {
	case formAddr:
		v.n = r.word(u.addrBytes)
	case formData1, formRef1, formFlag, formStrx1, formAddrx1:
		v.n = uint64(r.u8())
	case formData2, formRef2, formStrx2, formAddrx2:
		v.n = uint64(r.u16())
	case formStrx3, formAddrx3:
		v.n = uint64(r.u24())
	case formData4, formRef4, formStrx4, formAddrx4, formRefSup4:
		v.n = uint64(r.u32())
	case formData8, formRef8, formRefSig8, formRefSup8:
		v.n = r.u64()
	case formData16:
		r.skip(16)
	case formSdata:
		v.n = uint64(r.sleb())
	case formUdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formGNUAddrIndex, formGNUStrIndex:
		v.n = r.uleb()
	case formStrp, formLineStrp, formSecOffset, formStrpSup, formGNUStrpAlt, formGNURefAlt:
		v.n = r.offset(u.is64)
	case formRefAddr:
		if u.version == 2 { // of an address's size then
			v.n = r.word(u.addrBytes)
		} else {
			v.n = r.offset(u.is64)
		}
	case formString:
		v.b = r.text()
	case formBlock1:
		r.skip(uint64(r.u8()))
	case formBlock2:
		r.skip(uint64(r.u16()))
	case formBlock4:
		r.skip(uint64(r.u32()))
	case formBlock, formExprloc:
		r.skip(r.uleb())
	case formFlagPresent:
		v.n = 1
	case formImplicitConst:
		v.n = uint64(s.implicit)
	default: // nobody knows how long it is
		r.fail()
	}
	return v
}

// skip passes over the attributes of an entry.
func (u *unit) skip(r *reader, a *abbrev) {
	if a.fixed {
		r.skip(uint64(a.bytes) + uint64(a.addresses)*uint64(u.addrBytes) + uint64(a.offsets)*uint64(u.offsetBytes()))
		return
	}
	for _, s := range a.specs {
		u.read(r, s)
	}
}

// entries is a reader of the unit's entries that counts offsets from the
// section's start.
func (u *unit) entries() reader {
	r := u.dwarf.reader(u.dwarf.info[:u.end])
	r.seek(u.first)
	return r
}

// root reads the first entry, once (DWARF 5 section 3.1.1). It answers false for
// a unit without one.
func (u *unit) root() bool {
	if u.rooted {
		return u.abbrevs != nil
	}
	u.rooted = true
	r := u.entries()
	table := u.dwarf.abbrevTable(u.abbrevOffset)
	a := table.find(r.uleb())
	if !a.known {
		return false
	}
	var strings [3]attr
	var low attr
	for _, s := range a.specs {
		v := u.read(&r, s)
		switch s.name {
		case attrName:
			strings[0] = v
		case attrCompDir:
			strings[1] = v
		case attrDwoName, attrGNUDwoName:
			strings[2] = v
		case attrLanguage:
			u.language = v.n
		case attrStmtList:
			u.stmtList, u.hasStmtList = v.n, true
		case attrLowPC:
			low = v
		case attrRanges:
			u.hasRanges = true
		case attrStrOffsetsBase:
			u.strBase, u.hasStrBase = v.n, true
		case attrAddrBase, attrGNUAddrBase:
			u.addrBase, u.hasAddrBase = v.n, true
		case attrRnglistsBase:
			u.rnglistsBase, u.hasListsBase = v.n, true
		case attrGNURangesBase:
			u.rangesBase = v.n
		case attrGNUDwoID:
			u.dwoID = v.n
		}
	}
	if r.bad {
		u.dwarf.report.drop(UnitDamaged)
		return false
	}
	u.abbrevs = table
	u.defaultBases()
	// Only now are the bases known that these may need.
	u.name, u.compDir, u.dwoName = u.text(strings[0]), u.text(strings[1]), u.text(strings[2])
	u.lowPC, _ = u.address(low)
	return true
}

// defaultBases are those of split units, whose sections begin with a header of
// DWARF 5 or with none (DWARF 5 section 7.26 to 7.28).
func (u *unit) defaultBases() {
	header := uint64(0)
	if u.version >= 5 {
		if header = 8; u.is64 {
			header = 16
		}
	}
	if !u.hasStrBase {
		u.strBase = header
	}
	if !u.hasListsBase && u.version >= 5 {
		if u.rnglistsBase = 12; u.is64 {
			u.rnglistsBase = 20
		}
	}
	if !u.hasAddrBase {
		u.addrBase = header
	}
}

// text is the string that an attribute stands for; nil if there is none.
func (u *unit) text(v attr) []byte {
	d := u.dwarf
	switch v.form {
	case formString:
		return v.b
	case formStrp:
		return d.report.textAt(d.str, v.n)
	case formLineStrp:
		return d.report.textAt(d.lineStr, v.n)
	case formStrpSup, formGNUStrpAlt:
		if d.alternate == nil {
			d.report.drop(AlternateMissing)
			return nil
		}
		return d.report.textAt(d.alternate.str, v.n)
	case formStrx, formStrx1, formStrx2, formStrx3, formStrx4, formGNUStrIndex:
		r := d.reader(d.strOffset)
		if v.n > uint64(len(d.strOffset)) {
			return nil
		}
		r.seek(u.strBase + v.n*uint64(u.offsetBytes()))
		off := r.offset(u.is64)
		if r.bad {
			return nil
		}
		return d.report.textAt(d.str, off)
	}
	return nil
}

// address is the address that an attribute stands for.
func (u *unit) address(v attr) (uint64, bool) {
	switch v.form {
	case formAddr:
		return v.n, true
	case formAddrx, formAddrx1, formAddrx2, formAddrx3, formAddrx4, formGNUAddrIndex:
		return u.indexedAddress(v.n)
	}
	return 0, false
}

func (u *unit) indexedAddress(index uint64) (uint64, bool) {
	from := u
	if u.skeleton != nil {
		from = u.skeleton
	}
	r := from.dwarf.reader(from.dwarf.addr)
	if index > uint64(len(r.data)) {
		return 0, false
	}
	r.seek(from.addrBase + index*uint64(u.addrBytes))
	v := r.word(u.addrBytes)
	return v, !r.bad
}
