package report_test

import (
	"strconv"

	"aftershock/stackwalk"
	"aftershock/stackwalk/report"
)

// trueStacks is what is known of a dump's stacks without any walker: see
// shared/truth/README.md.
type trueStacks struct {
	Dump, Kind string
	Threads    []trueThread
}

type trueThread struct {
	TID    uint32
	Frames []trueFrame
}

type trueFrame struct{ Module, Offset, Kind string }

// is tells whether a frame of a walk is this one.
func (f *trueFrame) is(in *report.Input, w *stackwalk.Frame) bool {
	name, at := "", w.Instruction
	if w.Module >= 0 {
		name, at = in.Dump.Modules[w.Module].CodeName(), w.ModuleOffset(in.Dump)
	}
	offset, err := strconv.ParseUint(f.Offset, 0, 64)
	return err == nil && name == f.Module && (at == offset-1 || f.Kind == "interrupted" && at == offset)
}

// found counts the true callers that a walk found, in their order, the frames
// that are false, and those in no module.
func (th *trueThread) found(in *report.Input) (found, wrong, nowhere int) {
	for i := range in.Walk.Threads {
		if w := &in.Walk.Threads[i]; w.ID == th.TID && len(w.Frames) > 0 {
			found = th.longest(in, w.Frames[1:])
			_, nowhere = countIn(w.Frames[1:])
			return found, len(w.Frames) - 1 - found, nowhere
		}
	}
	return 0, 0, 0
}

// longest is the length of the longest sequence of frames that both have.
func (th *trueThread) longest(in *report.Input, walked []stackwalk.Frame) int {
	row := make([]int, len(walked)+1)
	for i := len(th.Frames) - 1; i > 0; i-- {
		diagonal := 0
		for j := len(walked) - 1; j >= 0; j-- {
			below := row[j]
			if th.Frames[i].is(in, &walked[j]) {
				row[j] = diagonal + 1
			} else {
				row[j] = max(row[j], row[j+1])
			}
			diagonal = below
		}
	}
	return row[0]
}

// walkedTruth takes a walk with symbols for the truth.
func walkedTruth(in *report.Input) *trueStacks {
	out := &trueStacks{}
	for i := range in.Walk.Threads {
		w := &in.Walk.Threads[i]
		th := trueThread{TID: w.ID}
		for j := range w.Frames {
			f := trueFrame{Kind: "call"}
			at := w.Frames[j].Resume
			if m := w.Frames[j].Module; m >= 0 {
				f.Module = in.Dump.Modules[m].CodeName()
				at -= in.Dump.Modules[m].Base
			}
			if w.Frames[j].Interrupted {
				f.Kind = "interrupted"
			}
			f.Offset = "0x" + strconv.FormatUint(at, 16)
			th.Frames = append(th.Frames, f)
		}
		out.Threads = append(out.Threads, th)
	}
	return out
}
