package pingstack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The three spellings say the same.
func TestThreeSpellingsAreOneStack(t *testing.T) {
	want := &Stack{
		Type: "SIGSEGV / SEGV_MAPERR", Address: 0x10, HasAddress: true, CrashingThread: 1, MainModule: 0,
		Modules: []Module{{
			Base: 0x400000, HasBase: true, End: 0x500000, HasEnd: true, File: "/opt/app/app", CodeID: "ab12", DebugFile: "app",
			DebugID: "000000000000000000000000000000010", Version: "1.2",
		}},
		Threads: []Thread{{}, {Frames: []Frame{{IP: 0x401000, HasIP: true, Module: 0, Trust: "context"}, {IP: 0x7f0000000010, HasIP: true, Module: -1, Trust: "cfi"}}}},
	}
	for name, text := range map[string]string{
		"desktop": `{"crash_type":"SIGSEGV / SEGV_MAPERR","crash_address":"0x10","crash_thread":1,"main_module":0,"error":null,
			"modules":[{"base_address":"0x400000","end_address":"0x500000","filename":"/opt/app/app","code_id":"ab12","debug_file":"app","debug_id":"000000000000000000000000000000010","version":"1.2"}],
			"threads":[{"frames":[]},{"frames":[{"ip":"0x401000","module_index":0,"trust":"context"},{"ip":"0x7f0000000010","trust":"cfi"}]}]}`,
		"Android": `{"crashType":"SIGSEGV / SEGV_MAPERR","crashAddress":"0x10","crashThread":1,"mainModule":0,
			"modules":[{"baseAddress":"0x400000","endAddress":"0x500000","filename":"/opt/app/app","codeId":"ab12","debugFile":"app","debugId":"000000000000000000000000000000010","version":"1.2"}],
			"threads":[{},{"frames":[{"ip":"0x401000","moduleIndex":0,"trust":"context"},{"ip":"0x7F0000000010","moduleIndex":null,"trust":"cfi"}]}]}`,
		"legacy": `{"status":"OK","crash_info":{"type":"SIGSEGV / SEGV_MAPERR","address":"0x10","crashing_thread":1},"main_module":0,
			"modules":[{"base_addr":"0x400000","end_addr":"0x500000","filename":"/opt/app/app","code_id":"ab12","debug_file":"app","debug_id":"000000000000000000000000000000010","version":"1.2"}],
			"threads":[{"frames":[]},{"frames":[{"ip":"401000","module_index":0,"trust":"context"},{"ip":"0X7f0000000010","module_index":-1,"trust":"cfi"}]}]}`,
		"numbers": `{"crash_type":"SIGSEGV / SEGV_MAPERR","crash_address":16,"crash_thread":1,"main_module":0,
			"modules":[{"base_address":4194304,"end_address":5242880,"filename":"/opt/app/app","code_id":"ab12","debug_file":"app","debug_id":"000000000000000000000000000000010","version":"1.2"}],
			"threads":[{},{"frames":[{"ip":4198400,"module_index":0,"trust":"context"},{"ip":139637976727568,"trust":"cfi"}]}]}`,
	} {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// A value of another type is as if it were not there, and so is what nobody knows.
func TestValuesOfOtherTypesAreNone(t *testing.T) {
	want := &Stack{MainModule: -1, CrashingThread: -1, Modules: []Module{{}, {}, {File: "a"}}, Threads: []Thread{{}, {Frames: []Frame{{Module: -1}, {Module: noIndex}, {IP: 1, HasIP: true, Module: -1}}}}}
	got, err := Parse(`{"crash_type":7,"crash_address":{"a":[1]},"crash_thread":"1","main_module":1.5,"crash_info":[3],"unknown":{"threads":[1]},
		"modules":[null,[1],{"base_address":true,"end_address":"","filename":"a","debug_id":3,"base_addr":-1}],
		"threads":[null,{"frames":[5,{"ip":"0x","module_index":{},"trust":[]},{"ip":"1","module_index":-1}],"more":"x"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// Older pings have one thread, and do not say that it crashed.
	if got, err := Parse(`{"threads":[{}]}`); err != nil || got.CrashingThread != 0 || got.MainModule != -1 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"7", "[]", `"text"`, "null"} {
		if got, err := Parse(text); err == nil || len(got.Threads) != 0 {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for said, want := range map[string]int{"null": 0, "-1": 0, "3": 3, `"3"`: -1, "1.5": -1, "true": -1, "-2": -1, "2147483648": -1, "[]": -1} {
		for _, text := range []string{`{"crash_thread":` + said + `}`, `{"crashThread":` + said + `}`, `{"crash_info":{"crashing_thread":` + said + `}}`} {
			if got, err := Parse(text); err != nil || got.CrashingThread != want {
				t.Errorf("%s: %d, want %d, %v", text, got.CrashingThread, want, err)
			}
		}
	}
	for said, want := range map[string]int{"null": -1, "-1": -1, "3": 3, `"3"`: noIndex, "0.0": noIndex, "1e30": noIndex, "false": noIndex} {
		if got, err := Parse(`{"threads":[{"frames":[{"module_index":` + said + `}]}]}`); err != nil || got.Threads[0].Frames[0].Module != want {
			t.Errorf("%s: %+v, want %d, %v", said, got, want, err)
		}
	}
}

// Of equal members the last one counts, as it does for Python.
func TestTheLastOfEqualMembersCounts(t *testing.T) {
	got, err := Parse(`{"modules":[{"filename":"a"}],"threads":[{"frames":[{"ip":"1"}]},{}],"modules":[{"filename":"b"}],"threads":[{"frames":[{"ip":"2"},{"omitted":3}],"frames":[{"ip":"4"}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := &Stack{MainModule: -1, Modules: []Module{{File: "b"}}, Threads: []Thread{{Frames: []Frame{{IP: 4, HasIP: true, Module: -1}}}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// What does not count is not kept, and takes no room.
	many := `{"frames":[` + strings.TrimSuffix(strings.Repeat("{},", MaxFrames), ",") + `]}`
	if got, err = Parse(`{"threads":[` + many + `],"threads":[` + many + `]}`); err != nil || got.Cut || len(got.Threads[0].Frames) != MaxFrames {
		t.Errorf("cut %v, %v", got.Cut, err)
	}
}

// A module is no larger than modules are, wherever it is said to end.
func TestTheSizeOfAModuleIsBounded(t *testing.T) {
	for m, want := range map[Module]uint64{
		{Base: 0x1000, End: 0x3000, HasEnd: true}:                      0x2000,
		{Base: 0x1000, End: 0x1000, HasEnd: true}:                      0,
		{Base: 0x1000, End: 0x10, HasEnd: true}:                        0,
		{Base: 0x1000}:                                                 MaxModuleBytes,
		{Base: 0x1000, End: 0x1000 + MaxModuleBytes, HasEnd: true}:     MaxModuleBytes,
		{Base: 0x1000, End: 0x1000 + MaxModuleBytes + 1, HasEnd: true}: MaxModuleBytes,
	} {
		if got := m.Size(); got != want {
			t.Errorf("%+v: %d, want %d", m, got, want)
		}
	}
}

// What stands before the text is cut is kept, and the error quotes nothing of it.
func TestACutStackIsKeptAsFarAsItGoes(t *testing.T) {
	text := `{"crash_type":"secret","threads":[{"frames":[{"ip":"0x1"},{"ip":"0x2"}]}],"modules":[]}`
	frames := 0
	for n := range text {
		got, err := Parse(text[:n])
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Fatalf("%q: %v", text[:n], err)
		}
		if len(got.Threads) > 0 {
			frames = max(frames, len(got.Threads[0].Frames))
		}
	}
	if frames != 2 {
		t.Errorf("%d frames", frames)
	}
}

func TestTheLimitsOfAStack(t *testing.T) {
	list := func(item string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	for name, tc := range map[string]struct {
		limit int
		text  func(n int) string
		kept  func(s *Stack) int
	}{
		"modules": {MaxModules, func(n int) string { return `{"modules":` + list("{}", n) + `}` }, func(s *Stack) int { return len(s.Modules) }},
		"threads": {MaxThreads, func(n int) string { return `{"threads":` + list("{}", n) + `}` }, func(s *Stack) int { return len(s.Threads) }},
		"frames":  {MaxFrames, func(n int) string { return `{"threads":[{"frames":` + list("{}", n) + `}]}` }, func(s *Stack) int { return len(s.Threads[0].Frames) }},
		"frames of two threads": {MaxFrames, func(n int) string {
			return `{"threads":[{"frames":[{}]},{"frames":` + list("{}", n-1) + `}]}`
		}, func(s *Stack) int { return 1 + len(s.Threads[1].Frames) }},
	} {
		for _, n := range []int{tc.limit, tc.limit + 1} {
			s, err := Parse(tc.text(n))
			if err != nil || tc.kept(s) != tc.limit || s.Cut != (n > tc.limit) {
				t.Errorf("%d %s: %d are kept, cut %v, %v", n, name, tc.kept(s), s.Cut, err)
			}
		}
	}
	s, err := Parse(`{"threads":[{"frames":` + list("{}", MaxFrames+3) + `}]}`)
	if err != nil || s.Threads[0].Omitted != 3 {
		t.Errorf("%d omitted, %v", s.Threads[0].Omitted, err)
	}
	for said, want := range map[string]int{"3": 3, "true": 1, `"x"`: 1, fmt.Sprint(MaxOmitted): MaxOmitted, fmt.Sprint(MaxOmitted + 1): MaxOmitted, "99999999999999999999": MaxOmitted, "0": 0, "-1": 0, "null": 0, "false": 0, "[]": 0, "1.5": 0} {
		s, err := Parse(`{"threads":[{"frames":[{"omitted":` + said + `}]}]}`)
		if err != nil || s.Threads[0].Omitted != want {
			t.Errorf("%s omitted: %d, %v", said, s.Threads[0].Omitted, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"crash_thread":1,"modules":[{"base_address":"0x1"}],"threads":[{"frames":[{"ip":"0x1","module_index":0},{"omitted":3}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, _ := Parse(text)
		frames := 0
		for i := range s.Threads {
			frames += len(s.Threads[i].Frames)
			if s.Threads[i].Omitted < 0 || s.Threads[i].Omitted > MaxOmitted {
				t.Error(s.Threads[i].Omitted)
			}
		}
		if frames > MaxFrames || len(s.Modules) > MaxModules || len(s.Threads) > MaxThreads || s.CrashingThread < 0 || s.MainModule < -1 {
			t.Errorf("%d frames, %+v", frames, s)
		}
	})
}
