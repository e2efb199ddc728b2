// Package stackwalk turns the threads of a minidump into stacks of frames.
//
// The entry point is [Walk]. For each thread it starts from the thread's
// registers and finds caller after caller by call frame information, then by
// frame pointers, then by scanning the stack for return addresses; each frame
// carries the technique that found it as its [Trust]. Frames are symbolicated
// by the [Symbols] of their module, which Walk asks for the first time an
// address in that module needs them.
//
// Walker version 1 reproduces Mozilla's minidump-stackwalk 0.27 frame for
// frame, including behaviour that one would not choose today; comments mark
// those places with "parity". Changes of behaviour come as new versions.
//
// Version 2 differs in this (TestVersion2 has a case for each):
//
//   - When what a technique found is no good, the next technique is tried; the
//     reference ends the stack.
//   - A caller's frame ends in the thread's stack, and its code is where code
//     is, if the dump tells what is mapped where. The reference follows
//     overwritten return addresses into nowhere.
//   - A scan takes code outside modules, as just-in-time compilers make it, unless
//     it can be written, and refuses data of modules; where the dump holds the
//     code, there must be a call before a return address. Symbols that know no
//     function refuse nothing. It reaches as far as with the words it refuses.
//   - On arm64 scans know signed addresses, and signatures stand where the
//     system's addresses end: iOS' and most of Android's have 39 bits.
//   - There the caller of a function that has no frame, or none yet, is found by
//     the link register, if that is surely no address of the function itself; its
//     trust is that of a frame pointer.
//   - Of modules that overlap the second keeps what the first does not cover.
//   - A stack ends in the function that a thread or program starts in, in the
//     caller of __libc_start_main, at a return to null, and, where the ABI keeps
//     a chain of frame pointers (Apple's systems, arm64), at the chain's end, if
//     that is the callee's own. The reference scans on, into arguments and
//     leftovers.
//
// Version 3, the newest, weighs what speaks for and against each caller (TestVersion3,
// TestSignals and TestStartup have the cases; script/truth tells what that brings):
//
//   - Signals: the registers of the code that one interrupted are known by the shape
//     of what Linux's kernel saves, also on another stack.
//   - A scan takes words where the ABI has return addresses, and a multiple of 16,
//     as pointers to functions are, only if symbols or its other places say that it
//     is none. It believes no start of a function, nothing far behind the last
//     symbol, and no leftovers of the loader; what it finds must lead to code where
//     symbols tell whereto; and it looks farther.
//   - Where no code is at a thread's instruction, the caller's address is on top of
//     the stack. That of a thread in the 32-bit kernel's entry lies three words up.
//   - A frame pointer that leads over a return address to elsewhere is that of another
//     function; an address that was pushed again for an aligned frame counts once.
//   - Code in no module is believed when it goes on: generated code, and libraries
//     that were closed.
//   - Stacks end in __start_context, and where the kernel's arguments of the program
//     begin, whatever the entry point is called.
//
// Walk is pure: the same dump, symbols and options give the same result. Its
// work is bounded by [Options], whatever the dump says.
package stackwalk
