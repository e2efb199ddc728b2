package processor

import (
	"strings"

	"aftershock/schema"
)

// What an event keeps. The walk itself is bounded by stackwalk.Options.
const (
	// maxCrashingFrames of the thread that crashed, maxFrames of any other, half
	// of them from each end: a stack overflow repeats itself long before.
	maxCrashingFrames      = 1024
	maxFrames              = 256
	maxThreads             = 2048
	maxModules             = 4096
	maxInlines             = 128
	maxUnloadedHits        = 16
	maxCrashpadAnnotations = 2048
	maxNotes               = 256
	maxTextBytes           = 4 << 10   // of a name, a path, a version
	maxLongTextBytes       = 256 << 10 // of an annotation
	maxDumps               = 64
	maxCodeBytes           = 64 // of a note's code
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

// door adds a note of whoever took the report in, if it is a code: notes are
// public, and not every door is ours.
func (n *notes) door(code string) {
	if isCode(code) {
		n.add(schema.StageDoor, code, schema.NoIndex)
	} else {
		n.once(schema.StageDoor, schema.NoteCodeUnknown)
	}
}

// isCode tells whether a text has the shape of a note's code.
func isCode(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxCodeBytes
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
		s = schema.CutText(s, limit)
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
