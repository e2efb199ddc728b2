package minidump

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStringsThatCannotBeReadAreNone(t *testing.T) {
	le := binary.LittleEndian
	for name, tc := range map[string]struct {
		size  uint32
		bytes int // that are there
		wide  bool
		utf8  bool
	}{
		"whole":           {4, 4, true, true},
		"empty":           {0, 0, true, true},
		"an odd size":     {3, 4, false, true},
		"cut":             {4, 3, false, false},
		"no size":         {0, -1, false, false},
		"longer than may": {10, 10, false, false},
	} {
		d := limited(t, 0xffff, make([]byte, 100))
		at := uint64(len(d.data))
		d.data = append(le.AppendUint32(d.data, tc.size), strings.Repeat("a", max(tc.bytes, 0))...)
		if tc.bytes < 0 {
			d.data = d.data[:len(d.data)-1]
		}
		const limit = 9
		if text, ok := d.utf8At(at, limit); ok != tc.utf8 || ok != (len(text) == int(tc.size)) && tc.size > 0 {
			t.Errorf("%s: %q, %v", name, text, ok)
		}
		if tc.size > limit {
			continue
		}
		if _, ok := d.utf16At(at); ok != tc.wide {
			t.Errorf("%s, in UTF-16: %v", name, ok)
		}
	}
	d := limited(t, 0xffff, nil)
	if _, ok := d.utf8At(0, 100); ok {
		t.Error("a string at the file's first byte")
	}
	if _, ok := d.utf16At(0); ok {
		t.Error("UTF-16 at the file's first byte")
	}
	at := uint64(len(d.data))
	d.data = append(le.AppendUint32(d.data, 9), strings.Repeat("a", 9)...)
	if text, ok := d.utf8At(at, 9); !ok || text != strings.Repeat("a", 9) {
		t.Errorf("at the limit: %q, %v", text, ok)
	}
}

func TestTheLimitOnStringsIsNotedOnce(t *testing.T) {
	d := limited(t, 0xffff, nil)
	d.Findings = nil
	all := uint64(4 * len(d.data))
	if !d.payString(all-1) || !d.payString(1) || d.payString(1) || !d.payString(0) || d.payString(2) {
		t.Errorf("%d bytes are paid of %d", d.stringBytes, all)
	}
	if diff := cmp.Diff([]Finding{{FindingLimitStrings, -1}}, d.Findings); diff != "" {
		t.Error(diff)
	}
}

func TestUTF16EndsAtItsFirstNUL(t *testing.T) {
	for text, want := range map[string]string{"": "", "a\x00b\x00": "a\x00b\x00", "a\x00\x00\x00b\x00": "a\x00", "\x00\x00": "", "\x00a\x00\x00": "\x00a", "a\x00\x00": "a\x00\x00", "a": "a"} {
		if got := string(untilNUL([]byte(text))); got != want {
			t.Errorf("%q until %q, want %q", text, got, want)
		}
	}
}

func TestAddressesHaveThePointersWidth(t *testing.T) {
	for cpu, want := range map[CPU]string{CPUX86: "0x00000010", CPUAMD64: "0x0000000000000010"} {
		if got := string((&Dump{System: &SystemInfo{CPU: cpu}}).AppendAddress(nil, 16)); got != want {
			t.Errorf("%v: %s", cpu, got)
		}
	}
	if got := string(new(Dump).AppendAddress([]byte("at "), 16)); got != "at 0x0000000000000010" {
		t.Error(got)
	}
	for path, want := range map[string]string{"a": "a", "/x/a": "a", `C:\x/y\a`: "a", "x/": "", "": ""} {
		if got := BaseName(path); got != want {
			t.Errorf("%q: %q", path, got)
		}
	}
}

func TestARMProcessorsAreDescribed(t *testing.T) {
	for _, tc := range []struct {
		level            uint16
		id, capabilities uint32
		want             string
	}{
		{7, 0, 0, "ARMv7"},
		{7, 0x4100c090, 0, "ARMv7 ARM Cortex-A9"},
		{7, 0x41f0c09f, 0, "ARMv7 ARM Cortex-A9"}, // variant and revision make no difference
		{7, 0x510006f0, 1, "ARMv7 Qualcomm Krait features: swp"},
		{7, 0x99000000, 1 << 18, "ARMv7 vendor(0x99) part(0x99000000) features: idivt"},
		{7, 0x56000010, 3 << 18, "ARMv7 Marvell part(0x56000010) features: idivt"},
		{6, 0, 3, "ARMv6 features: swp,half"},
	} {
		if got := armInfo(tc.level, tc.id, tc.capabilities); got != tc.want {
			t.Errorf("%#x: %q, want %q", tc.id, got, tc.want)
		}
	}
}

