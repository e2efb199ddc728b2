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
// Walk is pure: the same dump, symbols and options give the same result. Its
// work is bounded by [Options], whatever the dump says.
package stackwalk
