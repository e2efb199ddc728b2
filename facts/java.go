package facts

import (
	"aftershock/schema"
	"aftershock/signature"
)

// java is the exception of a program on a JVM: of a structured one first, else of a
// printed one.
func (d *derivation) java() {
	code, found := signature.JavaCodeOf(d.Crash.Annotations)
	switch {
	case !found:
		return
	case code.Class == "":
		d.note(schema.NoteJavaMalformed)
		return
	}
	d.pub.JavaExceptionClass = text(code.Class)
	if len(code.Frames) > maxList {
		d.note(schema.NoteFactsCapped)
		code.Frames = code.Frames[:maxList]
	}
	d.pub.JavaStack = code.Frames
}
