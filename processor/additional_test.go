package processor

import (
	"context"
	"slices"
	"testing"

	"aftershock/schema"
	"aftershock/symbolcache"
)

// beside adds dumps to a report, in their order.
func beside(in Input, names []string, data ...[]byte) Input {
	in.Beside = map[string][]byte{}
	for i, name := range names {
		in.Raw.Dumps = append(in.Raw.Dumps, schema.Dump{Name: name, Size: int64(len(data[i]))})
		if data[i] != nil {
			in.Beside[name] = data[i]
		}
	}
	return in
}

// A dump beside the main one is walked as if it were the main one, and changes nothing of
// what the main one says.
func TestAdditionalDumpsAreWalked(t *testing.T) {
	p := newProcessor(t)
	main, other := sample(t, "orchard-null.dmp"), sample(t, "orchard-abort.dmp")
	alone, asMain := process(t, p, input(main)), process(t, p, input(other))
	out := process(t, p, beside(input(main), []string{schema.MainDump, "upload_file_minidump_browser", "other", "upload_file_minidump_gone", "upload_file_minidump_empty"},
		main, other, other, nil, []byte{}))
	if out.Signature != alone.Signature || len(out.Threads) != len(alone.Threads) || out.DumpStatus != schema.DumpOK {
		t.Errorf("the main dump: %s, %d threads, %s", out.Signature, len(out.Threads), out.DumpStatus)
	}
	if len(out.AdditionalDumps) != 3 {
		t.Fatalf("%d additional dumps", len(out.AdditionalDumps))
	}
	browser := out.AdditionalDumps[0]
	if browser.Name != "upload_file_minidump_browser" || browser.DumpStatus != schema.DumpOK || browser.Reason != asMain.Crash.Reason || *browser.CrashingThread != *asMain.Crash.CrashingThread {
		t.Errorf("%+v", browser)
	}
	if got, want := frameNames(browser.Threads), frameNames(asMain.Threads); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(browser.Modules) == 0 || len(browser.Modules) >= len(asMain.Modules) {
		t.Errorf("%d modules in its stacks, of %d", len(browser.Modules), len(asMain.Modules))
	}
	for i, want := range []string{statusNoDump, statusEmpty} {
		if d := out.AdditionalDumps[i+1]; d.DumpStatus != want || len(d.Notes) != 1 || !has(out, schema.NoteAdditionalDump) {
			t.Errorf("%s: %s, %v", d.Name, d.DumpStatus, d.Notes)
		}
	}
	if *out.Facts.AdditionalDumpCount != 3 {
		t.Errorf("%d counted", *out.Facts.AdditionalDumpCount)
	}
	if has(alone, schema.NoteAdditionalDump) || *out.Facts.ReportType != "crash" {
		t.Error(alone.Notes)
	}
}

func frameNames(threads []schema.Thread) (names []string) {
	for i := range threads {
		for j := range threads[i].Frames {
			names = append(names, threads[i].Frames[j].Module+"!"+threads[i].Frames[j].Function)
		}
	}
	return names
}

func TestAdditionalDumpsAreBounded(t *testing.T) {
	p := newProcessor(t)
	dump := sample(t, "orchard-null.dmp")
	for n, capped := range map[int]bool{schema.MaxAdditionalDumps: false, schema.MaxAdditionalDumps + 1: true} {
		var names []string
		for i := range n {
			names = append(names, "upload_file_minidump_"+string(rune('a'+i)))
		}
		out := process(t, p, beside(input(dump), names, slices.Repeat([][]byte{dump}, n)...))
		if len(out.AdditionalDumps) != schema.MaxAdditionalDumps || has(out, schema.NoteDumpsCapped) != capped {
			t.Errorf("of %d: %d, %v", n, len(out.AdditionalDumps), out.Notes)
		}
	}
}

// Who has waited for symbols once waits no second time for another dump of the crash.
func TestOneDumpOfACrashWaitsForSilentSources(t *testing.T) {
	p := newProcessor(t)
	asked := 0
	p.Symbols = Symbols{Find: func(context.Context, symbolcache.Key) symbolcache.Lookup {
		asked++
		return symbolcache.Lookup{Outcome: symbolcache.Timeout}
	}}
	dump := sample(t, "orchard-null.dmp")
	process(t, p, input(dump))
	alone := asked
	asked = 0
	out := process(t, p, beside(input(dump), []string{"upload_file_minidump_a"}, dump))
	if asked != alone || alone == 0 {
		t.Errorf("asked %d times, and %d times for the main dump alone", asked, alone)
	}
	if d := out.AdditionalDumps[0]; len(d.Threads) == 0 || !slices.ContainsFunc(d.Modules, func(m schema.Module) bool { return m.Symbols == string(symbolcache.Timeout) }) {
		t.Errorf("%+v", d)
	}
}

// A memory report beside the dump gives measures of the process that crashed.
func TestFactsComeWithTheCrash(t *testing.T) {
	p := newProcessor(t)
	in := input(sample(t, "orchard-null.dmp"))
	in.Raw.Annotations["MozCrashReason"] = "index 7 of alice"
	in.Raw.Annotations["CrashTime"] = " 1795348000\n"
	in.Beside = map[string][]byte{schema.MemoryReport: []byte("plain")}
	out := process(t, p, in)
	if f := out.Facts; f == nil || *f.MozCrashReason != "index # of …" || *f.CrashTime != 1795348000 || *f.ProcessType != "parent" || f.MainModule == nil || f.OSPrettyVersion == nil || f.AddressKind == nil {
		t.Errorf("%+v", f)
	}
	if !has(out, schema.NoteMemoryReportUnreadable) {
		t.Error(out.Notes)
	}
	if at := out.ProtectedFacts.Address; at == nil || *at != "0x0000000000000010" || *out.Facts.NullOffset != 16 {
		t.Errorf("%+v", out.ProtectedFacts)
	}
}
