package facts

import (
	"bytes"
	"compress/gzip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"aftershock/schema"
)

// A few kilobytes of gzip cost no gigabyte.
func TestMemoryReportOfMillionsOfMeasures(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(`{"reports":[` + strings.Repeat("{},", 6_000_000) + "{}]}")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	crash := &schema.ProcessedCrash{}
	crash.Crash.ProcessID = new(int64(1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f := Derive(Input{Crash: crash, Registry: schema.DefaultRegistry, MemoryReport: packed.Bytes()})
	runtime.ReadMemStats(&after)
	if !slices.Contains(f.Notes, schema.NoteMemoryReportUnreadable) || f.Public.MemoryMeasures != nil {
		t.Errorf("%q, %v", f.Notes, f.Public.MemoryMeasures)
	}
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 200 {
		t.Errorf("%d MiB of memory for %d bytes", took, packed.Len())
	}
}

// Words that are somebody's name are none of the list.
func TestNamesAreNoWords(t *testing.T) {
	for _, name := range []string{"mark", "art", "rose", "grant", "bill", "frank", "dean", "chase", "jack", "rob", "john", "grace", "hunter"} {
		if literals[name] {
			t.Error(name)
		}
	}
}
