// Package signature names crashes: equal crashes get equal signatures.
//
// The entry point is Ruleset.Generate. It is a pure function of the crash and
// the ruleset and follows the algorithm of Socorro's siggen, rule by rule in
// its order. The first rule does most of the work: the crashing thread's frames
// are normalised to text, a sentinel cuts off what stands above it, irrelevant
// frames are left out, and frames are joined up to the first one that no prefix
// line matches. The other rules put in front what the annotations say: out of
// memory, an abort message, a hang.
//
// A Ruleset is lists and switches; with Socorro's lists and no switch, results
// are siggen's, byte for byte. Ruleset.Explain says how a result came about.
//
// The package reads no dump and no symbols, and it never fails: what it cannot
// use is a note, and notes hold no value of the crash.
package signature

// Crash is what a signature is made of. Signatures and notes are public: put
// in only what may become so. Empty fields are absent ones.
type Crash struct {
	// OS as the dump names it; on "Windows NT" module names are lower-cased.
	OS string
	// Reason is the crash's kind, such as EXCEPTION_STACK_OVERFLOW.
	Reason string
	// CrashingThread indexes Threads, a negative one from their end; nil is the first.
	CrashingThread *int
	Threads        []Thread
	// DumpStatus is why the dump gave no stack; empty when it did.
	DumpStatus string

	// From here on: annotations.

	// OOMAllocationSize is the allocation that failed, in bytes.
	OOMAllocationSize *int64
	// JSLargeAllocationFailure is "Reporting" for a large allocation of JavaScript.
	JSLargeAllocationFailure string
	AbortMessage             string
	// AsyncShutdownTimeout is JSON: {"phase": …, "conditions": […]}.
	AsyncShutdownTimeout string
	IPCChannelError      string
	IPCMessageName       string
	// AdditionalDumps names the dumps of other processes in the report.
	AdditionalDumps []string
	// Hang says what hung; an empty text is a hang as well.
	Hang *string
	// JavaStackTrace goes before JavaException, and both before Threads.
	JavaStackTrace string
	JavaException  *JavaException

	// BitFlipPercent is how much speaks for a flipped bit in the address of the
	// crash; 0 for nothing. Only the switch bit_flips looks at it.
	BitFlipPercent int32

	unreadable fields
}

// Thread is a stack, innermost frame first.
type Thread struct {
	Frames []Frame
	// LastError is Windows' last error by name, or empty.
	LastError string

	unreadable bool
	// noObject: it is a value of another kind, not even an empty one.
	noObject bool
}

// Frame is a physical frame with the functions inlined into it.
type Frame struct {
	// What names are made of first, so that it shares a cache line.
	Function string
	File     string
	Line     int64 // 0: unknown
	Inlines  []Inline

	unreadable bool
	language   language // what whoever read the frame knows of File
	lineText   string   // of a line that Line cannot hold: 0, 7.5, True

	Module       string // base name
	ModuleOffset string // hexadecimal
	Offset       string // absolute address, hexadecimal
	// Doubtful tells that Function may be wrong, and Probability how likely the frame
	// is true; 0 where nobody said.
	Doubtful    bool
	Probability float64
	// Unloaded names the unloaded module that once held the address, or is empty.
	Unloaded string
}

// Inline is an inlined function, innermost first in Frame.Inlines.
type Inline struct {
	Function string
	File     string
	Line     int64

	unreadable bool
	language   language
	lineText   string
}

// JavaException is an exception as Android's crash reporter sends it. Of a
// chain it is the original one, which comes first.
type JavaException struct {
	Module string // package of the class
	Type   string // name of the class
	Frames []JavaFrame

	unreadable javaFault
}

// JavaFrame is a frame of a JavaException, innermost first.
type JavaFrame struct{ Module, Function, File string }

// Result is a signature and how it came about.
type Result struct {
	Signature string
	// ProtoSignature joins every normalised frame, unfiltered.
	ProtoSignature string
	// Notes are sentences about what was unusual, each with the rule that says it.
	// Equal crashes share the slice: the caller must not change it.
	Notes []string
	// Why is how the result came about, in order. Only Explain fills it.
	Why []Step
}

// fields is a set of values that came with a type that their rule cannot use;
// the rule fails, as it does in siggen.
type fields uint8

const (
	reasonField fields = 1 << iota
	oomField
	abortField
	shutdownField
	ipcErrorField
	javaTraceField
	// javaIgnored is no value of a wrong type: what a client called a Java
	// exception is none, and the native stack is signed.
	javaIgnored
)

func (f fields) has(one fields) bool { return f&one != 0 }
