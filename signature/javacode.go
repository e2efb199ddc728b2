package signature

import (
	"fmt"
	"strings"

	"aftershock/internal/pyjson"
	"aftershock/schema"
)

// JavaCode is what a crash's Java exception shows of the program's code: its class, and
// its frames without "at", innermost first. A frame whose names have not the shape of
// code is HiddenFrame. Both are public.
type JavaCode struct {
	Class  string
	Frames []string
}

// HiddenFrame stands for a frame that is not shown.
const HiddenFrame = "(not shown)"

// maxJavaFrames bounds the frames of JavaCode: one more than are kept anywhere, so that
// who keeps them sees that there were more.
const maxJavaFrames = 257

// JavaCodeOf is the code of the exception in a crash's annotations: of a structured one
// first, else of a printed one. found is false when there is none; Class is empty when
// there is one that cannot be read.
func JavaCodeOf(annotations []schema.Annotation) (code JavaCode, found bool) {
	for i := range annotations {
		a := &annotations[i]
		if a.Value == "" {
			continue
		}
		switch a.Name {
		case annotationJavaException:
			found = true
			if e := codeOfException(a.Value); e.unreadable == javaFine {
				return JavaCode{joinFilled(".", e.Module, e.Type), framesOfException(a.Value)}, true
			}
		case annotationJavaTrace:
			found = true
			if class, frames := framesOfTrace(a.Value, maxJavaFrames); class != "" && code.Class == "" {
				for i := range frames {
					frames[i] = strings.TrimPrefix(frames[i], "at ")
				}
				code = JavaCode{class, frames}
			}
		}
	}
	return code, found
}

// framesOfException are the frames of what was thrown last, in each of the forms that
// codeOfException reads.
func framesOfException(document string) (frames []string) {
	r := pyjson.New(document)
	var v any
	if r.Document(func() { v = r.Value() }) != nil {
		return nil
	}
	first := func(list any) any {
		if all, _ := list.([]any); len(all) > 0 {
			return all[0]
		}
		return nil
	}
	all, ok := member(member(first(member(member(v, "exception"), "values")), "stacktrace"), "frames").([]any)
	if !ok {
		if all, ok = member(first(member(v, "throwables")), "stack").([]any); !ok {
			all, _ = member(v, "stack").([]any)
		}
	}
	for _, f := range all[:min(len(all), maxJavaFrames)] {
		frames = append(frames, javaFrameText(f))
	}
	return frames
}

// javaFrameText is a frame as a JVM prints it.
func javaFrameText(v any) string {
	class := matching(javaClass, textOf(v, "module", "class_name", "className"))
	method := matching(javaMethod, textOf(v, "function", "method_name", "methodName"))
	if class == "" || method == "" {
		return HiddenFrame
	}
	text := class + "." + method
	file := matching(javaFile, textOf(v, "filename", "file"))
	if file == "" {
		return text
	}
	for _, name := range []string{"lineno", "line", "line_number", "lineNumber"} {
		if line, ok := integer(str(member(v, name))); ok && line > 0 && line < 1e9 {
			return fmt.Sprintf("%s(%s:%d)", text, file, line)
		}
	}
	return text + "(" + file + ")"
}
