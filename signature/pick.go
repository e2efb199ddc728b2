package signature

import (
	"strconv"
	"strings"
)

// separator stands between the frames of a signature.
const separator = " | "

// noFrames is the signature of a crash of which there is no stack.
const noFrames = "EMPTY: no frame data available"

// nativeStack makes the signature of a thread's frames.
func (g *generation) nativeStack(thread int) bool {
	var buf [maxFrames]flatFrame
	frames, ok := flatten(buf[:0], g.crash.thread(thread))
	if !ok {
		return false
	}
	s, ok := g.signFrames(frames)
	if !ok {
		return false
	}
	if len(frames) > 0 { // else that of another thread stays
		g.result.ProtoSignature = s.proto
	}
	if s.signature != "" {
		g.result.Signature = s.signature
	}
	if s.noFrames {
		g.noteOf(stackRule, "CSignatureTool: no frame data for crashing thread ("+strconv.Itoa(thread)+")")
		g.depends = max(g.depends, onIndex)
	}
	return true
}

// stackSignature is what the frames of a thread give.
type stackSignature struct {
	signature, proto string
	noFrames         bool
}

// signFrames is pure: the frames, the OS and the ruleset decide. It returns
// false when a frame cannot be normalised.
func (g *generation) signFrames(frames []flatFrame) (s stackSignature, ok bool) {
	var buf, pickedBuf [maxFrames]*name
	names := buf[:0]
	for i := range frames {
		n := g.ruleset.frameName(&frames[i], g.crash.OS)
		if n == nil {
			return s, false
		}
		names = append(names, n)
	}
	if len(names) > 0 {
		s.proto = join(names)
	}
	if g.ruleset.switches.recursion {
		if cycle := recursion(names); cycle != nil {
			s.signature = "recursion" + separator + join(cycle)
			g.cycleStep(cycle)
			return s, true
		}
	}
	top := g.sentinel(names, frames)
	picked := g.pick(pickedBuf[:0], names, frames, top)
	switch {
	case len(picked) > 0:
		s.signature = join(picked)
		return s, true
	case len(names) > 0:
		s.signature = names[top].text
	default:
		s.signature = noFrames
	}
	s.noFrames = true
	return s, true
}

// sentinel is the index of the first frame that is one: what stands above it is
// of no interest. 0 when there is none.
func (g *generation) sentinel(names []*name, frames []flatFrame) int {
	for i, f := range names {
		if f.sentinel && !frames[i].improbable(g.ruleset.switches.probability) {
			if g.ruleset.switches.emptySentinels && !g.anyNames(names[i:], frames[i:]) {
				return 0
			}
			g.frameStep(StepSentinel, i, f.text)
			return i
		}
	}
	return 0
}

// anyNames tells whether one of the frames would be in a signature.
func (g *generation) anyNames(names []*name, frames []flatFrame) bool {
	for i, f := range names {
		if f.text != "" && !frames[i].improbable(g.ruleset.switches.probability) && g.ruleset.judge(f)&irrelevant == 0 {
			return true
		}
	}
	return false
}

// pick appends the names that make the signature: those from first on that are not
// irrelevant, up to the first that is no prefix.
func (g *generation) pick(picked, names []*name, frames []flatFrame, first int) []*name {
	for i := first; i < len(names); i++ {
		f := names[i]
		if f.text == "" {
			continue
		}
		if frames[i].improbable(g.ruleset.switches.probability) {
			g.frameStep(StepImprobable, i, f.text)
			continue
		}
		verdict := g.ruleset.judge(f)
		if verdict&irrelevant != 0 {
			g.frameStep(StepIrrelevant, i, f.text)
			continue
		}
		if n := len(picked); verdict&wholeModule != 0 && n > 0 && picked[n-1].text == f.text {
			g.frameStep(StepRepeated, i, f.text)
			continue
		}
		picked = append(picked, f)
		if verdict&prefix == 0 {
			g.frameStep(StepLast, i, f.text)
			break
		}
		g.frameStep(StepPrefix, i, f.text)
	}
	return picked
}

func join(frames []*name) string {
	if len(frames) == 1 {
		return frames[0].text
	}
	size := -len(separator)
	for _, f := range frames {
		size += len(f.text) + len(separator)
	}
	var out strings.Builder
	out.Grow(max(size, 0))
	for i, f := range frames {
		if i > 0 {
			out.WriteString(separator)
		}
		out.WriteString(f.text)
	}
	return out.String()
}
