package minidump

import (
	"bytes"
	"strings"

	"aftershock/internal/cursor"
)

// MacCrashRecord is what a system library of macOS left in its crash info
// (__crash_info of CrashReporterClient.h) for whoever reports the crash.
type MacCrashRecord struct {
	// Version tells which of the numbers there are: Thread and DialogMode from 4,
	// AbortCause from 5. Older versions have no texts either.
	Version                        uint64
	Thread, DialogMode, AbortCause uint64
	Module, Message, Signature     string
	Backtrace, Message2            string
}

// Versions of MINIDUMP_MAC_CRASH_INFO_RECORD with more fields.
const (
	macRecordNumbers    = 4
	macRecordAbortCause = 5
	macRecordSlots      = 20 // locations that the stream has room for
)

// readMacCrashInfo reads Mozilla's MINIDUMP_MAC_CRASH_INFO: locations of records,
// which have numbers first and texts from a common offset on.
func (d *Dump) readMacCrashInfo(c *cursor.Cursor) bool {
	c.Skip(4) // the stream's type
	n, textsAt := c.U32(), c.U32()
	if c.Err() != nil || n > macRecordSlots {
		return false
	}
	d.MacCrashRecords = []MacCrashRecord{}
	for i := range int(n) {
		loc := readLocation(c)
		if c.Err() != nil {
			return false
		}
		r, ok := d.macCrashRecord(d.bytesOf(loc), textsAt)
		if !ok {
			d.find(FindingMacCrashRecord, i)
			continue
		}
		d.MacCrashRecords = append(d.MacCrashRecords, r)
	}
	return true
}

func (d *Dump) macCrashRecord(data []byte, textsAt uint32) (r MacCrashRecord, ok bool) {
	c := cursor.New(data, d.order)
	c.Skip(8) // the stream's type again
	r.Version = c.U64()
	if r.Version < macRecordNumbers {
		return r, c.Err() == nil
	}
	r.Thread, r.DialogMode = c.U64(), c.U64()
	if r.Version >= macRecordAbortCause {
		r.AbortCause = c.U64()
	}
	if c.Err() != nil || uint64(textsAt) > uint64(len(data)) {
		return r, false
	}
	rest := data[textsAt:]
	for _, text := range [...]*string{&r.Module, &r.Message, &r.Signature, &r.Backtrace, &r.Message2} {
		end := bytes.IndexByte(rest, 0)
		if end < 0 || end > maxStringBytes || !d.payString(uint64(end)) {
			return r, false
		}
		*text = strings.ToValidUTF8(string(rest[:end]), "\ufffd")
		rest = rest[end+1:]
	}
	return r, true
}

// readMacBootArgs reads Mozilla's MINIDUMP_MAC_BOOTARGS.
func (d *Dump) readMacBootArgs(c *cursor.Cursor) bool {
	c.Skip(4) // the stream's type
	rva := c.U64()
	if c.Err() != nil {
		return false
	}
	var ok bool
	d.MacBootArgs, ok = d.textAt(rva)
	return ok
}

// Assertion is MINIDUMP_ASSERTION_INFO of Breakpad: an assertion or invalid
// parameter of Microsoft's C runtime.
type Assertion struct {
	Expression, Function, File string
	Line, Type                 uint32
}

// assertionUnits is the room for each text of an assertion, in UTF-16 units.
const assertionUnits = 128

func (d *Dump) readAssertion(c *cursor.Cursor) bool {
	var a Assertion
	for _, text := range [...]*string{&a.Expression, &a.Function, &a.File} {
		*text = utf16Text(untilNUL(c.Bytes(2*assertionUnits)), d.Header.BigEndian)
	}
	a.Line, a.Type = c.U32(), c.U32()
	if c.Err() != nil {
		return false
	}
	d.Assertion = &a
	return true
}

// ThreadInfo is MINIDUMP_THREAD_INFO: how a thread of Windows ran. Times are
// FILETIMEs, in units of 100 ns; CreateTime and ExitTime since 1601.
type ThreadInfo struct {
	ID, DumpFlags, DumpError, ExitStatus       uint32
	CreateTime, ExitTime, KernelTime, UserTime uint64
	StartAddress, Affinity                     uint64
}

func (d *Dump) readThreadInfo(c *cursor.Cursor) bool {
	const headerSize, entrySize = 12, 64
	header, entry, n := uint64(c.U32()), uint64(c.U32()), uint64(c.U32())
	if header < headerSize || entry < entrySize {
		return false
	}
	c.Skip(header - headerSize)
	if c.Err() != nil || n > uint64(c.Len())/entry {
		return false
	}
	if n > maxThreads {
		d.find(FindingLimitThreads, -1)
		n = maxThreads
	}
	d.ThreadInfo = make([]ThreadInfo, n)
	for i := range d.ThreadInfo {
		t := &d.ThreadInfo[i]
		t.ID, t.DumpFlags, t.DumpError, t.ExitStatus = c.U32(), c.U32(), c.U32(), c.U32()
		t.CreateTime, t.ExitTime, t.KernelTime, t.UserTime = c.U64(), c.U64(), c.U64(), c.U64()
		t.StartAddress, t.Affinity = c.U64(), c.U64()
		c.Skip(entry - entrySize)
	}
	return c.Err() == nil
}

// environment splits /proc/PID/environ, whose entries end with a zero byte.
func environment(text []byte) []KeyValue {
	var out []KeyValue
	for entry := range bytes.SplitSeq(text, []byte{0}) {
		if len(out) == maxKeyValueLines {
			break
		}
		if key, value, ok := bytes.Cut(entry, []byte("=")); ok {
			out = append(out, KeyValue{strings.ToValidUTF8(string(key), "\ufffd"), strings.ToValidUTF8(string(value), "\ufffd")})
		}
	}
	return out
}
