package symboldump

// entryName is what an entry says of its name.
type entryName struct {
	linkage, name attr
	origin        attr // of another entry that has it
}

// note keeps an attribute that tells of the name.
func (n *entryName) note(name uint32, v attr) {
	switch name {
	case attrLinkageName, attrMIPSLinkageName:
		n.linkage = v
	case attrName:
		n.name = v
	case attrAbstractOrigin, attrSpecification:
		n.origin = v
	}
}

// nameOf finds the name: the mangled one if there is one, else that of the entry,
// else that of the entry it refers to. It is empty if nobody has one.
func (u *unit) nameOf(n entryName) []byte {
	for range maxReferences {
		if u.dwarf.report.spent() {
			return nil
		}
		if text := u.text(n.linkage); len(text) > 0 {
			return text
		}
		if n.name.form != 0 {
			return u.text(n.name)
		}
		var off uint64
		var ok bool
		if u, off, ok = u.target(n.origin); !ok {
			return nil
		}
		if n, ok = u.entryName(off); !ok {
			return nil
		}
	}
	return nil
}

// target is the entry that an attribute refers to: its unit and offset in that
// unit's section.
func (u *unit) target(v attr) (*unit, uint64, bool) {
	switch v.form {
	case formRef1, formRef2, formRef4, formRef8, formRefUdata:
		off := u.offset + v.n
		return u, off, off >= u.first && off < u.end
	case formRefAddr:
		other := u.dwarf.unitAt(v.n)
		return other, v.n, other != nil && other.root()
	case formGNURefAlt, formRefSup4, formRefSup8:
		if u.dwarf.alternate == nil {
			u.dwarf.report.drop(AlternateMissing)
			return nil, 0, false
		}
		other := u.dwarf.alternate.unitAt(v.n)
		return other, v.n, other != nil && other.root()
	}
	return nil, 0, false
}

// entryName reads the entry at an offset of the section.
func (u *unit) entryName(off uint64) (entryName, bool) {
	var n entryName
	r := u.dwarf.reader(u.dwarf.info[:u.end])
	r.seek(off)
	a := u.abbrevs.find(r.uleb())
	if !a.known {
		return n, false
	}
	for _, s := range a.specs {
		n.note(s.name, u.read(&r, s))
	}
	return n, u.dwarf.report.step(r.off-int(off)+len(a.specs)) && !r.bad
}
