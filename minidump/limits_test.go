package minidump

import (
	"encoding/binary"
	"strings"
	"testing"
)

// limited parses a little-endian dump with one stream.
func limited(t *testing.T, typ StreamType, body []byte) *Dump {
	t.Helper()
	const bodyRVA = 32 + 12
	le := binary.LittleEndian
	data := make([]byte, bodyRVA, bodyRVA+len(body))
	copy(data, "MDMP")
	le.PutUint32(data[4:], versionLow)
	le.PutUint32(data[8:], 1)
	le.PutUint32(data[12:], 32)
	le.PutUint32(data[32:], uint32(typ))
	le.PutUint32(data[36:], uint32(len(body)))
	le.PutUint32(data[40:], bodyRVA)
	d, err := Parse(append(data, body...))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func counted(n, entrySize int) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(n)), make([]byte, n*entrySize)...)
}

func sized(header, entry, n int) []byte {
	b := make([]byte, header+entry*n)
	le := binary.LittleEndian
	le.PutUint32(b, uint32(header))
	le.PutUint32(b[4:], uint32(entry))
	le.PutUint32(b[8:], uint32(n))
	for i := range n { // a size, where entries have one
		le.PutUint32(b[header+i*entry+8:], 1)
	}
	return b
}

func TestListsAreCutAtTheirLimit(t *testing.T) {
	for name, c := range map[string]struct {
		stream StreamType
		limit  int
		body   func(n int) []byte
		kept   func(d *Dump) int
		code   FindingCode
	}{
		"threads": {
			StreamThreadList, maxThreads, func(n int) []byte { return counted(n, threadSize) },
			func(d *Dump) int { return len(d.Threads) }, FindingLimitThreads,
		},
		"thread infos": {
			StreamThreadInfoList, maxThreads, func(n int) []byte { return sized(12, 64, n) },
			func(d *Dump) int { return len(d.ThreadInfo) }, FindingLimitThreads,
		},
		"modules": {
			StreamModuleList, maxModules, func(n int) []byte { return counted(n, moduleSize) },
			func(d *Dump) int { return len(d.moduleOfRecord) }, FindingLimitModules,
		},
		"unloaded modules": {
			StreamUnloadedModuleList, maxUnloadedModules, func(n int) []byte { return sized(12, 24, n) },
			func(d *Dump) int { return len(d.UnloadedModules) }, FindingLimitUnloaded,
		},
		"memory regions": {
			StreamMemoryList, maxMemoryRegions, func(n int) []byte { return counted(n, 16) },
			func(d *Dump) int { return len(d.Memory.Regions) }, FindingLimitMemoryRegions,
		},
		"memory regions of 64 bits": {
			StreamMemory64List, maxMemoryRegions, func(n int) []byte {
				return append(binary.LittleEndian.AppendUint64(nil, uint64(n)), make([]byte, 8+16*n)...)
			},
			func(d *Dump) int { return len(d.Memory.Regions) }, FindingLimitMemoryRegions,
		},
		"memory info": {
			StreamMemoryInfoList, maxMemoryInfo, func(n int) []byte { return sized(16, 48, n) },
			func(d *Dump) int { return len(d.MemoryInfo) }, FindingLimitMemoryInfo,
		},
		"handles": {
			StreamHandleData, maxHandles, func(n int) []byte { return sized(16, 32, n) },
			func(d *Dump) int { return len(d.Handles) }, FindingLimitHandles,
		},
		"linux maps": {
			StreamLinuxMaps, maxLinuxTextBytes / len(mapLine), func(n int) []byte { return []byte(strings.Repeat(mapLine, n)) },
			func(d *Dump) int { return len(d.LinuxMaps) }, FindingLimitLinuxText,
		},
	} {
		t.Run(name, func(t *testing.T) {
			at, over := limited(t, c.stream, c.body(c.limit)), limited(t, c.stream, c.body(c.limit+1))
			if c.kept(at) != c.limit || found(at, c.code) {
				t.Errorf("at the limit of %d: kept %d, findings %v", c.limit, c.kept(at), found(at, c.code))
			}
			if c.kept(over) != c.limit || !found(over, c.code) {
				t.Errorf("over the limit of %d: kept %d, finding %v", c.limit, c.kept(over), found(over, c.code))
			}
		})
	}
}

const mapLine = "1-2 r-xp 0 0:0 0 /bin/a.so 12345\n" // 32 bytes and one, so that cuts fall inside a line

