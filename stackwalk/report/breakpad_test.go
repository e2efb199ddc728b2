package report_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"aftershock/internal/reference"
	"aftershock/minidump"
	"aftershock/stackwalk"
	"aftershock/stackwalk/report"
)

// TestBreakpadAgrees compares with an implementation that shares nothing with
// the reference: what Breakpad's own minidump_stackwalk -m prints of test.dmp.
func TestBreakpadAgrees(t *testing.T) {
	corpus := reference.Path(t, "corpus")
	want, err := os.ReadFile(filepath.Join(corpus, "expected", "breakpad", "minidump2.stackwalk.machine_readable.out"))
	if err != nil {
		t.Fatal(err)
	}
	symbols := []string{filepath.Join(corpus, "symbols")}
	in, err := walkFile(filepath.Join(corpus, "dumps", "test.dmp"), symbols)
	if err != nil {
		t.Fatal(err)
	}
	for version := 1; version <= stackwalk.NewestVersion; version++ {
		in.Walk = stackwalk.Walk(in.Dump, func(module int) stackwalk.Symbols {
			if f, _ := load(&in.Dump.Modules[module], symbols); f != nil {
				return f
			}
			return nil
		}, stackwalk.Options{Version: version})
		if diff := gocmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), machineReadable(in)); diff != "" {
			t.Errorf("version %d:\n%s", version, diff)
		}
	}
}

// machineReadable is Breakpad's form of a report.
func machineReadable(in report.Input) []string {
	d, s := in.Dump, in.Dump.System
	address, _ := d.CrashAddress()
	out := []string{
		fmt.Sprintf("OS|%v|%s", s.OS, s.OSVersion()),
		fmt.Sprintf("CPU|%v|%s|%d", s.CPU, s.CPUInfo, s.CPUCount),
		"GPU|||",
		fmt.Sprintf("Crash|%s|%#x|%d", d.CrashReason(), address, in.Walk.CrashingThread),
	}
	byAddress := make([]int, len(d.Modules))
	for i := range byAddress {
		byAddress[i] = i
	}
	slices.SortFunc(byAddress, func(a, b int) int { return cmp.Compare(d.Modules[a].Base, d.Modules[b].Base) })
	for _, i := range byAddress {
		m := &d.Modules[i]
		isMain := 0
		if i == 0 {
			isMain = 1
		}
		out = append(out, fmt.Sprintf("Module|%s|%s|%s|%s|0x%08x|0x%08x|%d", m.CodeName(), m.Version(), m.DebugName(), m.DebugID(), m.Base, m.End()-1, isMain))
	}
	out = append(out, "")
	for i := range in.Walk.Threads {
		for n := range in.Walk.Threads[i].Frames {
			out = append(out, machineReadableFrame(d, i, n, &in.Walk.Threads[i].Frames[n]))
		}
	}
	return out
}

// machineReadableFrame counts from where the frame goes on, not from its call.
func machineReadableFrame(d *minidump.Dump, thread, n int, f *stackwalk.Frame) string {
	file, line, offset := "", "", f.Resume-f.FunctionBase
	if len(f.File) > 0 {
		file, line, offset = string(f.File), fmt.Sprint(f.Line), f.Resume-f.LineBase
	}
	return fmt.Sprintf("%d|%d|%s|%s|%s|%s|%#x", thread, n, d.Modules[f.Module].CodeName(), f.Function, file, line, offset)
}
