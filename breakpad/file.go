package breakpad

// File is a parsed symbol file. It is immutable and safe for concurrent use.
type File struct {
	// OS, DebugID and Name are the MODULE record's fields.
	OS, DebugID, Name string
	// CodeID and CodeFile are the INFO CODE_ID record's id and the program's file
	// that it names, as Windows' do; URL is the last INFO URL's.
	CodeID, CodeFile, URL string
	// Encoding is empty for a text that was written as it should be.
	Encoding Encoding

	arch     Arch
	badLines int
	records  int
	strict   bool
	// oldInlines: there are INLINE records without call_file.
	oldInlines bool

	names     []byte        // all names, one after another
	files     []text        // by index, see line.file
	functions []function    // disjoint, by address
	lines     []line        // function.lines of each: disjoint, by address
	inlines   []inlineRange // function.inlines of each: by depth and address
	origins   []origin
	publics   []public // by address, one an address
	symbols   int      // functions, and publics that cover something

	cfiRanges []cfiRange // disjoint, by address
	cfiRows   []cfiRow   // cfiRange.rows of each: by address
	cfiCode   []byte     // programs of rules, see Rules.Code
	cfiRules  []byte     // entries of rules, see Rules.Entries
	framedata []WinRecord
	fpo       []WinRecord
}

// text is a name in File.names.
type text struct{ start, size uint32 }

// slice is the part [start, end) of a table.
type slice struct{ start, end uint32 }

// Ranges are inclusive, so that one can end at the last address.
type function struct {
	first, last    uint32
	parameterSize  uint32
	name           text
	lines, inlines slice
}

type line struct {
	first, last  uint32
	number, file uint32 // file is the id until finish makes it an index
}

type inlineRange struct {
	depth              uint32
	first, size        uint32
	callFile, callLine uint32
	origin             uint32
	old                bool // the record has no call_file
}

type origin struct {
	name text
	file uint32 // only in files with the older INLINE form
}

type public struct {
	rva, parameterSize uint32
	name               text
}

// OldInlines tells whether there are INLINE records of the older form, which
// decides how INLINE_ORIGIN records are read: see [OldOrigin].
func (f *File) OldInlines() bool { return f.oldInlines }

// WinRecords lists the STACK WIN records of a kind: disjoint, by address. The
// slice is shared: do not change it.
func (f *File) WinRecords(kind WinKind) []WinRecord {
	if kind == WinFPO {
		return f.fpo
	}
	return f.framedata
}

// Arch is the architecture that register indices in CFI rows are of.
func (f *File) Arch() Arch { return f.arch }

// BadLines is the number of lines that were skipped because they make no
// sense. A file with any is lossy: what it says is right, but not all it was
// meant to say.
func (f *File) BadLines() int { return f.badLines }

// Strict tells whether minidump-stackwalk takes the text as it is: every line is
// a record, and the last one ends.
func (f *File) Strict() bool { return f.strict }

// HasFunctions tells whether any FUNC or PUBLIC record can be found. A file
// without says nothing about which addresses are code.
func (f *File) HasFunctions() bool { return len(f.functions)+len(f.publics) > 0 }

// Records is the number of lines that were understood.
func (f *File) Records() int { return f.records }

func (f *File) text(t text) []byte {
	return f.names[t.start : t.start+t.size : t.start+t.size]
}

func (f *File) fileText(index uint32) []byte {
	if index == unknown {
		return nil
	}
	return f.text(f.files[index])
}
