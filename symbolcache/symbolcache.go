// Package symbolcache finds the symbol files of modules and keeps them ready.
//
// [Cache.Get] answers for one module of a dump. What it hands out is a compiled
// file (format.md) that is mapped, not read. In the order in which it looks:
//
//	handles.go   files that are mapped already
//	negative.go  what was not found lately, and why
//	flight.go    a load of the same file that is under way here
//	disk.go      the directory of compiled files, shared with other processes
//	load.go      the sources in their order: fetch, unpack, compile, publish
//
// Sources are directories (source.go), HTTP servers (http.go) and S3 buckets
// (s3.go), all in the layout of Mozilla's symbol server (key.go).
package symbolcache

import "encoding/hex"

// Outcome tells what became of looking for a module's symbols.
type Outcome string

// Outcomes.
const (
	// Found: the file was read whole.
	Found Outcome = "found"
	// FoundLossy: the file was read, but for lines that make no sense.
	FoundLossy Outcome = "found_lossy"
	// Missing: every source says that it has none.
	Missing Outcome = "missing"
	// Denied: a source refuses to hand it out.
	Denied Outcome = "denied"
	// Timeout: a source did not answer in time.
	Timeout Outcome = "timeout"
	// Error: a source failed otherwise, or there is no room to keep the file.
	Error Outcome = "error"
	// Malformed: the file is no symbol file, or too large.
	Malformed Outcome = "malformed"
	// Unused: nobody asked.
	Unused Outcome = "unused"
)

// Transient tells whether asking again soon may give another answer.
func (o Outcome) Transient() bool { return o == Timeout || o == Error }

// Lookup is the answer for one module. File is nil unless Outcome is Found or
// FoundLossy.
type Lookup struct {
	// File may be used until Release.
	File    *File
	Outcome Outcome
	// SHA256 is that of the text, hexadecimal, URL what it says where it is from;
	// both are empty without a File.
	SHA256, URL string
	// Fetched is how many bytes were fetched for this answer; 0 when it was known.
	Fetched int64

	lease *lease // nil without a File, and when File is somebody else's
}

// Release ends the use of File, which must not be touched afterwards, nor what
// its lookups answered where that aliases the file. It does nothing for a Lookup
// without a File, and nothing the second time.
func (l Lookup) Release() {
	if l.lease != nil {
		l.lease.release()
	}
}

// lookupOf describes a file; the lease is the caller's to add.
func lookupOf(f *File) Lookup {
	sum := f.TextSHA256()
	l := Lookup{File: f, Outcome: Found, SHA256: hex.EncodeToString(sum[:]), URL: f.URL}
	if f.BadLines() > 0 {
		l.Outcome = FoundLossy
	}
	return l
}
