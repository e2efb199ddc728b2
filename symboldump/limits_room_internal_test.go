package symboldump

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"aftershock/breakpad"
)

func TestRoomGoesByTheSizeOfFiles(t *testing.T) {
	const files = 1 << 20
	const name = 102 // bytes, which take 1 of demangling
	if demanglingOf(name-1) != 0 || demanglingOf(name) != 1 {
		t.Fatalf("a name of %d bytes takes %d", name, demanglingOf(name))
	}
	for limit, tt := range map[string]struct {
		reason Reason
		all    int64
		take   func(r *Report, n int64) bool
	}{
		"maxStepRatio": {WorkLimit, minSteps + maxStepRatio*files, func(r *Report, n int64) bool { return r.step(int(n)) }},
		"maxHeldRatio": {MemoryLimit, minHeldBytes + maxHeldRatio*files, (*Report).hold},
		"demanglingBytes": {WorkLimit, minDemangling + files/demanglingBytes, func(r *Report, n int64) bool {
			for range n {
				if !r.demangle(name) {
					return false
				}
			}
			return true
		}},
	} {
		report := Report{room: roomFor(files, Options{})}
		if !tt.take(&report, tt.all) || len(report.Reasons()) > 0 {
			t.Errorf("%s, at the limit: %s", limit, report.String())
		}
		if tt.take(&report, 1) || report.Untold(tt.reason) != 1 {
			t.Errorf("%s, beyond the limit: %s", limit, report.String())
		}
	}
}

// What is made of a short name counts as well; nothing as the longest.
func TestSpellingTakesRoom(t *testing.T) {
	for name, want := range map[string]int64{
		doubled(6):     2132 / spelledBytes,
		doubled(8):     maxDemangledBytes / spelledBytes,
		"_Z nothing":   maxDemangledBytes / spelledBytes,
		"not mangled":  0,
		"_Z1fv.cold.1": 0,
	} {
		report := Report{room: roomFor(0, Options{})}
		before := report.room.demangling
		if got := symbolName([]byte(name), &report); before-report.room.demangling != want {
			t.Errorf("%s, which is %.20s, took %d, want %d", name, got, before-report.room.demangling, want)
		}
	}
}

// A name that stands for a long one is told as often as there is room for what it says.
func TestNameRoomGoesByTheSizeOfTheFile(t *testing.T) {
	f := symbolFile(1000, doubled(6))
	limit := (minOutputBytes + maxRepeats*len(f.data)) / (2132 + 1)
	if _, report := reportOf(t, f, Options{}); report.Publics != limit || report.Untold(NameTooLong) != 1 {
		t.Errorf("want %d: %s", limit, report.String())
	}
}

// What is decompressed, and files that are found on the way, are held and make room
// for what is done with them.
func TestMoreFilesMakeMoreRoom(t *testing.T) {
	const more = 1 << 20
	report := Report{room: roomFor(0, Options{})}
	before := *report.room
	if !report.grow(more) {
		t.Fatal(report.String())
	}
	after := *report.room
	if after.held != more || after.mayHold != before.mayHold || after.steps != before.steps+maxStepRatio*more || after.demangling != before.demangling+more/demanglingBytes {
		t.Errorf("decompressed: from %+v to %+v", before, after)
	}
	report.addFile(&File{data: make([]byte, more)})
	if got := report.room; got.held != more || got.mayHold != after.mayHold+maxHeldRatio*more || got.steps != after.steps+maxStepRatio*more {
		t.Errorf("another file: from %+v to %+v", after, *got)
	}
	if report.grow(report.room.mayHold) || report.Untold(MemoryLimit) != 1 || report.room.steps != after.steps+maxStepRatio*more {
		t.Errorf("more than may be held: %s, %+v", report.String(), *report.room)
	}
}

// Who is asked for room can refuse it; what was taken is given back.
func TestRoomIsAskedFor(t *testing.T) {
	const allowed = 1 << 10
	held := int64(0)
	report := Report{room: roomFor(0, Options{Hold: func(n int64) bool {
		if held+n > allowed {
			return false
		}
		held += n
		return true
	}})}
	if !report.hold(allowed) || report.full() || held != allowed {
		t.Errorf("%d held: %s", held, report.String())
	}
	if report.hold(1) || !report.full() || held != allowed || report.Untold(MemoryLimit) != 1 {
		t.Errorf("%d held: %s", held, report.String())
	}
	if report.empty(nil); report.full() || held != 0 || !report.hold(1) {
		t.Errorf("%d held of nothing: %s", held, report.String())
	}
	if report.release(); held != 0 || report.room != nil {
		t.Errorf("%d held at the end", held)
	}
}

// A module whose debug information does not fit has its symbols and unwind tables.
func TestDebugInformationThatDoesNotFitIsLeftOut(t *testing.T) {
	f := madeDWARF(bytes.Repeat(madeEntry(madeFunction, 0x2000, 16, "f"), 100), map[string][]byte{
		".eh_frame": frameFile("", nil, 1, nil).sections[0].data,
		".strtab":   []byte("symbol\x00"), ".symtab": bytesOfParts(uint32(0), uint8(2), uint8(0), uint16(1), uint64(0x3000), uint64(1)),
	})
	for i := range f.sections {
		f.sections[i].executable = true
	}
	for allowed, functions := range map[int64]int{1 << 20: 1, 1 << 10: 0} {
		held := int64(0)
		hold := func(n int64) bool {
			if held+n > allowed {
				return false
			}
			held += n
			return true
		}
		text, report := reportOf(t, f, Options{Hold: hold})
		if report.Functions != functions || report.Publics != 1 || report.CFI != 1 || (report.Untold(MemoryLimit) > 0) != (functions == 0) {
			t.Errorf("%d bytes: %s\n%s", allowed, report.String(), text)
		}
	}
}

