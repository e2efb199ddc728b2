package signature

import (
	"regexp"
	"strings"

	"aftershock/internal/pyjson"
	"aftershock/schema"
)

// Annotations that rules read. Signatures are public, and so is what goes into
// them: of an annotation that is public its value, of a Java exception, which is
// protected for its message, the names in the code. No other annotation counts,
// whatever rule siggen has for it.
const (
	annotationOOMSize       = "OOMAllocationSize"
	annotationLargeJS       = "JSLargeAllocationFailure"
	annotationIPCMessage    = "IPCMessageName"
	annotationHang          = "Hang"
	annotationJavaTrace     = "JavaStackTrace"
	annotationJavaException = "JavaException"
)

// Reads tells whether a rule reads something of a protected annotation.
func Reads(annotation string) bool {
	return annotation == annotationJavaTrace || annotation == annotationJavaException
}

// annotate takes what rules read. native tells whether there is a stack to sign
// instead of a Java exception that is none.
func (c *Crash) annotate(annotations []schema.Annotation, native bool) {
	for i := range annotations {
		a := &annotations[i]
		switch {
		case a.Name == annotationJavaTrace && a.Value != "":
			c.JavaStackTrace = codeOfTrace(a.Value)
			switch {
			case c.JavaStackTrace != "":
			case native:
				c.unreadable |= javaIgnored
			default:
				c.unreadable |= javaTraceField
			}
		case a.Name == annotationJavaException && a.Value != "":
			c.JavaException = codeOfException(a.Value)
			if c.JavaException.unreadable != javaFine && native {
				c.JavaException = nil
				c.unreadable |= javaIgnored
			}
		case !a.Public:
		case a.Name == annotationOOMSize:
			if size, ok := integer(a.Value); ok {
				c.OOMAllocationSize = &size
			}
		case a.Name == annotationLargeJS:
			c.JSLargeAllocationFailure = a.Value
		case a.Name == annotationIPCMessage:
			c.IPCMessageName = a.Value
		case a.Name == annotationHang:
			if a.Value == "1" || a.Value == "true" {
				c.Hang = &a.Value
			}
		}
	}
}

// Names in the code of a JVM's program, by the conventions that compilers and
// programmers keep: a message rarely does. Packages begin with a small letter, classes
// with a capital, or are one or two letters where names were shortened.
var (
	// javaThrowable is a class in a package, or one by whose name it can be thrown.
	javaThrowable = regexp.MustCompile(`^(?:(?:[a-z][\w$]*\.){1,16}[A-Z][\w$]*|[A-Z][\w$]*(?:Exception|Error|Throwable))$`)
	javaPackage   = regexp.MustCompile(`^[a-z][\w$]*(?:\.[a-z][\w$]*){0,15}$`)
	javaSimple    = regexp.MustCompile(`^[A-Z][\w$]*$`)
	javaClass     = regexp.MustCompile(`^(?:[a-z][\w$]*\.){0,16}(?:[A-Z][\w$-]*|[a-z][\w$]?)$`)
	javaMethod    = regexp.MustCompile(`^(?:[a-z_$][\w$-]*|<init>|<clinit>|[A-Z])$`)
	javaFile      = regexp.MustCompile(`^(?:[A-Za-z][\w$]*\.(?:java|kts?|scala|groovy|clj)|SourceFile)$`)
	javaAt        = regexp.MustCompile(`^at (?:[\w$.-]*/)?(?:(?:[\w$.]+(?:@[0-9][\w.+-]*)?)?/)?((?:[\w$]+\.){0,16}[\w$-]+)\.([\w$<>-]+)\(([^():]*)(?::[0-9]{1,9})?\)$`)
)

// maxJavaLine bounds a line that is shown: a class, or a frame.
const maxJavaLine = 1024

// isFrame tells whether a line is a frame, as a JVM prints it: of a method of a class,
// in the file that this class is in.
func isFrame(line string) bool {
	if len(line) > maxJavaLine {
		return false
	}
	m := javaAt.FindStringSubmatch(line)
	if m == nil || !javaClass.MatchString(m[1]) || !javaMethod.MatchString(m[2]) {
		return false
	}
	switch file := m[3]; file {
	case "Native Method", "Unknown Source", "SourceFile":
		return true
	default:
		outer, _, _ := strings.Cut(m[1][strings.LastIndexByte(m[1], '.')+1:], "$")
		name, _, _ := strings.Cut(file, ".")
		// Kotlin's functions outside classes are in a class of the file's name and Kt.
		return javaFile.MatchString(file) && (name == outer || name+"Kt" == outer || len(outer) <= 2)
	}
}

// codeOfTrace leaves of a printed exception its class and innermost method:
// neither its message nor what caused it, as Socorro's processor does before its
// rules see a trace. It is empty for a text that is no trace.
func codeOfTrace(trace string) string {
	class, frames := framesOfTrace(trace, 1)
	switch {
	case class == "":
		return ""
	case len(frames) == 0:
		return class + ":"
	}
	// With a colon, and an empty message, the line is in the expected format.
	return class + ":\n" + frames[0]
}

// framesOfTrace are the class of a printed exception and its frames, at most limit; both
// empty for a text that is no trace.
//
// A message may go on for lines, also such that look like frames. So there are frames
// only when the second line is one, and all up to a cause are: then the message ended
// on the first.
func framesOfTrace(trace string, limit int) (class string, frames []string) {
	trace = strings.TrimLeft(trace, "\r\n")
	first, rest, _ := strings.Cut(trace, "\n")
	class, _, _ = strings.Cut(first, ":")
	if class = strip(class); len(class) > maxJavaLine || !javaThrowable.MatchString(class) {
		return "", nil
	}
	for line := range strings.SplitSeq(rest, "\n") {
		text := strip(line)
		if text == "" || strings.HasPrefix(text, "Caused by: ") || strings.HasPrefix(text, "Suppressed: ") || strings.HasPrefix(text, "... ") {
			break
		}
		if !strings.HasPrefix(line, "\tat ") || !isFrame(text) {
			return class, nil
		}
		if len(frames) < limit {
			frames = append(frames, text)
		}
	}
	return class, frames
}

// codeOfException is codeOfTrace for an exception that came as JSON, where a message
// is a value of its own.
func codeOfException(document string) *JavaException {
	r := pyjson.New(document)
	var v any
	if err := r.Document(func() { v = r.Value() }); err != nil {
		return &JavaException{unreadable: javaShape}
	}
	e := javaExceptionOfPing(v)
	if e == nil {
		e = javaExceptionOf(v)
	}
	if e == nil || e.unreadable != javaFine {
		return &JavaException{unreadable: javaShape}
	}
	if len(e.Module)+len(e.Type) > maxJavaLine {
		return &JavaException{unreadable: javaShape}
	}
	if e.Module == "" && !javaThrowable.MatchString(e.Type) || e.Module != "" && (!javaPackage.MatchString(e.Module) || !javaSimple.MatchString(e.Type)) {
		return &JavaException{unreadable: javaShape}
	}
	for i := range e.Frames {
		f := &e.Frames[i]
		f.Module, f.Function, f.File = matching(javaClass, f.Module), matching(javaMethod, f.Function), matching(javaFile, f.File)
	}
	return e
}

// matching is s, or empty where it does not match.
func matching(re *regexp.Regexp, s string) string {
	if len(s) > maxJavaLine || !re.MatchString(s) {
		return ""
	}
	return s
}
