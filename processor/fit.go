package processor

import (
	"slices"

	"aftershock/schema"
	"aftershock/signature"
)

// What the steps of fit leave of an event that stays too large.
const (
	maxFramesShrunk = 32
	// shrunkTextBytes is what is left of every text in the end, and
	// shrunkLongTextBytes of an annotation's value.
	shrunkTextBytes     = 256
	shrunkLongTextBytes = 16 << 10
	// shrunkAnnotations is how many annotations are left in the end.
	shrunkAnnotations = 128
)

// fit makes the event smaller than schema.MaxProcessedBytes, if it is not, by
// leaving out what is missed least first. Each step says so. It always succeeds:
// what the last step leaves is bounded by the limits above, far below.
func fit(out *schema.ProcessedCrash, n *notes) {
	crashing := crashingThread(out)
	steps := []func(){
		func() { out.AdditionalDumps = nil }, // before anything of the main one
		func() { framesOfOthers(out, crashing) },
		func() { out.CrashpadAnnotations = nil },
		func() { out.UnloadedModules = nil },
		func() {
			out.Annotations = slices.DeleteFunc(out.Annotations, func(a schema.Annotation) bool { return !a.Public && !signature.Reads(a.Name) })
		},
		func() { out.Modules = nil },
		func() { middleFrames(out) },
		func() { namesOfOthers(out, crashing) },
		func() { inlined(out) },
		func() { protectedFacts(out) },
		func() { texts(out) },
	}
	for _, shrink := range steps {
		if encodedBytes(out) <= schema.MaxProcessedBytes-reservedBytes {
			return
		}
		n.once(schema.StageEvent, schema.NoteEventShrunk)
		shrink()
	}
}

// crashingThread is the index of the thread that crashed, -1 for none.
func crashingThread(out *schema.ProcessedCrash) int {
	if out.Crash.CrashingThread == nil {
		return -1
	}
	return int(*out.Crash.CrashingThread)
}

// framesOfOthers leaves out the frames of the threads that did not crash; where
// none did, the first one is shown and keeps its own.
func framesOfOthers(out *schema.ProcessedCrash, crashing int) {
	for i := range out.Threads {
		if i != max(crashing, 0) {
			out.Threads[i].Frames = nil
		}
	}
}

// middleFrames leaves out most of the middle of a long stack.
func middleFrames(out *schema.ProcessedCrash) {
	for i := range out.Threads {
		all := out.Threads[i].Frames
		j := -1
		out.Threads[i].Frames = slices.DeleteFunc(all, func(schema.Frame) bool {
			j++
			return leftOut(j, len(all), maxFramesShrunk)
		})
	}
}

// namesOfOthers leaves out the texts of the threads that did not crash.
func namesOfOthers(out *schema.ProcessedCrash, crashing int) {
	for i := range out.Threads {
		if t := &out.Threads[i]; i != crashing {
			t.Name, t.LastError = "", nil
		}
	}
}

// inlined leaves out what is told of a frame beside its function.
func inlined(out *schema.ProcessedCrash) {
	for i := range out.Threads {
		for j := range out.Threads[i].Frames {
			f := &out.Threads[i].Frames[j]
			f.Inlines, f.Unloaded = nil, nil
		}
	}
}

// protectedFacts leaves out the lists of protected facts, and long texts.
func protectedFacts(out *schema.ProcessedCrash) {
	if f := out.ProtectedFacts; f != nil {
		f.Breadcrumbs, f.Addons, f.ModuleSigners, f.MacCrashInfo, f.Assertion = nil, nil, nil, nil, nil
	}
}

// texts cuts every text that can be long.
func texts(out *schema.ProcessedCrash) {
	cut := func(of ...*string) {
		for _, s := range of {
			*s = schema.CutText(*s, shrunkTextBytes)
		}
	}
	for i := range out.Threads {
		t := &out.Threads[i]
		cut(&t.Name)
		if t.LastError != nil {
			t.LastError = new(schema.CutText(*t.LastError, shrunkTextBytes))
		}
		for j := range t.Frames {
			f := &t.Frames[j]
			cut(&f.Module, &f.Function, &f.File)
		}
	}
	for i := range out.Dumps {
		cut(&out.Dumps[i].Name)
	}
	out.Annotations = out.Annotations[:min(len(out.Annotations), shrunkAnnotations)]
	for i := range out.Annotations {
		a := &out.Annotations[i]
		cut(&a.Name)
		a.Value = schema.CutText(a.Value, shrunkLongTextBytes)
	}
	cut(&out.Crash.Reason, &out.System.OS, &out.System.OSVersion, &out.System.CPUArch, &out.System.CPUInfo, &out.ThrottleRule)
}

// encodedBytes is the size of the event's encoding so far.
func encodedBytes(out *schema.ProcessedCrash) int {
	b, err := schema.Encode(out)
	if err != nil {
		return 0 // the caller's own encoding will tell
	}
	return len(b)
}
