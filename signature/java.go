package signature

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// javaFault says what is wrong with an exception's shape.
type javaFault uint8

const (
	javaFine javaFault = iota
	// javaShape: there is no exception where it should be.
	javaShape
	// javaValues: it is there, with values of types that cannot be used.
	javaValues
)

var (
	javaAddress = regexp.MustCompile(`@[0-9a-f]{8}`)
	javaLine    = regexp.MustCompile(`\.java:[0-9]+\)$`)
	jvmLine     = regexp.MustCompile(`(\.(?:java|kts?|scala|groovy|clj)):[0-9]+\)$`)
)

// javaStackTrace makes the signature of a printed Java stack: the exception's
// class, its message and the innermost method. Causes do not count.
func (g *generation) javaStackTrace() {
	if g.crash.unreadable.has(javaTraceField) {
		g.noteOf(stackRule, "JavaSignatureTool: stack trace not in expected format")
		g.result.Signature = "EMPTY: Java stack trace not in expected format"
		return
	}
	lines := splitLines(g.crash.JavaStackTrace)
	for i := range lines {
		lines[i] = strip(lines[i])
	}
	class, message, ok := strings.Cut(lines[0], ":")
	if ok {
		class, message = strip(class), javaAddress.ReplaceAllLiteralString(strip(message), "@<addr>")
	} else {
		g.noteOf(stackRule, "JavaSignatureTool: stack trace line 1 is not in the expected format")
	}
	method := ""
	if len(lines) < 2 {
		g.noteOf(stackRule, "JavaSignatureTool: stack trace line 2 is missing")
	} else if method = g.withoutLine(lines[1]); method == "" {
		g.noteOf(stackRule, "JavaSignatureTool: stack trace line 2 is empty")
	}
	// siggen forgot the colon once, and keeps it so.
	separator := " "
	if strings.HasSuffix(message, "<addr>") {
		separator = ": "
	}
	signature := joinFilled(": ", class, joinFilled(separator, message, method))
	if utf8.RuneCountInString(signature) > MaxRunes {
		g.noteOf(stackRule, "JavaSignatureTool: dropped Java exception description due to length")
		signature = class + ": " + method
	}
	g.result.Signature = signature
}

// withoutLine drops the line number of a method.
func (g *generation) withoutLine(method string) string {
	if g.ruleset.switches.jvmLines {
		return jvmLine.ReplaceAllString(method, "$1)")
	}
	return javaLine.ReplaceAllLiteralString(method, ".java)")
}

// joinFilled joins what is not empty.
func joinFilled(separator, a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + separator + b
}

// javaException makes the signature of a structured exception. ok is false for
// values that siggen fails on.
func (g *generation) javaException() (ok bool) {
	e := g.crash.JavaException
	switch e.unreadable {
	case javaShape:
		g.noteOf(stackRule, "JavaExceptionSignatureTool: value not in expected format")
		g.result.Signature = "EMPTY: Java exception not in expected format"
		return true
	case javaValues:
		return false
	case javaFine:
	}
	class := e.Type
	if e.Module != "" && e.Type != "" && e.Type != none {
		class = e.Module + "." + e.Type
	}
	if len(e.Frames) > 0 {
		f := e.Frames[0]
		at := joinFilled(".", f.Module, f.Function)
		switch {
		case at == "":
			at = "unknown"
		case f.File != "":
			at += "(" + f.File + ")"
		}
		class += ": at " + at
	}
	g.result.Signature = class
	return true
}

// none is how Python prints what is absent.
const none = "None"
