package minidump

import "aftershock/internal/cursor"

// AnnotationKind tells where in the Crashpad stream an annotation stood.
type AnnotationKind uint8

// The kinds of Crashpad annotations.
const (
	AnnotationSimple AnnotationKind = iota // name and value, of the process or a module
	AnnotationList                         // value only, of a module
	AnnotationObject                       // name, type and value, of a module
)

// AnnotationString is the Type of an object whose value is text.
const AnnotationString = 1

// Annotation is one Crashpad annotation.
type Annotation struct {
	// Module is the index in Dump.Modules, -1 for an annotation of the process
	// or of a module that was left out.
	Module int
	Kind   AnnotationKind
	// Type is an object's type; Value is empty unless it is AnnotationString.
	Type        uint16
	Name, Value string
}

// CrashpadInfo is MinidumpCrashpadInfo. ReportID and ClientID are UUIDs in
// lower-case hex with dashes.
type CrashpadInfo struct {
	ReportID, ClientID string
	Annotations        []Annotation
}

func (d *Dump) readCrashpadInfo(c *cursor.Cursor) bool {
	if c.U32() == 0 { // version
		return false
	}
	var info CrashpadInfo
	report, client := c.Bytes(16), c.Bytes(16)
	simple, modules := readLocation(c), readLocation(c)
	if c.Err() != nil {
		return false
	}
	info.ReportID, info.ClientID = d.uuidText(report), d.uuidText(client)
	d.Crashpad = &info
	r := crashpadReader{Dump: d, budget: maxAnnotationBytes, link: -1}
	r.simple(simple, -1)
	r.modules(modules)
	return true
}

// uuidText is the usual form of a UUID.
func (d *Dump) uuidText(b []byte) string {
	const hexDigits = "0123456789abcdef"
	c := cursor.New(b, d.order)
	a, b1, b2 := c.U32(), c.U16(), c.U16()
	raw := [16]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a), byte(b1 >> 8), byte(b1), byte(b2 >> 8), byte(b2)}
	copy(raw[8:], b[8:])
	out := make([]byte, 0, 36)
	for i, v := range raw {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, hexDigits[v>>4], hexDigits[v&15])
	}
	return string(out)
}

// crashpadReader reads annotations until their number or bytes reach a limit:
// many entries may point at one string, so that a small dump could name much.
type crashpadReader struct {
	*Dump
	budget uint64
	full   bool
	link   int // entry of the module list, for findings
}

func (r *crashpadReader) add(a Annotation) {
	used := uint64(len(a.Name) + len(a.Value))
	if r.full || len(r.Crashpad.Annotations) >= maxAnnotations || used > r.budget {
		if !r.full {
			r.find(FindingLimitAnnotations, -1)
		}
		r.full = true
		return
	}
	r.budget -= used
	r.Crashpad.Annotations = append(r.Crashpad.Annotations, a)
}

// entries goes to the count that stands at loc; the records follow it.
func (r *crashpadReader) entries(loc location, size uint64) (cursor.Cursor, int) {
	data := r.bytesOf(loc)
	c := cursor.New(data, r.order)
	if loc.size == 0 {
		return c, 0
	}
	n := c.Count(size)
	if c.Err() != nil {
		r.find(FindingCrashpadAnnotation, r.link)
		return c, 0
	}
	return c, n
}

func (r *crashpadReader) text(rva uint32) string {
	s, ok := r.utf8At(uint64(rva), maxAnnotationBytes)
	if !ok {
		r.find(FindingCrashpadAnnotation, r.link)
	}
	return s
}

// simple reads MinidumpSimpleStringDictionary.
func (r *crashpadReader) simple(loc location, module int) {
	c, n := r.entries(loc, 8)
	for i := 0; i < n && !r.full; i++ {
		name, value := c.U32(), c.U32()
		r.add(Annotation{Module: module, Kind: AnnotationSimple, Name: r.text(name), Value: r.text(value)})
	}
}

// list reads MinidumpRVAList of strings.
func (r *crashpadReader) list(loc location, module int) {
	c, n := r.entries(loc, 4)
	for i := 0; i < n && !r.full; i++ {
		r.add(Annotation{Module: module, Kind: AnnotationList, Value: r.text(c.U32())})
	}
}

// objects reads MinidumpAnnotationList.
func (r *crashpadReader) objects(loc location, module int) {
	c, n := r.entries(loc, 12)
	for i := 0; i < n && !r.full; i++ {
		name, typ := c.U32(), c.U16()
		c.Skip(2)
		value := c.U32()
		a := Annotation{Module: module, Kind: AnnotationObject, Type: typ, Name: r.text(name)}
		if typ == AnnotationString {
			a.Value = r.text(value)
		}
		r.add(a)
	}
}

// modules reads MinidumpModuleCrashpadInfoList.
func (r *crashpadReader) modules(loc location) {
	c, n := r.entries(loc, 12)
	for i := 0; i < n && !r.full; i++ {
		r.link = i
		module := r.moduleIndex(c.U32())
		link := readLocation(&c)
		m := cursor.New(r.bytesOf(link), r.order)
		m.Skip(4) // version
		list, simple, objects := readLocation(&m), readLocation(&m), readLocation(&m)
		if m.Err() != nil {
			r.find(FindingCrashpadAnnotation, i)
			continue
		}
		r.list(list, module)
		r.simple(simple, module)
		r.objects(objects, module)
	}
}

// moduleIndex maps a record number of the module list to Dump.Modules.
func (d *Dump) moduleIndex(record uint32) int {
	if uint64(record) >= uint64(len(d.moduleOfRecord)) {
		return -1
	}
	return d.moduleOfRecord[record]
}
