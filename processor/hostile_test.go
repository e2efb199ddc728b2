package processor

import (
	"strings"
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/schema"
)

// Dumps beside the main one that are far too large cost themselves: the main one's threads
// stay whole.
func TestHugeAdditionalDumpsCostThemselves(t *testing.T) {
	const app = 0x400000
	threads := func(n, words int) []byte {
		b := minidumptest.New(minidump.CPUAMD64, minidump.Linux).Module(minidumptest.Module{Base: app, Size: 1 << 20, CodeFile: "/bin/app.so"})
		for i := range n {
			base := 0x7f0000000000 + uint64(i)*0x100000
			stack := make([]uint64, words)
			for j := range stack {
				stack[j] = app + 0x1000 + uint64(j)
			}
			b.Thread(uint32(i+1), minidumptest.Regs{"rip": app + 1, "rsp": base}, minidumptest.StackAt(base).Words(stack...))
		}
		return b.Bytes()
	}
	main, huge := threads(32, 100), threads(256, 200)
	p := newProcessor(t)
	alone := process(t, p, input(main))
	names := []string{"upload_file_minidump_a", "upload_file_minidump_b", "upload_file_minidump_c", "upload_file_minidump_d"}
	out := process(t, p, beside(input(main), names, huge, huge, huge, huge))
	if got, want := countFrames(out), countFrames(alone); got != want {
		t.Errorf("%d frames of the main dump, alone %d", got, want)
	}
	if len(out.AdditionalDumps) != len(names) {
		t.Fatalf("%d additional dumps", len(out.AdditionalDumps))
	}
	for i := range out.AdditionalDumps {
		a := &out.AdditionalDumps[i]
		if n := countFrames(&schema.ProcessedCrash{Threads: a.Threads}); n == 0 || n > maxAdditionalFrames {
			t.Errorf("%s keeps %d frames", a.Name, n)
		}
	}
}

// They are the first to go when the event is too large.
func TestAdditionalDumpsGoFirst(t *testing.T) {
	frames := []schema.Frame{{Function: "f"}}
	out := &schema.ProcessedCrash{Threads: []schema.Thread{{Frames: frames}, {Frames: frames}}}
	out.Crash.CrashingThread = new(int32(0))
	out.AdditionalDumps = []schema.AdditionalDump{{Name: strings.Repeat("x", schema.MaxProcessedBytes)}}
	fit(out, &notes{})
	if out.AdditionalDumps != nil || countFrames(out) != 2 {
		t.Errorf("%d additional dumps, %d frames", len(out.AdditionalDumps), countFrames(out))
	}
}