// crashpad is a dump with what the reader of annotations reads, and places in it.
type crashpad struct {
	*Dump
	reader crashpadReader
}

func newCrashpad(t *testing.T) *crashpad {
	t.Helper()
	d := limited(t, 0xffff, make([]byte, 1000)) // a file that pays for the strings
	d.Findings, d.Crashpad = nil, new(CrashpadInfo)
	return &crashpad{d, crashpadReader{Dump: d, budget: maxAnnotationBytes, link: -1}}
}

func (c *crashpad) put(b []byte) location {
	at := uint32(len(c.data))
	c.data = append(c.data, b...)
	return location{uint32(len(b)), at}
}

func (c *crashpad) text(s string) uint32 {
	return c.put(append(binary.LittleEndian.AppendUint32(nil, uint32(len(s))), s...)).rva
}

func words(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func TestAnnotationsOfEachFormAreRead(t *testing.T) {
	c := newCrashpad(t)
	a, b := c.text("a"), c.text("b")
	const outside = 1 << 30
	c.reader.simple(c.put(words(2, a, b, b, outside)), 5)
	c.reader.list(c.put(words(2, a, b)), 6)
	c.reader.objects(c.put(words(2, a, AnnotationString, b, b, 7, a)), 7)
	want := []Annotation{
		{5, AnnotationSimple, 0, "a", "b"},
		{5, AnnotationSimple, 0, "b", ""},
		{6, AnnotationList, 0, "", "a"},
		{6, AnnotationList, 0, "", "b"},
		{7, AnnotationObject, 1, "a", "b"},
		{7, AnnotationObject, 7, "b", ""}, // not text
	}
	if d := cmp.Diff(want, c.Crashpad.Annotations); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Finding{{FindingCrashpadAnnotation, -1}}, c.Findings); d != "" {
		t.Error(d)
	}
}

func TestListsOfAnnotationsThatAreCutAreNone(t *testing.T) {
	for name, tc := range map[string]struct {
		read func(r *crashpadReader, loc location)
		size uint32 // of an entry
	}{
		"simple":  {func(r *crashpadReader, loc location) { r.simple(loc, 0) }, 8},
		"list":    {func(r *crashpadReader, loc location) { r.list(loc, 0) }, 4},
		"objects": {func(r *crashpadReader, loc location) { r.objects(loc, 0) }, 12},
		"modules": {func(r *crashpadReader, loc location) { r.modules(loc) }, 12},
	} {
		c := newCrashpad(t)
		c.reader.link = 3
		whole := c.put(append(words(1), make([]byte, tc.size)...))
		for less, want := range map[uint32]int{1: 1, tc.size: 1, tc.size + 1: 1, tc.size + 4: 0} { // nothing is an empty list
			c.Findings, c.Crashpad.Annotations = nil, nil
			c.reader.full = false
			tc.read(&c.reader, location{whole.size - less, whole.rva})
			if len(c.Findings) != want || len(c.Crashpad.Annotations) != 0 || want == 1 && c.Findings[0] != (Finding{FindingCrashpadAnnotation, 3}) {
				t.Errorf("%s, %d bytes less: %v", name, less, c.Findings)
			}
		}
	}
}

func TestAnnotationsOfModulesAreTheirs(t *testing.T) {
	c := newCrashpad(t)
	c.moduleOfRecord = []int{-1, 0, 1}
	a := c.text("a")
	empty := location{}
	module := func(list location) location {
		return c.put(words(1, list.size, list.rva, empty.size, empty.rva, empty.size, empty.rva))
	}
	one := module(c.put(words(1, a)))
	c.reader.modules(c.put(words(4, 2, one.size, one.rva, 0, one.size, one.rva, 3, one.size, one.rva, 1, one.size-1, one.rva)))
	var of []int
	for _, x := range c.Crashpad.Annotations {
		of = append(of, x.Module)
	}
	if d := cmp.Diff([]int{1, -1, -1}, of); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Finding{{FindingCrashpadAnnotation, 3}}, c.Findings); d != "" {
		t.Error(d)
	}
}