func TestOutputLimit(t *testing.T) {
	for n, want := range map[int]error{100: nil, 101: ErrOutputLimit} {
		var b bytes.Buffer
		o := newOutput(&b, 100)
		o.text(strings.Repeat("a", 50))
		o.write(make([]byte, n-50))
		if err := o.flush(); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", n, err, want)
		}
	}
}

// The text of a file may be maxOutputRatio times as large as it is, and minOutputBytes.
func TestOutputGoesByTheSizeOfTheFile(t *testing.T) {
	f := made(breakpad.AMD64, map[string][]byte{".text": make([]byte, 1000)})
	const limit = minOutputBytes + maxOutputRatio*1000
	head := "MODULE Linux x86_64 " + f.module.DebugID + " "
	for n, want := range map[int]error{limit: nil, limit + 1: ErrOutputLimit} {
		if _, err := f.WriteSymbols(io.Discard, nil, Options{Name: strings.Repeat("n", n-len(head)-1)}); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", n, err, want)
		}
	}
}

func TestCodeIsDisjoint(t *testing.T) {
	data := []byte("0123456789")
	for name, tt := range map[string]struct {
		code, want []Segment
		bytes      int
	}{
		"by address":       {[]Segment{{20, 5, data[:5]}, {10, 5, data[5:]}}, []Segment{{10, 5, data[5:]}, {20, 5, data[:5]}}, 10},
		"over the end":     {[]Segment{{10, 5, data[:5]}, {12, 8, data[2:]}}, []Segment{{10, 5, data[:5]}, {15, 5, data[5:]}}, 10},
		"inside":           {[]Segment{{10, 10, data}, {12, 2, data[:2]}}, []Segment{{10, 10, data}}, 10},
		"the same":         {[]Segment{{10, 10, data}, {10, 10, data}}, []Segment{{10, 10, data}}, 10},
		"without bytes":    {[]Segment{{10, 10, data[:2]}, {15, 10, nil}}, []Segment{{10, 10, data[:2]}, {20, 5, nil}}, 10},
		"nothing":          {[]Segment{{10, 0, nil}}, nil, 10},
		"beyond its bytes": {[]Segment{{10, 10, data}, {30, 10, data}}, []Segment{{10, 10, data}, {30, 10, data[:3]}}, 13},
	} {
		got := disjointCode(tt.code, tt.bytes)
		if !slices.EqualFunc(got, tt.want, func(a, b Segment) bool { return a.RVA == b.RVA && a.Size == b.Size && bytes.Equal(a.Data, b.Data) }) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	// Segments that map the whole file, maxCodeRepeats of them with its bytes.
	whole := elfOf(maxCodeRepeats+1, 1)
	for i := range maxCodeRepeats + 1 {
		copy(whole[64+56*i+32:], bytesOfParts(uint64(len(whole)), uint64(len(whole))))
	}
	f, err := Open(whole)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range f.Code() {
		want := len(whole)
		if i >= maxCodeRepeats {
			want = 0
		}
		if len(s.Data) != want || s.Size != uint64(len(whole)) {
			t.Errorf("segment %d: %d bytes of %d, want %d", i, len(s.Data), s.Size, want)
		}
	}
}

// What several places can name is read maxRepeats times.
func TestRepeatLimits(t *testing.T) {
	lines := func(units int) *File { // of one line table
		return linesFile(units, bytes.Repeat([]byte{lnsMadeAdvance}, 1000))
	}
	if _, report := reportOf(t, lines(maxRepeats), Options{}); len(report.Reasons()) > 0 {
		t.Errorf("a line table of %d units: %s", maxRepeats, report.String())
	}
	if _, report := reportOf(t, lines(maxRepeats+1), Options{}); report.Untold(LinesDamaged) != 1 {
		t.Errorf("a line table of %d units: %s", maxRepeats+1, report.String())
	}
	for extra, want := range map[uint64]int{0: madeLined, 1: 0} {
		d := &dwarf{report: &Report{}, abbrevs: madeAbbrevs(), tables: map[uint64]*abbrevTable{}}
		d.abbrevsRead = maxRepeats*uint64(len(d.abbrevs)) + extra
		if got := len(d.abbrevTable(0).dense); got != want {
			t.Errorf("%d abbreviations after %d bytes, want %d", got, d.abbrevsRead, want)
		}
	}
	u := &unit{dwarf: &dwarf{report: &Report{}, ranges: make([]byte, 10), rnglists: make([]byte, 20)}}
	for range maxRepeats * 30 {
		if !u.mayReadRange() {
			t.Fatalf("%d ranges were read", u.dwarf.rangesRead)
		}
	}
	if u.mayReadRange() {
		t.Errorf("%d ranges were read", u.dwarf.rangesRead)
	}
	asked := 0
	s := &splitUnits{report: &Report{}, options: Options{Split: func(string, string) *File {
		asked++
		return nil
	}}}
	for range maxRepeats + 1 {
		s.ask("dir", "name")
	}
	if asked != maxRepeats {
		t.Errorf("a file was asked for %d times, want %d", asked, maxRepeats)
	}
	for n, want := range map[int]bool{3: true, 4: false} {
		names := &symbols{report: &Report{}, nameRoom: 4}
		if names.roomFor(strings.Repeat("n", n)) != want {
			t.Errorf("a name of %d bytes: want %v", n, want)
		}
	}
}
