package signature

import (
	"strings"

	"aftershock/internal/pyjson"
)

// Crash pings have a form of their own of a Java exception: what was thrown, the outermost
// first, each with its type and stack; older clients send the messages, and the stack of the
// first (crash-ping-ingest, signature.rs). Names are in snake case or camel case.

// javaExceptionOfPing is the exception of such a document; nil when it is none.
func javaExceptionOfPing(v any) *JavaException {
	o, ok := v.(*pyjson.Object)
	if !ok {
		return nil
	}
	if all, ok := o.Values["throwables"].([]any); ok {
		if len(all) == 0 {
			return &JavaException{unreadable: javaShape}
		}
		return javaOf(textOf(all[0], "type_name", "typeName"), member(all[0], "stack"))
	}
	messages, said := o.Values["messages"].([]any)
	stack, walked := o.Values["stack"].([]any)
	if !said && !walked {
		return nil
	}
	thrown := ""
	if len(messages) > 0 {
		// What stands before the colon is the type, if it looks like one.
		message, _ := messages[0].(string)
		if before, _, ok := strings.Cut(message, ":"); ok && strings.HasSuffix(before, "Exception") {
			thrown = before
		}
	}
	return javaOf(thrown, stack)
}

// javaOf is the exception of a type and its stack.
func javaOf(thrown string, stack any) *JavaException {
	e := &JavaException{Type: "Unknown"}
	if thrown != "" {
		e.Type = thrown
		if i := strings.LastIndexByte(thrown, '.'); i >= 0 {
			e.Module, e.Type = thrown[:i], thrown[i+1:]
		}
	}
	frames, _ := stack.([]any)
	for _, f := range frames[:min(len(frames), 1)] {
		e.Frames = []JavaFrame{{
			Module: textOf(f, "class_name", "className", "module"), Function: textOf(f, "method_name", "methodName", "function"), File: textOf(f, "file", "filename"),
		}}
	}
	return e
}

// textOf is the text of the first of the members that there is.
func textOf(v any, names ...string) string {
	for _, name := range names {
		if s, ok := member(v, name).(string); ok {
			return s
		}
	}
	return ""
}
