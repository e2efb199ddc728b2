// Package pingstack reads the stack of a crash ping: addresses by module, walked on the
// client and without names. There are three spellings of it (Firefox's Glean ping on
// desktop, on Android, and its legacy telemetry ping), and all of them are read.
package pingstack

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"aftershock/internal/pyjson"
)

// Stack is what a ping says of the threads. Texts are as they were sent.
type Stack struct {
	Type string // of the crash, in the words of its system
	// Address is what was accessed, if HasAddress.
	Address    uint64
	HasAddress bool
	// CrashingThread indexes Threads, -1 when what is said is no index. Older pings say
	// nothing, and have one thread: it is 0 then.
	CrashingThread int
	MainModule     int // index in Modules of the program, -1 when it is not said
	Modules        []Module
	Threads        []Thread
	// Cut tells that there was more than the limits keep.
	Cut bool
}

// Module is a loaded module. End is the address after it. File and DebugFile can be paths.
type Module struct {
	Base, End                                 uint64
	HasBase, HasEnd                           bool
	File, DebugFile, DebugID, CodeID, Version string
}

// Size is how large the module can be: an address farther behind its base is none of it,
// whatever the client says.
func (m *Module) Size() uint64 {
	switch {
	case !m.HasEnd:
		return MaxModuleBytes
	case m.End <= m.Base:
		return 0
	}
	return min(m.End-m.Base, MaxModuleBytes)
}

// Thread is a walked thread, innermost frame first. Omitted frames were left out by the
// client, or are more than the limits keep.
type Thread struct {
	Frames  []Frame
	Omitted int
}

// Frame is one of its frames. Module indexes Stack.Modules, -1 for none; what is no index
// of any is beyond them. IP is the
// instruction pointer, of all but the innermost frame a return address.
type Frame struct {
	IP     uint64
	HasIP  bool
	Module int
	Trust  string
}

// Limits of what is kept of a stack.
const (
	MaxModules = 4096
	MaxThreads = 2048
	MaxFrames  = 16 << 10 // of all threads
	MaxBytes   = 8 << 20
	// MaxModuleBytes is more than any module has.
	MaxModuleBytes = 1 << 30
	// noIndex is an index that nothing has.
	noIndex = math.MaxInt32
)

// errNoObject is a stack that is JSON and no object.
var errNoObject = errors.New("the stack is no object")

// Parse reads the JSON of a stack, as far as it goes: a value of another type than it
// should have is as if it were not there. The error says where the text is no JSON, and
// quotes nothing; what was read before it is kept. The result aliases text.
func Parse(text string) (*Stack, error) {
	s := &Stack{MainModule: -1}
	r := &reader{Reader: pyjson.New(text), stack: s}
	object := true
	err := r.Document(func() {
		object = r.Peek() == '{'
		r.object(r.member)
	})
	if err == nil && !object {
		err = errNoObject
	}
	return s, err
}

type reader struct {
	pyjson.Reader
	stack  *Stack
	frames int
}

// object reads an object, and nothing of a value that is none.
func (r *reader) object(member func(key string)) {
	if r.Peek() != '{' {
		r.Skip()
		return
	}
	r.Object(member)
}

// array reads an array, and nothing of a value that is none.
func (r *reader) array(element func()) {
	if r.Peek() != '[' {
		r.Skip()
		return
	}
	r.Array(element)
}

func (r *reader) string() string {
	if r.Peek() == '"' {
		return r.Text()
	}
	r.Skip()
	return ""
}

// address reads an address: hexadecimal text, or a number.
func (r *reader) address() (uint64, bool) {
	switch r.Peek() {
	case '"':
		text := strings.TrimPrefix(strings.TrimPrefix(r.Text(), "0x"), "0X")
		n, err := strconv.ParseUint(text, 16, 64)
		return n, err == nil
	case '{', '[':
		r.Skip()
		return 0, false
	}
	text, ok := r.Scalar().(pyjson.Int)
	n, err := strconv.ParseUint(string(text), 10, 64)
	return n, ok && err == nil
}

