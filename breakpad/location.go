package breakpad

// Location is what symbols know about one address: a function, real or
// inlined, and the source line in it. Function and File alias the symbols they
// come from or the Locations they were appended to.
type Location struct {
	// Function is the name as the symbol file spells it; empty when the
	// record has none.
	Function []byte
	// FunctionRVA is where the function (for an inlined call: the range of the
	// call that covers the address) starts, relative to the module.
	FunctionRVA uint64
	// File is meaningful only when HasFile: the place is known, and a record
	// defines its file, by a name that may be empty.
	File    []byte
	HasFile bool
	// Line is meaningful only when HasLine, and may be 0. Of an inlined call the
	// line is known without its file; of a function only with it. Parity: 0 in
	// the line record of the innermost inlined call is no line.
	Line    uint32
	HasLine bool
	// LineRVA is where the line record (or, for the call site of an inlined
	// call, the range of that call) starts. Meaningful only when HasFile.
	LineRVA uint64
	// ParameterSize is the size of the function's stack parameters in bytes.
	// STACK WIN of 32-bit x86 needs that of the callee's callee.
	ParameterSize uint32
	// Inline is set on calls that the compiler inlined.
	Inline bool
	// Public is set where the name is that of the PUBLIC record before the address.
	// Such a record has no end: the address may be far behind its function.
	Public bool
}

// Locations collects what lookups answer, and owns the names that had to be
// decoded for it. The zero value is ready. It is not safe for concurrent use.
type Locations struct {
	// List is what has been appended. To go on with an empty List while the
	// names of earlier ones stay valid, truncate it instead of calling Reset.
	List  []Location
	names []byte // the part up to its length is taken
}

// Reset forgets everything and keeps the memory: Locations copied from List
// before are invalid afterwards.
func (l *Locations) Reset() { l.List, l.names = l.List[:0], l.names[:0] }

// namesChunk is how much room for names is made at a time.
const namesChunk = 4 << 10

// SetPlace sets where in the source the location is, given the line and whether
// a record defines its file, whose name the caller sets. call tells that it is
// where a call stands, and not what a line record says.
func (l *Location) SetPlace(line uint32, hasFile, call bool) {
	if !l.Inline && !hasFile {
		return
	}
	l.HasFile, l.HasLine = hasFile, call || !l.Inline || line != 0
	if l.HasLine {
		l.Line = line
	}
}

// Room hands out n bytes for a name, zeroed or not, whose capacity is n as well.
func (l *Locations) Room(n int) []byte {
	if cap(l.names)-len(l.names) < n {
		// What is in the old memory stays there, for names alias it.
		l.names = make([]byte, 0, max(n, namesChunk, min(2*cap(l.names), 1<<20)))
	}
	start := len(l.names)
	l.names = l.names[:start+n]
	return l.names[start : start+n : start+n]
}
