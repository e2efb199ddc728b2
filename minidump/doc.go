// Package minidump decodes minidumps: the crash snapshots that Windows'
// MiniDumpWriteDump, Breakpad and Crashpad write.
//
// The entry point is [Parse]. A minidump is a header, a directory of typed
// streams and the streams, which refer to further data by file offset (RVA).
// The layout is that of Microsoft's minidumpapiset.h; streams of Breakpad
// (0x4767....), Crashpad (0x4350....) and Mozilla (0x4d7a....) follow their
// headers minidump_format.h and minidump_extensions.h. Both byte orders are
// read.
//
// Damage stays where it is: what cannot be read is left out and recorded as a
// [Finding], the rest is kept. Parse fails only when there is no directory of
// streams to read. Limits on counts and sizes stand in limits.go; nothing is
// allocated that the input's size does not pay for.
//
// The package does not walk stacks and does not know symbols. Everything it
// returns aliases the input, which must not change.
package minidump