func found(d *Dump, code FindingCode) bool {
	for _, f := range d.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

func TestStringsBeyondTheLimitAreUnreadable(t *testing.T) {
	d := limited(t, 0xffff, make([]byte, maxStringBytes))
	at := uint64(len(d.data))
	d.data = append(binary.LittleEndian.AppendUint32(d.data, maxStringBytes), make([]byte, maxStringBytes+2)...)
	if _, ok := d.utf16At(at); !ok {
		t.Error("at the limit")
	}
	binary.LittleEndian.PutUint32(d.data[at:], maxStringBytes+2)
	if _, ok := d.utf16At(at); ok {
		t.Error("over the limit")
	}
}

func TestStringsTogetherAreBounded(t *testing.T) {
	d := limited(t, 0xffff, []byte{4, 0, 0, 0, 'a', 0, 'b', 0})
	at := uint64(len(d.data) - 8)
	n := stringBytesFactor * len(d.data) / 4
	for i := range n + 1 {
		if _, ok := d.utf16At(at); ok != (i < n) {
			t.Fatalf("string %d of %d: %v", i, n, ok)
		}
	}
	if !found(d, FindingLimitStrings) {
		t.Error("not noted")
	}
}

func TestAnnotationsAreBoundedInNumberAndBytes(t *testing.T) {
	// One string named by many entries: what small dumps use to become large.
	dictionary := func(n, textBytes int) *Dump {
		d := limited(t, 0xffff, make([]byte, maxAnnotationBytes)) // a file that pays for the strings
		d.Crashpad = &CrashpadInfo{}
		text := uint32(len(d.data))
		d.data = append(binary.LittleEndian.AppendUint32(d.data, uint32(textBytes)), make([]byte, textBytes)...)
		at := uint32(len(d.data))
		d.data = binary.LittleEndian.AppendUint32(d.data, uint32(n))
		for range n {
			d.data = binary.LittleEndian.AppendUint32(d.data, text)
			d.data = binary.LittleEndian.AppendUint32(d.data, text)
		}
		r := crashpadReader{Dump: d, budget: maxAnnotationBytes, link: -1}
		r.simple(location{uint32(len(d.data)) - at, at}, -1)
		return d
	}
	for name, c := range map[string]struct{ n, bytes, kept int }{
		"number, at":   {maxAnnotations, 1, maxAnnotations},
		"number, over": {maxAnnotations + 1, 1, maxAnnotations},
		"bytes, at":    {128, maxAnnotationBytes / 256, 128},
		"bytes, over":  {129, maxAnnotationBytes / 256, 128},
	} {
		d := dictionary(c.n, c.bytes)
		if got := len(d.Crashpad.Annotations); got != c.kept || found(d, FindingLimitAnnotations) != (c.n > c.kept) {
			t.Errorf("%s: kept %d of %d, findings %v", name, got, c.n, d.Findings)
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	d := limited(t, StreamModuleList, counted(maxFindings+5, moduleSize))
	if n := len(d.Findings); n != maxFindings+1 || d.Findings[maxFindings].Code != FindingLimitFindings {
		t.Errorf("%d findings, last %v", n, d.Findings[n-1])
	}
}

func TestStreamsAreBounded(t *testing.T) {
	d := limited(t, 0xffff, nil)
	d.data = make([]byte, directorySize*(maxStreams+1))
	for i := range maxStreams + 1 {
		binary.LittleEndian.PutUint32(d.data[directorySize*i:], uint32(i+1)<<8)
	}
	d.Findings = nil
	if d.readDirectory(0, maxStreams); len(d.Streams) != maxStreams || len(d.Findings) != 0 {
		t.Error(len(d.Streams), d.Findings)
	}
	if d.readDirectory(0, maxStreams+1); len(d.Streams) != maxStreams || !found(d, FindingLimitStreams) {
		t.Error(len(d.Streams), d.Findings)
	}
}

func TestCodeViewRecordsAreBounded(t *testing.T) {
	for size, want := range map[int]bool{maxCodeViewBytes: true, maxCodeViewBytes + 1: false} {
		d := limited(t, 0xffff, nil)
		at := uint32(len(d.data))
		d.data = append(append(d.data, "LEpB"...), make([]byte, size-4)...)
		if _, got := d.readCodeView(location{uint32(size), at}); got != want {
			t.Errorf("%d bytes: %v", size, got)
		}
	}
}

func TestLinesOfLinuxTextsAreBounded(t *testing.T) {
	for n, want := range map[int]int{maxKeyValueLines: maxKeyValueLines, maxKeyValueLines + 1: maxKeyValueLines} {
		if got := len(keyValues([]byte(strings.Repeat("a:b\n", n)), ':')); got != want {
			t.Errorf("%d lines: %d key-values", n, got)
		}
		if got := len(parseLimits([]byte(strings.Repeat("a  1  2\n", n)))); got != want {
			t.Errorf("%d lines: %d limits", n, got)
		}
	}
}

func TestExceptionParametersAreBounded(t *testing.T) {
	body := make([]byte, 168)
	for n, want := range map[uint32]int{maxExceptionParams: maxExceptionParams, maxExceptionParams + 1: maxExceptionParams} {
		binary.LittleEndian.PutUint32(body[32:], n)
		if got := len(limited(t, StreamException, body).Exception.Parameters); got != want {
			t.Errorf("%d parameters: kept %d", n, got)
		}
	}
}

func TestEnvironmentIsBounded(t *testing.T) {
	for _, n := range []int{maxKeyValueLines, maxKeyValueLines + 1} {
		d := limited(t, StreamLinuxEnviron, []byte(strings.Repeat("a=b\x00", n)))
		if len(d.LinuxEnvironment()) != maxKeyValueLines {
			t.Errorf("%d of %d", len(d.LinuxEnvironment()), n)
		}
	}
}
