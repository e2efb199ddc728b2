// Package signature names crashes: equal crashes get equal signatures.
//
// The entry point is Ruleset.Generate. It is a pure function of the crash and
// the ruleset, and follows the algorithm of Socorro's siggen: the crashing
// thread's frames are normalised to text, a sentinel cuts off what stands above
// it, irrelevant frames are left out, and frames are joined up to the first one
// that no prefix rule matches.
package signature

// Crash is what a signature is made of. Every text in it is public or may
// become so: a signature is public.
type Crash struct {
	// OS as the dump names it; on "Windows NT" module names are lower-cased.
	OS string
	// Reason is the crash's kind, such as EXCEPTION_STACK_OVERFLOW.
	Reason string
	// CrashingThread indexes Threads; nil means the first.
	CrashingThread *int
	Threads        []Thread
	// DumpStatus is why the dump gave no stack; empty when it did.
	DumpStatus string
}

// Thread is a stack, innermost frame first.
type Thread struct {
	Frames []Frame
	// LastError is Windows' last error by name, or empty.
	LastError string
}

// Frame is a physical frame with the functions inlined into it.
type Frame struct {
	Module       string // base name
	ModuleOffset string // hexadecimal
	Offset       string // absolute address, hexadecimal
	Function     string
	File         string
	Line         int64 // 0: unknown
	Inlines      []Inline
	// Unloaded names the unloaded module that once held the address, or is empty.
	Unloaded string
}

// Inline is an inlined function, innermost first in Frame.Inlines.
type Inline struct {
	Function string
	File     string
	Line     int64
}

// Result is a signature and how it came about.
type Result struct {
	Signature string
	// ProtoSignature joins every normalised frame, unfiltered.
	ProtoSignature string
	// Notes are sentences about what was unusual. They hold no value of the
	// crash: notes are public.
	Notes []string
}
