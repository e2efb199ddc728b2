package stackwalk

import (
	"errors"
	"fmt"
	"math/bits"

	"aftershock/breakpad"
	"aftershock/minidump"
)

// Symbols answers for one module. Addresses are relative to the module's
// base. *breakpad.File is one; implementations must be safe for the one
// goroutine that runs Walk and keep what they hand out valid while the Result
// is in use.
type Symbols interface {
	// Arch is the architecture that register indices of CFI rows are of.
	Arch() breakpad.Arch
	// AppendLocations appends the inlined calls at rva, innermost first, and
	// then the function itself. It appends nothing for an unknown address.
	AppendLocations(dst *breakpad.Locations, rva uint64)
	// HasFunction tells whether rva lies in a function with a name.
	HasFunction(rva uint64) bool
	// Extent is that of the symbol that covers rva.
	Extent(rva uint64) (breakpad.Extent, bool)
	// SymbolCount is the number of symbols that they know.
	SymbolCount() int
	// FirstSymbol is where the first function that they know starts.
	FirstSymbol() (rva uint64, ok bool)
	// HasFunctions tells whether they know any function.
	HasFunctions() bool
	// CFI is the STACK CFI row in force at rva.
	CFI(rva uint64) (breakpad.CFIRow, bool)
	// CFIStart is where the STACK CFI INIT record starts that covers rva.
	CFIStart(rva uint64) (start uint64, ok bool)
	// Win is the STACK WIN record of the kind that covers rva.
	Win(rva uint64, kind breakpad.WinKind) (breakpad.WinRecord, bool)
}

// SymbolSource hands out the symbols of the module with this index in
// Dump.Modules, or nil when there are none. Walk calls it at most once a
// module, and only for modules whose symbols it needs: the symbol outcome of
// the others is "unused".
type SymbolSource func(module int) Symbols

// Trust tells how a frame was found, from best to worst.
type Trust uint8

// The values of Trust. Their String forms are minidump-stackwalk's.
const (
	TrustNone         Trust = iota
	TrustContext            // the thread's registers
	TrustCFI                // STACK CFI or STACK WIN
	TrustFramePointer       // the chain of saved frame pointers
	TrustScan               // a word on the stack that looks like a return address
)

var trustNames = [...]string{"non", "context", "cfi", "frame_pointer", "scan"}

// String is the name that minidump-stackwalk's JSON uses.
func (t Trust) String() string { return trustNames[t] }

// End tells why a walk ended where it did. Its text is a stable snake_case code.
type End string

// The reasons for which a thread's stack ends.
const (
	EndDumpThread          End = "dump_thread"           // the thread wrote the dump: not walked
	EndNotAsked            End = "not_asked"             // Options.CrashingOnly: not walked
	EndNoContext           End = "no_context"            // no registers, no frames
	EndUnsupportedCPU      End = "unsupported_cpu"       // no frames, or only the context frame
	EndNoStackMemory       End = "no_stack_memory"       // only the context frame
	EndStackBottom         End = "stack_bottom"          // the last frame is where the thread started (version 2)
	EndNoCaller            End = "no_caller"             // no technique found a caller
	EndBadInstruction      End = "bad_instruction"       // the caller's instruction pointer lies in the first page
	EndStackPointerBack    End = "stack_pointer_back"    // the caller's stack pointer is not above the callee's
	EndStackPointerOutside End = "stack_pointer_outside" // the caller's stack pointer is not in the stack (version 2)
	EndNotExecutable       End = "not_executable"        // the caller's instruction is where no code is (version 2)
	EndThreadFrameLimit    End = "thread_frame_limit"    // Options.MaxFramesPerThread
	EndTotalFrameLimit     End = "total_frame_limit"     // Options.MaxFrames
	EndScanLimit           End = "scan_limit"            // Options.MaxScanWords
	EndInterrupted         End = "interrupted"           // Options.Interrupted
	EndInlineLimit         End = "inline_limit"          // Options.MaxInlines
)

// Options choose the walker's version and bound its work. The zero value is
// the newest version with the default limits.
type Options struct {
	// Version is the walker version; 0 means the newest. Version 1 is exact
	// parity with minidump-stackwalk 0.27; the package's documentation says what
	// later ones do better.
	Version int
	// CrashingOnly leaves the other threads without frames, if the dump tells
	// which one crashed.
	CrashingOnly bool
	// Interrupted, if set, is asked every few frames; once it answers true the
	// walk ends.
	Interrupted func() bool
	// MaxFramesPerThread, MaxFrames (of all threads), MaxScanWords (stack words
	// looked at by scans, of all threads) and MaxInlines (of all frames) are
	// hard limits; 0 means the Default constant.
	MaxFramesPerThread int
	MaxFrames          int
	MaxScanWords       int
	MaxInlines         int
}

