package report

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"

	"aftershock/minidump"
)

// Limits of Streams: of raw bytes shown of one stream, and of the records of one
// list.
const (
	maxShownBytes   = 1 << 10
	maxShownRecords = 4096
)

// Streams writes what a dump holds before anything is concluded from it: the
// header, the directory, each stream's records or else its first bytes, and
// what could not be read. Nothing is left out for privacy.
func Streams(w io.Writer, d *minidump.Dump) error {
	out := bufio.NewWriter(w)
	s := streamsWriter{humanWriter{Input: Input{Dump: d}, Writer: out}}
	s.printf("version %#x, written at %d, flags %#x, big-endian %v\n\n", d.Header.Version, d.Header.Time, d.Header.Flags, d.Header.BigEndian)
	for i := range d.Streams {
		stream := &d.Streams[i]
		s.printf("%v (%#x), %d bytes\n", stream.Type, uint32(stream.Type), len(stream.Data))
		if !s.records(stream.Type) {
			s.raw(stream.Data)
		}
		s.printf("\n")
	}
	if len(d.Findings) > 0 {
		s.printf("Findings\n")
		for _, f := range d.Findings {
			s.printf("  %s %d\n", f.Code, f.Index)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("dump report: %w", err)
	}
	return nil
}

type streamsWriter struct{ humanWriter }

// raw prints the first bytes.
func (s *streamsWriter) raw(data []byte) {
	shown := data[:min(len(data), maxShownBytes)]
	s.printf("%s", hex.Dump(shown))
	if len(shown) < len(data) {
		s.printf("  and %d bytes more\n", len(data)-len(shown))
	}
}

// list prints records until there are too many.
func (s *streamsWriter) list(n int, record func(i int)) bool {
	for i := range min(n, maxShownRecords) {
		s.printf("  %d  ", i)
		record(i)
		s.printf("\n")
	}
	if n > maxShownRecords {
		s.printf("  and %d more\n", n-maxShownRecords)
	}
	return true
}

// records prints a stream that is decoded, and answers false for another.
func (s *streamsWriter) records(t minidump.StreamType) bool {
	d := s.Dump
	switch t {
	case minidump.StreamThreadList:
		return s.list(len(d.Threads), func(i int) { s.threadRecord(&d.Threads[i]) })
	case minidump.StreamModuleList:
		return s.list(len(d.Modules), func(i int) {
			m := &d.Modules[i]
			s.printf("%s-%s %s, version %q, code id %s, debug file %s, debug id %s, time stamp %#x, checksum %#x",
				s.hex(m.Base), s.hex(m.End()), clean(m.CodeFile()), m.Version(), m.CodeID(), clean(m.DebugFile()), m.DebugID(), m.TimeStamp, m.Checksum)
		})
	case minidump.StreamUnloadedModuleList:
		return s.list(len(d.UnloadedModules), func(i int) {
			m := &d.UnloadedModules[i]
			s.printf("%s-%s %s, code id %s", s.hex(m.Base), s.hex(m.End()), clean(m.CodeFile), m.CodeID)
		})
	case minidump.StreamMemoryList, minidump.StreamMemory64List:
		return s.list(len(d.Memory.Regions), func(i int) {
			r := &d.Memory.Regions[i]
			s.printf("%s, %d bytes", s.hex(r.Base), len(r.Bytes))
		})
	case minidump.StreamMemoryInfoList:
		return s.list(len(d.MemoryInfo), func(i int) {
			m := &d.MemoryInfo[i]
			s.printf("%s, %#x bytes, state %#x, protection %#x, type %#x", s.hex(m.Base), m.Size, m.State, m.Protection, m.Type)
		})
	case minidump.StreamHandleData:
		return s.list(len(d.Handles), func(i int) {
			h := &d.Handles[i]
			s.printf("%#x %s %s", h.Handle, clean(h.TypeName), clean(h.ObjectName))
		})
	case minidump.StreamThreadNames:
		return s.list(len(d.Threads), func(i int) { s.printf("thread %d %q", d.Threads[i].ID, d.Threads[i].Name) })
	case minidump.StreamException:
		return s.exception()
	case minidump.StreamCrashpadInfo:
		return s.crashpad()
	case minidump.StreamLinuxCPUInfo, minidump.StreamLinuxProcStatus, minidump.StreamLinuxLSBRelease, minidump.StreamLinuxMaps,
		minidump.StreamMozLinuxLimits, minidump.StreamMozSoftErrors, minidump.StreamLinuxEnviron:
		return s.text(t)
	default:
		return false
	}
}

func (s *streamsWriter) threadRecord(t *minidump.Thread) {
	s.printf("id %d, TEB %s, stack %s of %d bytes", t.ID, s.hex(t.TEB), s.hex(t.StackBase), len(t.Stack.Bytes))
	s.context(t.Context)
}

func (s *streamsWriter) context(c *minidump.Context) {
	if c == nil {
		s.printf(", no registers")
		return
	}
	for i, name := range c.CPU.RegisterNames() {
		if i%4 == 0 {
			s.printf("\n     ")
		}
		s.printf(" %5s = 0x%0*x", name, 2*c.CPU.RegisterBytes(), c.Registers[i])
	}
}

func (s *streamsWriter) exception() bool {
	e := s.Dump.Exception
	if e == nil {
		return false
	}
	s.printf("  thread %d, code %#x, flags %#x, address %s, parameters %#x", e.ThreadID, e.Code, e.Flags, s.hex(e.Address), e.Parameters)
	s.context(e.Context)
	s.printf("\n")
	return true
}

func (s *streamsWriter) crashpad() bool {
	c := s.Dump.Crashpad
	if c == nil {
		return false
	}
	s.printf("  report %s, client %s\n", c.ReportID, c.ClientID)
	return s.list(len(c.Annotations), func(i int) {
		a := &c.Annotations[i]
		s.printf("module %d, type %d, %s = %q", a.Module, a.Type, clean(a.Name), a.Value)
	})
}

// text prints a stream of lines, or of entries that end with a zero byte.
func (s *streamsWriter) text(t minidump.StreamType) bool {
	for i := range s.Dump.Streams {
		if s.Dump.Streams[i].Type != t {
			continue
		}
		start, data := 0, s.Dump.Streams[i].Data
		for at, b := range data {
			if b == '\n' || b == 0 || at == len(data)-1 {
				s.printf("  %s\n", clean(string(data[start:at+1])))
				start = at + 1
			}
		}
	}
	return true
}
