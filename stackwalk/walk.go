package stackwalk

import "aftershock/minidump"

// Walk walks every thread of d. symbols may be nil: no module has any then.
//
// It never fails: a dump without threads (see minidump.Dump.Walkable) gives a
// Result without threads.
func Walk(d *minidump.Dump, symbols SymbolSource, o Options) *Result {
	return &Result{CrashingThread: -1}
}