func TestNoMoreAnnotationsAreReadThanFit(t *testing.T) {
	c := newCrashpad(t)
	c.reader.budget = 3
	a, long := c.text("a"), c.text("long")
	c.reader.list(c.put(words(3, a, long, a)), 0)
	c.reader.simple(c.put(words(1, a, a)), 0)
	c.reader.objects(c.put(words(1, a, 0, a)), 0)
	one := c.put(words(1, 0, 0, 0, 0, 0, 0))
	c.reader.modules(c.put(words(1, 0, one.size, one.rva)))
	if n := len(c.Crashpad.Annotations); n != 1 || c.reader.budget != 2 || !c.reader.full || c.reader.link != -1 {
		t.Errorf("%d annotations, %d bytes are left", n, c.reader.budget)
	}
	if d := cmp.Diff([]Finding{{FindingLimitAnnotations, -1}}, c.Findings); d != "" {
		t.Error(d)
	}
	c = newCrashpad(t)
	c.reader.budget = 2
	a = c.text("a")
	if c.reader.simple(c.put(words(1, a, a)), 0); len(c.Crashpad.Annotations) != 1 || c.reader.budget != 0 {
		t.Error("one that just fits")
	}
	// A stream of version 0 is none, and one of any other is.
	body := make([]byte, 52)
	for version, want := range map[byte]bool{0: false, 1: true, 2: true} {
		if body[0] = version; (limited(t, StreamCrashpadInfo, body).Crashpad != nil) != want {
			t.Errorf("version %d", version)
		}
	}
}

// recordOf is a crash record of macOS with that version and those texts.
func recordOf(version uint64, numbers int, texts string) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 8), version)
	for i := range numbers {
		b = binary.LittleEndian.AppendUint64(b, uint64(i+1))
	}
	return append(b, texts...)
}

func TestMacCrashRecordsOfEachVersion(t *testing.T) {
	const texts = "m\x00e\x00s\x00b\x002\x00"
	full := MacCrashRecord{Thread: 1, DialogMode: 2, Module: "m", Message: "e", Signature: "s", Backtrace: "b", Message2: "2"}
	with := func(version, cause uint64) MacCrashRecord {
		r := full
		r.Version, r.AbortCause = version, cause
		return r
	}
	for name, tc := range map[string]struct {
		data []byte
		at   uint32
		want MacCrashRecord
		ok   bool
	}{
		"version 3":                {recordOf(3, 2, texts), 32, MacCrashRecord{Version: 3}, true},
		"version 3, nothing else":  {recordOf(3, 0, ""), 32, MacCrashRecord{Version: 3}, true},
		"version 4":                {recordOf(4, 2, texts), 32, with(4, 0), true},
		"version 5":                {recordOf(5, 3, texts), 40, with(5, 3), true},
		"version 6":                {recordOf(6, 3, texts), 40, with(6, 3), true},
		"texts further on":         {recordOf(4, 3, texts), 40, with(4, 0), true},
		"no room for the version":  {recordOf(3, 0, "")[:15], 32, MacCrashRecord{}, false},
		"no room for the numbers":  {recordOf(4, 1, ""), 0, MacCrashRecord{}, false},
		"no room for the cause":    {recordOf(5, 2, ""), 0, MacCrashRecord{}, false},
		"texts behind the record":  {recordOf(4, 2, texts), 43, MacCrashRecord{}, false},
		"texts at its end":         {recordOf(4, 2, texts), 42, MacCrashRecord{}, false},
		"a text that does not end": {recordOf(4, 2, texts[:9]), 32, MacCrashRecord{}, false},
	} {
		d := limited(t, 0xffff, nil)
		got, ok := d.macCrashRecord(tc.data, tc.at)
		if ok != tc.ok || ok && !cmp.Equal(got, tc.want) {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	d := limited(t, 0xffff, nil)
	d.stringBytes = 4*uint64(len(d.data)) - 4
	if _, ok := d.macCrashRecord(recordOf(4, 2, texts), 32); ok {
		t.Error("texts beyond the limit on strings")
	}
}