// NewestVersion is the highest walker version.
const NewestVersion = 3

// ErrVersion is wrapped by Options.Check.
var ErrVersion = errors.New("no such walker version")

// Check refuses a Version that does not exist.
func (o Options) Check() error {
	if o.Version < 0 || o.Version > NewestVersion {
		return fmt.Errorf("walker version %d (newest is %d): %w", o.Version, NewestVersion, ErrVersion)
	}
	return nil
}

// UnloadedHit is an unloaded module that covered a frame's instruction.
type UnloadedHit struct {
	Module int    // index in Dump.UnloadedModules
	Offset uint64 // of the instruction from that module's base
}

// Frame is one activation record.
type Frame struct {
	// Instruction is the address that symbols were looked up with: for the
	// first frame the instruction pointer, for a caller an address inside the
	// call instruction.
	Instruction uint64
	// Resume is the instruction pointer, unadjusted.
	Resume uint64
	// Trust tells how the frame was found.
	Trust Trust
	// Interrupted tells that the frame called nothing: a signal stopped it, and
	// Resume is the instruction that it goes on with. Instruction is the same.
	Interrupted bool
	// Module is the index in Dump.Modules, or -1.
	Module int
	// HasFunction tells whether symbols know the function; FunctionBase is its
	// absolute address.
	HasFunction  bool
	FunctionBase uint64
	// Doubt tells why Function may be wrong; from version 3 on.
	Doubt Doubt
	// Probability is that of the frame being true, 1 for the registers'; from version
	// 3 on, before that 0.
	Probability float64
	// Function, File, Line are those of the function the processor was really
	// in: for a frame with Inlines, File and Line are where the outermost
	// inlined call stands. Empty and 0 when unknown; HasFile tells that a file of
	// an empty name and a line 0 are what the symbols say.
	Function, File []byte
	HasFile        bool
	Line           uint32
	// LineBase is the absolute address at which that line's code starts.
	LineBase uint64
	// ParameterSize is the size of the function's stack parameters.
	ParameterSize uint32
	// Inlines are the inlined calls at Instruction, innermost first.
	Inlines []breakpad.Location
	// Unloaded lists the unloaded modules that cover Instruction when no
	// loaded module does.
	Unloaded []UnloadedHit
	// Registers holds those known in this frame, by the dump's architecture.
	Registers Registers
}

// Registers are those of a frame: Values has one for each bit of Valid, in the
// order of the bits. A frame knows few of them, so all frames of a walk share
// memory.
type Registers struct {
	Valid  uint64
	Values []uint64
}

// Get answers the value of r and whether it is known.
func (rs *Registers) Get(r breakpad.Register) (uint64, bool) {
	if r >= breakpad.MaxRegisters || rs.Valid>>r&1 == 0 {
		return 0, false
	}
	return rs.Values[bits.OnesCount64(rs.Valid&(1<<r-1))], true
}

// ModuleOffset is Instruction relative to the module's base; 0 without one.
func (f *Frame) ModuleOffset(d *minidump.Dump) uint64 {
	if f.Module < 0 {
		return 0
	}
	return f.Instruction - d.Modules[f.Module].Base
}

// FunctionOffset is Instruction relative to the start of the function; 0
// without one, and where the return address is the function's start.
func (f *Frame) FunctionOffset() uint64 {
	if !f.HasFunction || f.Instruction < f.FunctionBase {
		return 0
	}
	return f.Instruction - f.FunctionBase
}

// Thread is a walked thread.
type Thread struct {
	// Index is the thread's index in Dump.Threads.
	Index int
	ID    uint32
	// Name is the thread's name if Named.
	Name  string
	Named bool
	// Frames is innermost first. Empty when End tells that the thread was not
	// walked: EndDumpThread, EndNoContext, EndUnsupportedCPU, or a limit.
	Frames []Frame
	// End tells why there are no more frames.
	End End
}

// Result is what Walk found. It aliases the dump's bytes and the symbols.
type Result struct {
	// Version is the walker's.
	Version int
	Arch    breakpad.Arch
	// Threads has one entry for each of Dump.Threads, in that order.
	Threads []Thread
	// CrashingThread is the index of the thread that crashed or asked for the
	// dump, -1 when the dump does not say or that thread wrote the dump.
	CrashingThread int
}
