package stackwalk

// Functions that nothing calls: threads and processes start in them. What lies
// above them on the stack is arguments and leftovers, in which the techniques
// find callers that never were. All are a few instructions long (the longest is
// clone of 32-bit x86), so that a place far behind one belongs to something that
// has no symbol.
const maxBottomBytes = 128

var bottoms = map[string]bool{
	// The entry points of programs (ELF's e_entry, dyld's).
	"_start": true, "_dyld_start": true, "_rt0_amd64_linux": true,
	// Where the kernel starts a thread: glibc, musl, Bionic.
	"__clone": true, "clone": true, "__clone3": true, "clone3": true, "__GI___clone": true, "__GI___clone3": true, "__bionic_clone": true,
	// glibc's makecontext.
	"__start_context": true,
	// libpthread of Apple's systems.
	"thread_start": true, "start_wqthread": true, "_pthread_wqthread_start": true,
	// ntdll.dll, and kernel32.dll before Windows Vista.
	"RtlUserThreadStart": true, "_RtlUserThreadStart": true, "BaseProcessStart": true, "BaseThreadStart": true,
	// The bottom of a goroutine's stack.
	"runtime.goexit": true, "runtime.goexit.abi0": true,
}

// Functions that only a program's entry point calls, which often has no name:
// their caller is the last frame. glibc's versions of them have suffixes.
const maxStartBytes = 1 << 10

var starts = map[string]bool{
	"__libc_start_main": true, "__libc_start_main_impl": true, "__libc_start_main_alias_2": true, "__libc_start_main@@GLIBC_2.34": true,
	"__libc_init": true, // Bionic
}

// atBottom tells whether a frame is the last one of its stack. before is the
// frame that it called, nil for the first.
func atBottom(f, before *Frame) bool {
	if f.HasFunction && f.FunctionOffset() < maxBottomBytes && bottoms[string(f.Function)] {
		return true
	}
	return before != nil && isStart(before)
}

func isStart(f *Frame) bool {
	return f.HasFunction && f.FunctionOffset() < maxStartBytes && starts[string(f.Function)]
}

// madeUp tells whether a caller called nobody: its return address is where a
// function starts, with no code of another before it. It was put there for the
// callee to return to. So makecontext makes stacks end, in __start_context, and
// the kernel makes signal handlers return.
func (w *walker) madeUp(caller *activation) bool {
	if caller.Trust != TrustCFI || caller.Resume%functionAlignment != 0 {
		return false
	}
	module, ok := w.moduleAt(caller.Resume)
	if !ok {
		return false
	}
	symbols := w.symbolsOf(module)
	if symbols == nil {
		return false
	}
	rva := caller.Resume - w.dump.Modules[module].Base
	if e, ok := symbols.Extent(rva); !ok || e.Start != rva {
		return false
	}
	if e, ok := symbols.Extent(rva - 1); ok && !e.Public {
		return false // of a function whose last instruction is a call
	}
	_, ok = symbols.CFI(rva - 1)
	return !ok
}
