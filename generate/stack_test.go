package generate

import (
	"strconv"
	"strings"
	"testing"

	"aftershock/schema"
)

// number is the number of a text with 0x and the digits of an address.
func number(t *testing.T, text string, digits int) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimPrefix(text, "0x"), 16, 64)
	if err != nil || len(text) != digits+2 {
		t.Fatalf("%q is no address of %d digits: %v", text, digits, err)
	}
	return n
}

// Every frame lies in its module, as the addresses say.
func TestFramesLieInTheirModules(t *testing.T) {
	frames, without := 0, 0
	sampled(t, 6, func(_ *Crashes, i int, c *schema.ProcessedCrash) {
		digits := 16
		if c.System.CPUArch == "x86" || c.System.CPUArch == "arm" {
			digits = 8
		}
		modules := map[string]*schema.Module{}
		for k := range c.Modules {
			m := &c.Modules[k]
			modules[m.Filename] = m
			if k > 0 && number(t, m.Base, digits) < number(t, c.Modules[k-1].Base, digits)+c.Modules[k-1].Size {
				t.Fatalf("crash %d: %s lies in the module before it", i, m.Filename)
			}
		}
		for k := range c.Threads {
			thread := &c.Threads[k]
			if int(thread.FrameCount) != len(thread.Frames) {
				t.Fatalf("crash %d: thread %d has %d frames, and says %d", i, k, len(thread.Frames), thread.FrameCount)
			}
			for _, f := range thread.Frames {
				at := number(t, f.Offset, digits)
				if f.Probability <= 0 || f.Probability > 1 {
					t.Fatalf("crash %d: %s!%s by %s has the probability %v", i, f.Module, f.Function, f.Trust, f.Probability)
				}
				if f.Module == "" {
					without++
					continue
				}
				m := modules[f.Module]
				if m == nil {
					t.Fatalf("crash %d: no module %s", i, f.Module)
				}
				if in := number(t, f.ModuleOffset, digits); at != number(t, m.Base, digits)+in || in >= m.Size {
					t.Fatalf("crash %d: %s!%s at %s, %s in a module at %s of %d bytes", i, f.Module, f.Function, f.Offset, f.ModuleOffset, m.Base, m.Size)
				}
				frames++
			}
		}
	})
	if frames < sample*100 || without == 0 || without > frames/50 {
		t.Errorf("%d frames in modules, %d elsewhere", frames, without)
	}
}

// A function of the program lies elsewhere in another build, and in another module; one of the
// system stays.
func TestFunctionsMoveFromBuildToBuild(t *testing.T) {
	g := newCrashes(t, Options{Count: 10})
	l := g.lanes[0]
	places := []*place{l.callers[0], l.system("ntdll.dll", "RtlUserThreadStart")}
	builds := g.builds[0]
	one, other := g.frames(places, l, builds[0], 16), g.frames(places, l, builds[1], 16)
	if one[0].ModuleOffset == other[0].ModuleOffset || one[0].Line == other[0].Line || one[0].Function != other[0].Function {
		t.Errorf("of the program: %+v, %+v", one[0], other[0])
	}
	if one[1].ModuleOffset != other[1].ModuleOffset || one[1].Offset != other[1].Offset {
		t.Errorf("of the system: %+v, %+v", one[1], other[1])
	}
	was, is := g.moduleSet(builds[0], 0).modules, g.moduleSet(builds[1], 0).modules
	if was[0].DebugID == is[0].DebugID || was[len(own[orchard])].DebugID != is[len(own[orchard])].DebugID {
		t.Error("modules of the program are the same, or those of the system others")
	}
}
