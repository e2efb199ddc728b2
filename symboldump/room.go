package symboldump

// room is what may be held and done while the symbols of files are written. It goes
// by their size: what many places of a file can name must not cost as often as they
// name it. A nil room bounds nothing.
type room struct {
	held, mayHold int64
	full          bool // something did not fit
	// hold is [Options.Hold].
	hold func(bytes int64) bool
	// steps are those that are left: bytes that are read because something refers to
	// them, and attributes.
	steps int64
	// demangling is what is left for names, see demanglingOf and spell.
	demangling int64
}

func roomFor(files int64, o Options) *room {
	return &room{
		mayHold: minHeldBytes + maxHeldRatio*files, hold: o.Hold,
		steps: minSteps + maxStepRatio*files, demangling: minDemangling + files/demanglingBytes,
	}
}

// grow makes room for what was decompressed, which is held.
func (r *Report) grow(bytes int64) bool {
	if r.room == nil {
		return true
	}
	if !r.hold(bytes) {
		return false
	}
	r.room.widen(bytes)
	return true
}

// widen makes room for what is done with so many bytes of files more.
func (m *room) widen(bytes int64) {
	m.steps += maxStepRatio * bytes
	m.demangling += bytes / demanglingBytes
}

// addFile makes room for another file, which is held.
func (r *Report) addFile(f *File) {
	if r.room != nil {
		r.room.mayHold += maxHeldRatio * int64(len(f.data))
		r.room.widen(int64(len(f.data)))
	}
}

// hold takes room for what is kept, and gives some back if bytes is negative. It
// answers false, and counts it, if there is none left: nothing was taken then, and
// the report is full.
func (r *Report) hold(bytes int64) bool {
	m := r.room
	if m == nil {
		return true
	}
	if bytes > 0 && m.held+bytes > m.mayHold || m.hold != nil && !m.hold(bytes) {
		r.drop(MemoryLimit)
		m.full = true
		return false
	}
	m.held += bytes
	return true
}

// empty gives back what is held, which nobody keeps, and begins again.
func (r *Report) empty(files []*File) {
	for _, f := range files {
		f.unpacked = nil
	}
	r.hold(-r.room.held)
	r.room.full = false
}

// release gives all back.
func (r *Report) release() {
	if m := r.room; m.hold != nil {
		m.hold(-m.held)
	}
	r.room = nil
}

// full tells whether something did not fit.
func (r *Report) full() bool { return r.room != nil && r.room.full }

// spent tells whether nothing may be read again.
func (r *Report) spent() bool { return r.room != nil && r.room.steps < 0 }

// step takes what reading something takes, and answers whether that may be.
func (r *Report) step(n int) bool {
	if r.room == nil {
		return true
	}
	if r.room.steps = max(r.room.steps, -1) - int64(n); r.room.steps < 0 {
		r.drop(WorkLimit)
		return false
	}
	return true
}

// textAt is the text at an offset of a string table, which many places may name; nil
// if it may not be read again.
func (r *Report) textAt(table []byte, off uint64) []byte {
	if r.spent() {
		return nil
	}
	text := reader{data: table}
	text.seek(off)
	from := text.off
	out := text.text()
	if text.bad { // as far as it was looked for
		from = max(from, len(table)-maxTextBytes)
	}
	if !r.step(text.off - from + 1) {
		return nil
	}
	return out
}

// demangle takes what demangling a name of n bytes takes at worst.
func (r *Report) demangle(n int) bool {
	if n > maxMangledBytes {
		return false
	}
	if r.room == nil {
		return true
	}
	if r.room.demangling -= demanglingOf(n); r.room.demangling < 0 {
		r.drop(WorkLimit)
		return false
	}
	return true
}

// demanglingOf: the time that some names take grows with the third power of their
// length.
func demanglingOf(n int) int64 { return int64(n) * int64(n) * int64(n) >> 20 }

// spell takes what the text took that was made of a mangled name, which can be short
// and stand for a long one. One that stands for nothing counts as the longest.
func (r *Report) spell(plain string, ok bool) {
	made := len(plain)
	if !ok {
		made = maxDemangledBytes
	}
	if r.room != nil {
		r.room.demangling -= int64(made / spelledBytes)
	}
}

// spelledBytes are made in the time that a name of 102 bytes takes.
const spelledBytes = 256

// What is held of a record, with the room that tables have to grow.
const (
	heldRow      = 2 * 24
	heldLine     = 16
	heldCall     = 2 * 40
	heldInline   = 24
	heldFunction = 2*104 + 32
	heldSpan     = 2 * 16
	heldSymbol   = 2 * 32
	heldPublic   = 2 * 56
	heldUnit     = 2 * 344
	heldAbbrev   = 2 * 56
	heldAttr     = 2 * 16
	heldName     = 2 * 48
	heldEntry    = 2 * 16 // of ARM's and Mach-O's unwind tables
)
