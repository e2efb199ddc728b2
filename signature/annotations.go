package signature

import (
	"regexp"
	"strings"

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

// Names in the code of a JVM's program: what is not one may be a message.
var (
	javaClass  = regexp.MustCompile(`^[\w$][\w$.-]{0,511}$`)
	javaMethod = regexp.MustCompile(`^[\w$<][\w$.<>-]{0,511}$`)
	javaFile   = regexp.MustCompile(`^[\w$][\w$.-]{0,127}$`)
	javaAt     = regexp.MustCompile(`^at (?:[\w$.@-]{0,128}/){0,2}[\w$<][\w$.<>-]{0,511}\((?:[\w$][\w$.-]{0,127}(?::[0-9]{1,9})?|Native Method|Unknown Source(?::[0-9]{1,9})?)\)$`)
)

// codeOfTrace leaves of a printed exception its class and innermost method:
// neither its message nor what caused it, as Socorro's processor does before its
// rules see a trace. It is empty for a text that is no trace.
func codeOfTrace(trace string) string {
	trace = strings.TrimLeft(trace, "\r\n")
	first, rest, _ := strings.Cut(trace, "\n")
	class, _, _ := strings.Cut(first, ":")
	if class = strip(class); !javaClass.MatchString(class) {
		return ""
	}
	for line := range strings.SplitSeq(rest, "\n") {
		if !strings.HasPrefix(line, "\tat ") {
			continue // the message goes on
		}
		if line = strip(line); !javaAt.MatchString(line) {
			return ""
		}
		// With a colon, and an empty message, the line is in the expected format.
		return class + ":\n" + line
	}
	return class + ":"
}

// codeOfException is codeOfTrace for an exception that came as JSON.
func codeOfException(document string) *JavaException {
	r := jsonReader{in: document}
	var v any
	if err := r.document(func() { v = r.value() }); err != nil {
		return &JavaException{unreadable: javaShape}
	}
	e := javaExceptionOf(v)
	if e == nil || e.unreadable != javaFine || !javaClass.MatchString(e.Type) || e.Module != "" && !javaClass.MatchString(e.Module) {
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
	if !re.MatchString(s) {
		return ""
	}
	return s
}
