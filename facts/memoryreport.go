package facts

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"aftershock/schema"
)

const (
	// maxMemoryReport bounds a memory report, inflated, in bytes (as the reference).
	maxMemoryReport = 20 << 20
	// maxMeasures of a report: one of Firefox with hundreds of tabs has some 100,000.
	maxMeasures = 400_000
	// kinds of what a report measures (nsIMemoryReporter.idl).
	kindNonHeap = 0
	kindHeap    = 1
)

// memoryReport are the measures of the crashed process in the report of all processes
// that Firefox can write (about:memory).
func (d *derivation) memoryReport() {
	if d.MemoryReport == nil {
		return
	}
	process := ""
	if id := d.Crash.Crash.ProcessID; id != nil {
		process = fmt.Sprintf("(pid %d)", *id)
	}
	var sums measures
	err := readMemoryReport(d.MemoryReport, func(r *measured) {
		if process != "" && strings.Contains(r.Process, process) {
			sums.add(r)
		}
	})
	if err != nil {
		d.note(schema.NoteMemoryReportUnreadable)
		return
	}
	d.pub.MemoryMeasures = sums.measures()
}

type measured struct {
	Process string `json:"process"`
	Path    string `json:"path"`
	Kind    int    `json:"kind"`
	Amount  int64  `json:"amount"`
}

// readMemoryReport hands each measure of a report to add, one at a time: a few kilobytes
// of gzip would be a gigabyte of them.
func readMemoryReport(data []byte, add func(*measured)) error {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxMemoryReport+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxMemoryReport:
		return fmt.Errorf("more than %d bytes", maxMemoryReport)
	}
	// From memory: a decoder looks at blanks anew with each piece that it gets.
	in := json.NewDecoder(bytes.NewReader(text))
	if err := opens(in, '{'); err != nil {
		return err
	}
	for n := 0; in.More(); {
		name, err := in.Token()
		if err != nil {
			return err
		}
		if name != "reports" {
			var other json.RawMessage
			if err := in.Decode(&other); err != nil {
				return err
			}
			continue
		}
		if err := opens(in, '['); err != nil {
			return err
		}
		for ; in.More(); n++ {
			if n == maxMeasures {
				return fmt.Errorf("more than %d measures", maxMeasures)
			}
			var r measured
			if err := in.Decode(&r); err != nil {
				return err
			}
			add(&r)
		}
		if _, err := in.Token(); err != nil {
			return err
		}
	}
	if _, err := in.Token(); err != nil {
		return err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something behind it")
	}
	return nil
}

// opens reads the begin of an object or a list.
func opens(in *json.Decoder, want json.Delim) error {
	if t, err := in.Token(); err != nil || t != want {
		return errors.Join(err, fmt.Errorf("want %s", want))
	}
	return nil
}

// measures collect a process's.
type measures struct {
	of               schema.MemoryMeasures
	heap, nonHeap    int64 // below explicit
	explicitWasThere bool
}

// plain are the measures that stand under a path of their own.
func (m *measures) plain(path string) **int64 {
	switch path {
	case "gfx-textures":
		return &m.of.GfxTextures
	case "ghost-windows":
		return &m.of.GhostWindows
	case "heap-allocated":
		return &m.of.HeapAllocated
	case "host-object-urls":
		return &m.of.HostObjectURLs
	case "private":
		return &m.of.Private
	case "resident":
		return &m.of.Resident
	case "resident-unique":
		return &m.of.ResidentUnique
	case "system-heap-allocated":
		return &m.of.SystemHeapAllocated
	case "vsize":
		return &m.of.Vsize
	case "vsize-max-contiguous":
		return &m.of.VsizeMaxContiguous
	}
	return nil
}

// below are the measures that are sums of what stands below a path.
func (m *measures) below(path string) **int64 {
	switch {
	case strings.HasPrefix(path, "explicit/heap-overhead/"):
		return &m.of.HeapOverhead
	case strings.HasPrefix(path, "explicit/images/"):
		return &m.of.Images
	case strings.HasPrefix(path, "explicit/window-objects/top(none)/detached/"):
		return &m.of.TopNoneDetached
	case strings.HasPrefix(path, "js-main-runtime/"):
		return &m.of.JSMainRuntime
	}
	return nil
}

func (m *measures) add(r *measured) {
	if of := m.plain(r.Path); of != nil {
		sum(of, r.Amount)
		return
	}
	if of := m.below(r.Path); of != nil {
		sum(of, r.Amount)
	}
	if strings.HasPrefix(r.Path, "explicit/") {
		m.explicitWasThere = true
		switch r.Kind {
		case kindHeap:
			m.heap += r.Amount
		case kindNonHeap:
			m.nonHeap += r.Amount
		}
	}
}

func sum(of **int64, amount int64) {
	if *of == nil {
		*of = new(int64)
	}
	**of += amount
}

// measures are the sums: explicit is what is allocated on the heap and what else was
// counted, and unclassified what of the heap nobody has counted. Nil when the process is
// not in the report.
func (m *measures) measures() *schema.MemoryMeasures {
	if m.of.HeapAllocated != nil && m.explicitWasThere {
		m.of.Explicit = new(*m.of.HeapAllocated + m.nonHeap)
		m.of.HeapUnclassified = new(*m.of.HeapAllocated - m.heap)
	}
	if m.of == (schema.MemoryMeasures{}) {
		return nil
	}
	return &m.of
}
