package processor

import (
	"slices"
	"strings"
	"unicode/utf8"

	"aftershock/schema"
	"aftershock/signature"
)

// What an event keeps. The walk itself is bounded by stackwalk.Options.
const (
	// maxCrashingFrames of the thread that crashed, maxFrames of any other, half
	// of them from each end: a stack overflow repeats itself long before.
	maxCrashingFrames      = 1024
	maxFrames              = 256
	maxFramesShrunk        = 32 // in an event that is too large
	maxThreads             = 2048
	maxModules             = 4096
	maxInlines             = 128
	maxUnloadedHits        = 16
	maxCrashpadAnnotations = 2048
	maxNotes               = 256
	maxTextBytes           = 4 << 10   // of a name, a path, a version
	maxLongTextBytes       = 256 << 10 // of an annotation
)

// reservedBytes is what notes and signature, which come later, take at most: a
// signature looks at 40 names, which demangled are 16 KiB each.
const reservedBytes = maxNotes*128 + 41*16<<10

// notes collects notes, bounded.
type notes struct {
	list []schema.Note
}

func (n *notes) add(stage, code string, index int) {
	switch {
	case len(n.list) < maxNotes-1:
		n.list = append(n.list, schema.Note{Code: code, Stage: stage, Index: int32(index)})
	case len(n.list) == maxNotes-1:
		n.list = append(n.list, schema.Note{Code: schema.NoteNotesCapped, Stage: schema.StageEvent, Index: schema.NoIndex})
	}
}

// once adds a note that is not there yet.
func (n *notes) once(stage, code string) {
	for _, have := range n.list {
		if have.Code == code && have.Index == schema.NoIndex {
			return
		}
	}
	n.add(stage, code, schema.NoIndex)
}

// text makes a text from outside valid UTF-8 and not too long.
func (n *notes) text(s string) string { return n.clip(s, maxTextBytes) }

// long is text with more room.
func (n *notes) long(s string) string { return n.clip(s, maxLongTextBytes) }

func (n *notes) clip(s string, limit int) string {
	if len(s) > limit {
		n.once(schema.StageEvent, schema.NoteTextCapped)
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s = s[:limit]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// fit makes the event smaller than schema.MaxProcessedBytes, if it is not, by
// leaving out, in this order: the frames of threads that did not crash, the
// annotations in the dump, unloaded modules, protected annotations, modules,
// and most of the middle of the crashing thread. Each step says so.
func fit(out *schema.ProcessedCrash, n *notes) {
	crashing := -1
	if out.Crash.CrashingThread != nil {
		crashing = int(*out.Crash.CrashingThread)
	}
	steps := []func(){
		func() {
			for i := range out.Threads {
				if i != crashing {
					out.Threads[i].Frames = nil
				}
			}
		},
		func() { out.CrashpadAnnotations = nil },
		func() { out.UnloadedModules = nil },
		func() {
			kept := out.Annotations[:0]
			for _, a := range out.Annotations {
				if a.Public || signature.Reads(a.Name) {
					kept = append(kept, a)
				}
			}
			out.Annotations = kept
		},
		func() { out.Modules = nil },
		func() {
			for i := range out.Threads {
				all := out.Threads[i].Frames
				j := -1
				out.Threads[i].Frames = slices.DeleteFunc(all, func(schema.Frame) bool {
					j++
					return leftOut(j, len(all), maxFramesShrunk)
				})
			}
		},
	}
	for _, shrink := range steps {
		if encodedBytes(out) <= schema.MaxProcessedBytes-reservedBytes {
			return
		}
		n.once(schema.StageEvent, schema.NoteEventShrunk)
		shrink()
	}
}

// encodedBytes is the size of the event's encoding so far.
func encodedBytes(out *schema.ProcessedCrash) int {
	b, err := schema.Encode(out)
	if err != nil {
		return 0 // the caller's own encoding will tell
	}
	return len(b)
}
