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
	var list frameList
	if !g.ruleset.normalizeThread(g.crash.thread(thread), g.crash.OS, &list) {
		return false
	}
	frames := list.all()
	if len(frames) > 0 {
		g.result.ProtoSignature = join(frames)
	}
	top := g.sentinel(frames)
	var picked frameList
	g.pick(frames[top:], top, &picked)
	switch {
	case picked.n > 0:
		if s := join(picked.all()); s != "" {
			g.result.Signature = s
		}
		return true
	case top < len(frames):
		if s := frames[top].text; s != "" {
			g.result.Signature = s
		}
	default:
		g.result.Signature = noFrames
	}
	g.note("CSignatureTool: no frame data for crashing thread (" + strconv.Itoa(thread) + ")")
	return true
}

// sentinel is the index of the first frame that is one: what stands above it is
// of no interest. 0 when there is none.
func (g *generation) sentinel(frames []*name) int {
	for i, f := range frames {
		if f.sentinel {
			g.frameStep(StepSentinel, i, f.text)
			return i
		}
	}
	return 0
}

// pick chooses the frames that make the signature: those that are not
// irrelevant, up to the first that is no prefix. first is the index of frames[0].
func (g *generation) pick(frames []*name, first int, picked *frameList) {
	for i, f := range frames {
		if f.text == "" {
			continue
		}
		verdict := g.ruleset.judge(f)
		if verdict&irrelevant != 0 {
			g.frameStep(StepIrrelevant, first+i, f.text)
			continue
		}
		if verdict&wholeModule != 0 && picked.n > 0 && picked.names[picked.n-1].text == f.text {
			g.frameStep(StepRepeated, first+i, f.text)
			continue
		}
		picked.names[picked.n] = f
		picked.n++
		if verdict&prefix == 0 {
			g.frameStep(StepLast, first+i, f.text)
			return
		}
		g.frameStep(StepPrefix, first+i, f.text)
	}
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
