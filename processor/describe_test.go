package processor

import (
	"fmt"
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
	"aftershock/schema"
)

// TestBothEndsOfALongStackAreKept: the frames in the middle go, and the event
// tells how many there were.
func TestBothEndsOfALongStackAreKept(t *testing.T) {
	const app, stack = 0x400000, 0x10000
	p := newProcessor(t)
	for _, frames := range []int{maxCrashingFrames, maxCrashingFrames + 1, 3 * maxCrashingFrames} {
		// Return addresses lie at every other word, and are no multiples of 16.
		words := make([]uint64, 2*(frames-1))
		for i := range frames - 1 {
			words[2*i+1] = app + 0x1001 + 16*uint64(i+1)
		}
		dump := minidumptest.New(minidump.CPUAMD64, minidump.Linux).
			Module(minidumptest.Module{Base: app, Size: 1 << 20, CodeFile: "/bin/app"}).
			Thread(1, minidumptest.Regs{"rip": app + 1, "rsp": stack}, minidumptest.StackAt(stack).Words(words...)).
			Exception(1, 11, 1, 0).Bytes()
		out := process(t, p, input(dump))
		thread := out.Threads[0]
		kept := min(frames, maxCrashingFrames)
		if int(thread.FrameCount) != frames || len(thread.Frames) != kept || has(out, schema.NoteFramesCapped) != (frames > kept) {
			t.Errorf("%d frames: count %d, kept %d, notes %v", frames, thread.FrameCount, len(thread.Frames), out.Notes)
			continue
		}
		for i, f := range thread.Frames {
			number := i
			if i >= kept/2 {
				number += frames - kept
			}
			address := app + 0x1000 + 16*number // the word less a byte, where the call is
			if number == 0 {
				address = app + 1
			}
			if want := fmt.Sprintf("0x%016x", address); f.Offset != want {
				t.Fatalf("frame %d is %s, want %s", i, f.Offset, want)
			}
		}
	}
}
