package breakpad

import (
	"errors"
	"io"
)

// ErrNoModule: the text does not start with a MODULE record, so it is no
// symbol file (an error page, UTF-16, an empty file).
var ErrNoModule = errors.New("no MODULE record")

// ParseOptions change how Parse reads. The zero value is right for files found
// by debug id.
type ParseOptions struct {
	// Arch overrides the architecture of the MODULE record.
	Arch Arch
}

// Parse reads a symbol file to its end. Bad lines are skipped and counted; the
// error is ErrNoModule, one of the Err…Limit errors, or the reader's.
func Parse(r io.Reader, o ParseOptions) (*File, error) {
	return nil, errors.ErrUnsupported
}

// AppendLocations appends the inlined calls at rva, innermost first, and then
// the function itself. It appends nothing when no FUNC and no PUBLIC record
// covers rva. It does not allocate when dst has room.
func (f *File) AppendLocations(dst []Location, rva uint64) []Location { return dst }

// HasFunction tells whether rva lies in a function with a name.
func (f *File) HasFunction(rva uint64) bool { return false }

// CFI is the STACK CFI row in force at rva.
func (f *File) CFI(rva uint64) (CFIRow, bool) { return CFIRow{}, false }

// Win is the STACK WIN record of the kind that covers rva.
func (f *File) Win(rva uint64, kind WinKind) (WinRecord, bool) { return WinRecord{}, false }