// index reads an index: none for null and -1, bad when it is something else that is no
// whole number from 0.
func (r *reader) index(none, bad int) int {
	switch r.Peek() {
	case '"', '{', '[':
		r.Skip()
		return bad
	}
	v := r.Scalar()
	text, _ := v.(pyjson.Int)
	if v == nil || text == "-1" {
		return none
	}
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		return bad
	}
	return int(n)
}

func (r *reader) member(key string) {
	s := r.stack
	switch key {
	case "crash_type", "crashType":
		s.Type = r.string()
	case "crash_address", "crashAddress":
		s.Address, s.HasAddress = r.address()
	case "crash_thread", "crashThread":
		s.CrashingThread = r.index(0, -1)
	case "main_module", "mainModule":
		s.MainModule = r.index(-1, -1)
	case "crash_info":
		r.object(r.crashInfo)
	case "modules": // of equal members the last one counts
		s.Modules = nil
		r.array(r.module)
	case "threads":
		s.Threads, r.frames = nil, 0
		r.array(r.thread)
	default:
		r.Skip()
	}
}

// crashInfo is what the legacy ping keeps of the crash.
func (r *reader) crashInfo(key string) {
	switch key {
	case "type":
		r.stack.Type = r.string()
	case "address":
		r.stack.Address, r.stack.HasAddress = r.address()
	case "crashing_thread":
		r.stack.CrashingThread = r.index(0, -1)
	default:
		r.Skip()
	}
}

func (r *reader) module() {
	s := r.stack
	if len(s.Modules) == MaxModules {
		s.Cut = true
		r.Skip()
		return
	}
	var m Module
	r.object(func(key string) {
		switch key {
		case "base_address", "baseAddress", "base_addr":
			m.Base, m.HasBase = r.address()
		case "end_address", "endAddress", "end_addr":
			m.End, m.HasEnd = r.address()
		case "filename":
			m.File = r.string()
		case "debug_file", "debugFile":
			m.DebugFile = r.string()
		case "debug_id", "debugId":
			m.DebugID = r.string()
		case "code_id", "codeId":
			m.CodeID = r.string()
		case "version":
			m.Version = r.string()
		default:
			r.Skip()
		}
	})
	s.Modules = append(s.Modules, m) // also one that is none: frames count them
}

func (r *reader) thread() {
	s := r.stack
	if len(s.Threads) == MaxThreads {
		s.Cut = true
		r.Skip()
		return
	}
	var t Thread
	r.object(func(key string) {
		if key == "frames" {
			r.frames -= len(t.Frames)
			t = Thread{}
			r.array(func() { r.frame(&t) })
			return
		}
		r.Skip()
	})
	s.Threads = append(s.Threads, t)
}

func (r *reader) frame(t *Thread) {
	f := Frame{Module: -1}
	omitted := 0
	r.object(func(key string) {
		switch key {
		case "ip":
			f.IP, f.HasIP = r.address()
		case "module_index", "moduleIndex":
			f.Module = r.index(-1, noIndex)
		case "trust":
			f.Trust = r.string()
		case "omitted": // how many frames the client left out here
			omitted = r.omitted()
		default:
			r.Skip()
		}
	})
	switch {
	case omitted > 0:
		t.Omitted += min(omitted, MaxOmitted-t.Omitted)
	case r.frames == MaxFrames:
		r.stack.Cut = true
		t.Omitted += min(1, MaxOmitted-t.Omitted)
	default:
		r.frames++
		t.Frames = append(t.Frames, f)
	}
}

// omitted reads how many frames the client left out: a number, or true for some.
func (r *reader) omitted() int {
	switch r.Peek() {
	case '{', '[':
		r.Skip()
		return 0
	case '"':
		r.Text()
		return 1
	}
	switch v := r.Scalar().(type) {
	case bool:
		if v {
			return 1
		}
	case pyjson.Int:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return MaxOmitted
		}
		return int(min(max(n, 0), MaxOmitted))
	}
	return 0
}

// MaxOmitted is how many omitted frames of a thread are counted.
const MaxOmitted = 1 << 20
