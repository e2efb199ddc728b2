package minidump

import (
	"slices"

	"aftershock/internal/cursor"
)

// StreamType is MINIDUMP_STREAM_TYPE with the vendors' additions.
type StreamType uint32

// The stream types that Parse decodes.
const (
	StreamThreadList         StreamType = 3
	StreamModuleList         StreamType = 4
	StreamMemoryList         StreamType = 5
	StreamException          StreamType = 6
	StreamSystemInfo         StreamType = 7
	StreamMemory64List       StreamType = 9
	StreamHandleData         StreamType = 12
	StreamUnloadedModuleList StreamType = 14
	StreamMiscInfo           StreamType = 15
	StreamMemoryInfoList     StreamType = 16
	StreamThreadInfoList     StreamType = 17
	StreamThreadNames        StreamType = 24

	StreamCrashpadInfo StreamType = 0x43500001

	StreamBreakpadInfo    StreamType = 0x47670001
	StreamAssertionInfo   StreamType = 0x47670002
	StreamLinuxCPUInfo    StreamType = 0x47670003
	StreamLinuxProcStatus StreamType = 0x47670004
	StreamLinuxLSBRelease StreamType = 0x47670005
	StreamLinuxEnviron    StreamType = 0x47670007
	StreamLinuxMaps       StreamType = 0x47670009
	StreamStabilityReport StreamType = 0x4b6b0002

	StreamMozMacosCrashInfo StreamType = 0x4d7a0001
	StreamMozMacosBootArgs  StreamType = 0x4d7a0002
	StreamMozLinuxLimits    StreamType = 0x4d7a0003
	StreamMozSoftErrors     StreamType = 0x4d7a0004
)

// Stream is one entry of the directory.
type Stream struct {
	Type StreamType
	// Data is nil when the entry points outside the file.
	Data []byte
}

// readDirectory fills d.Streams; of several streams of one type the last one
// is kept, as every reader of minidumps but Microsoft's does.
func (d *Dump) readDirectory(rva uint64, n uint32) {
	c := d.cursorAt(rva)
	if n > maxStreams {
		d.find(FindingLimitStreams, -1)
		n = maxStreams
	}
	if have := c.Len() / directorySize; uint64(n) > uint64(have) {
		d.find(FindingDirectoryTruncated, -1)
		n = uint32(have)
	}
	d.Streams = make([]Stream, 0, n)
	for i := range int(n) {
		typ := StreamType(c.U32())
		loc := readLocation(&c)
		if typ == 0 { // UnusedStream: writers leave room
			continue
		}
		s := Stream{Type: typ, Data: d.bytesOf(loc)}
		if s.Data == nil {
			d.find(FindingStreamOutOfFile, i)
		}
		if old := slices.IndexFunc(d.Streams, func(s Stream) bool { return s.Type == typ }); old >= 0 {
			d.find(FindingDuplicateStream, i)
			d.Streams[old] = s
			continue
		}
		d.Streams = append(d.Streams, s)
	}
}

// stream finds a stream. ok tells whether the directory lists it; data is nil
// if it lies outside the file.
func (d *Dump) stream(t StreamType) (data []byte, ok bool) {
	for i := range d.Streams {
		if d.Streams[i].Type == t {
			return d.Streams[i].Data, true
		}
	}
	return nil, false
}

// read hands the stream's bytes to fn if the directory lists the stream, and
// records the finding if it lies outside the file or fn answers false.
func (d *Dump) read(t StreamType, bad FindingCode, fn func(c *cursor.Cursor) bool) {
	data, ok := d.stream(t)
	if !ok {
		return
	}
	d.reading = cursor.New(data, d.order)
	if data == nil || !fn(&d.reading) {
		d.find(bad, -1)
	}
	d.reading = cursor.Cursor{}
}

// readStreams decodes in the order in which streams need each other: system
// info first, for it tells how to read contexts and module ids.
func (d *Dump) readStreams() {
	d.read(StreamSystemInfo, FindingSystemInfoUnreadable, d.readSystemInfo)
	if _, ok := d.stream(StreamSystemInfo); !ok {
		d.find(FindingSystemInfoMissing, -1)
	}
	d.readMemoryLists()
	d.read(StreamThreadList, FindingThreadListUnreadable, d.readThreads)
	if _, ok := d.stream(StreamThreadList); !ok {
		d.find(FindingThreadListMissing, -1)
	}
	d.read(StreamThreadNames, FindingThreadNames, d.readThreadNames)
	d.read(StreamModuleList, FindingModuleListUnreadable, d.readModules)
	d.read(StreamUnloadedModuleList, FindingUnloadedModules, d.readUnloadedModules)
	d.read(StreamMemoryInfoList, FindingMemoryInfo, d.readMemoryInfo)
	d.read(StreamException, FindingException, d.readException)
	d.read(StreamMiscInfo, FindingMiscInfo, d.readMiscInfo)
	d.read(StreamBreakpadInfo, FindingBreakpadInfo, d.readBreakpadInfo)
	d.read(StreamCrashpadInfo, FindingCrashpadInfo, d.readCrashpadInfo)
	d.read(StreamHandleData, FindingHandles, d.readHandles)
	d.read(StreamThreadInfoList, FindingThreadInfo, d.readThreadInfo)
	d.read(StreamAssertionInfo, FindingAssertion, d.readAssertion)
	d.read(StreamMozMacosCrashInfo, FindingMacCrashInfo, d.readMacCrashInfo)
	d.read(StreamMozMacosBootArgs, FindingMacBootArgs, d.readMacBootArgs)
	d.StabilityReport, _ = d.stream(StreamStabilityReport)
	d.readLinuxStreams()
	d.finishSystemInfo()
}
