package breakpad

// File is a parsed symbol file. It is immutable and safe for concurrent use.
type File struct {
	// OS, DebugID and Name are the MODULE record's fields; empty without one.
	OS, DebugID, Name string
	// CodeID is the INFO CODE_ID record's id, URL the last INFO URL's.
	CodeID, URL string

	arch     Arch
	badLines int
	records  int

	names     []byte // every name and program, one after another
	files     []fileName
	functions []function
	lines     []line
	inlines   []inlineRange
	origins   []origin
	publics   []public
	cfi       []cfiRange
	rows      []cfiRow
	framedata []WinRecord
	fpo       []WinRecord
}

// Arch is the architecture that register indices in CFI rows are of.
func (f *File) Arch() Arch { return f.arch }

// BadLines is the number of lines that were skipped because they make no
// sense. A file with any is lossy: what it says is right, but not all it was
// meant to say.
func (f *File) BadLines() int { return f.badLines }

// Records is the number of lines that were understood.
func (f *File) Records() int { return f.records }
