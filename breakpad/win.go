package breakpad

// WinKind tells the two kinds of STACK WIN records apart.
type WinKind uint8

// Kinds of STACK WIN records, numbered as in the symbol file.
const (
	WinFPO       WinKind = 0 // frame pointer omitted: sizes only
	WinFrameData WinKind = 4 // with a program
)

// WinRecord is one STACK WIN record of a 32-bit x86 module. Sizes are bytes.
type WinRecord struct {
	RVA, Size         uint64
	ParameterSize     uint32
	SavedRegisterSize uint32
	LocalSize         uint32
	// AllocatesBasePointer is the last field of an FPO record: the function
	// uses ebp as a general register and saves the caller's.
	AllocatesBasePointer bool
	// Program is set on framedata records. It aliases the symbols.
	Program WinProgram
}

// WinProgram is a compiled STACK WIN program.
type WinProgram []byte
