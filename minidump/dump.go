package minidump

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"aftershock/internal/cursor"
)

// Errors of Parse and Walkable, for callers that branch on them.
var (
	// ErrNotMinidump: the first four bytes are not the signature.
	ErrNotMinidump = errors.New("not a minidump")
	// ErrVersion: the low half of the version is not MINIDUMP_VERSION.
	ErrVersion = errors.New("unknown minidump version")
	// ErrNoThreadList: the thread list is missing or unreadable.
	ErrNoThreadList = errors.New("no readable thread list stream")
	// ErrNoSystemInfo: the system info is missing or unreadable.
	ErrNoSystemInfo = errors.New("no readable system info stream")
)

// Header is MINIDUMP_HEADER.
type Header struct {
	Version   uint32
	Time      uint32 // seconds since 1970, when the dump was written
	Flags     uint64
	BigEndian bool
}

// Dump is a decoded minidump. It aliases the bytes given to Parse and is
// immutable and safe for concurrent use.
type Dump struct {
	Header  Header
	Streams []Stream

	// System is nil when the stream is missing or unreadable.
	System  *SystemInfo
	Threads []Thread
	// Modules is in the order of the stream; see Module for which are kept.
	Modules         []Module
	UnloadedModules []UnloadedModule
	// Memory is the Memory64List if there is one, else the MemoryList.
	Memory     MemoryMap
	MemoryInfo []MemoryInfo
	// Exception is nil in a dump of a process that did not crash.
	Exception *Exception
	Misc      *MiscInfo
	Breakpad  *BreakpadInfo
	Crashpad  *CrashpadInfo
	Handles   []Handle

	ThreadInfo []ThreadInfo
	// Assertion is nil without the stream.
	Assertion *Assertion
	// MacCrashRecords is nil without the stream; MacBootArgs is "" then.
	MacCrashRecords []MacCrashRecord
	MacBootArgs     string
	// StabilityReport is a protocol buffer of Chromium's stability reports, not
	// decoded; nil without the stream.
	StabilityReport []byte

	LinuxMaps    []LinuxMap
	LinuxRelease *LinuxRelease
	// SoftErrors is the JSON that Mozilla's writer leaves, not validated.
	// It is nil without the stream.
	SoftErrors []byte

	// Findings lists what could not be read, in the order it was met.
	Findings []Finding

	data            []byte
	order           binary.ByteOrder
	hasThreadList   bool
	reading         cursor.Cursor // the stream that read is in: a local one would escape
	moduleOfRecord  []int         // index in Modules of each record of the stream, or -1
	moduleSpans     []span
	moduleRests     []span // of modules that moduleSpans lacks
	stringBytes     uint64 // of strings decoded so far
	stringsCut      bool   // the limit on them was met
	strictLinuxMaps bool
	hasLinuxMaps    bool

	mappingsOnce sync.Once
	mappings     Mappings
}

const (
	headerSize    = 32
	versionLow    = 0xa793 // MINIDUMP_VERSION
	directorySize = 12
)

// Parse decodes a dump. The result aliases data, which must not change.
//
// It fails only when data does not start with a minidump header; everything
// else that is wrong becomes a Finding. A nil error does not mean that there is
// much in the dump: callers that need a stack ask [Dump.Walkable].
func Parse(data []byte) (*Dump, error) {
	if len(data) < headerSize {
		return nil, fmt.Errorf("minidump header: want %d bytes, have %d: %w", headerSize, len(data), ErrNotMinidump)
	}
	d := &Dump{data: data}
	switch string(data[:4]) {
	case "MDMP":
		d.order = binary.LittleEndian
	case "PMDM":
		d.order = binary.BigEndian
		d.Header.BigEndian = true
	default:
		return nil, fmt.Errorf("minidump header: signature %#x: %w", data[:4], ErrNotMinidump)
	}
	c := cursor.New(data[4:], d.order)
	d.Header.Version = c.U32()
	streams := c.U32()
	directoryRVA := c.U32()
	c.Skip(4) // checksum: writers leave it 0
	d.Header.Time = c.U32()
	d.Header.Flags = c.U64()
	if d.Header.Version&0xffff != versionLow {
		return nil, fmt.Errorf("minidump header: version %#x: %w", d.Header.Version, ErrVersion)
	}
	d.readDirectory(uint64(directoryRVA), streams)
	d.readStreams()
	return d, nil
}

// Walkable tells whether the dump has what a stack walk needs: system info
// and a thread list. The error is ErrNoSystemInfo or ErrNoThreadList.
func (d *Dump) Walkable() error {
	if d.System == nil {
		return ErrNoSystemInfo
	}
	if !d.hasThreadList {
		return ErrNoThreadList
	}
	return nil
}

// location is a MINIDUMP_LOCATION_DESCRIPTOR.
type location struct{ size, rva uint32 }

func readLocation(c *cursor.Cursor) location {
	return location{size: c.U32(), rva: c.U32()}
}

// at is the size bytes at rva of the file, nil if they are not all there.
func (d *Dump) at(rva, size uint64) []byte {
	n := uint64(len(d.data))
	if rva > n || size > n-rva {
		return nil
	}
	return d.data[rva : rva+size : rva+size]
}

func (d *Dump) bytesOf(l location) []byte { return d.at(uint64(l.rva), uint64(l.size)) }

// cursorAt reads from rva to the end of the file.
func (d *Dump) cursorAt(rva uint64) cursor.Cursor {
	n := uint64(len(d.data))
	return cursor.New(d.data[min(rva, n):], d.order)
}
