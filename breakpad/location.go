package breakpad

// Location is what symbols know about one address: a function, real or
// inlined, and the source line in it. Function and File alias the symbols they
// come from and are valid as long as those are.
type Location struct {
	// Function is the name as the symbol file spells it; empty when the
	// record has none.
	Function []byte
	// FunctionRVA is where the function (for an inlined call: the range of the
	// call that covers the address) starts, relative to the module.
	FunctionRVA uint64
	// File is empty when the address has no line record or the record names an
	// unknown file; Line is 0 then, or when the symbol file says 0.
	File []byte
	Line uint32
	// LineRVA is where the line record (or, for the call site of an inlined
	// call, the range of that call) starts. Meaningful only when File is set.
	LineRVA uint64
	// ParameterSize is the size of the function's stack parameters in bytes.
	// STACK WIN of 32-bit x86 needs that of the callee's callee.
	ParameterSize uint32
	// Inline is set on calls that the compiler inlined.
	Inline bool
}
