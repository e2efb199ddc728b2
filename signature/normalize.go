package signature

import (
	"regexp"
	"strings"
)

// The normalisers make one text of the many that compilers and debuggers give to
// one function. They follow siggen (CSignatureTool, normalize_cpp_function and
// normalize_rust_function) step for step, odd corners included: signatures are
// compared with what was computed years ago.

// closer returns what closes a delimiter that nests in function names, 0 when c
// opens nothing.
func closer(c byte) byte {
	switch c {
	case '(':
		return ')'
	case '{':
		return '}'
	case '[':
		return ']'
	case '<':
		return '>'
	case '`':
		return '\''
	}
	return 0
}

// dropPrefixAndReturnType keeps the last word of a function's text, where a
// word may hold spaces inside delimiters: "static int f(int, int)" is
// "f(int, int)", and "f (int)" and "f [clone .cold]" are one word each. ok is
// false for an empty text.
func dropPrefixAndReturnType(function string) (word string, ok bool) {
	if function == "" {
		return "", false
	}
	var buf [32]byte
	waiting := buf[:0] // closers of the delimiters that are open
	start, end := 0, len(function)
	for i := range len(function) {
		c := function[i]
		if shut := closer(c); shut != 0 {
			waiting = append(waiting, shut)
			continue
		}
		if n := len(waiting); n > 0 {
			// A closer that does not match the innermost opener is a character.
			if waiting[n-1] == c {
				waiting = waiting[:n-1]
			}
			continue
		}
		if c != ' ' {
			continue
		}
		rest := function[i+1:]
		switch {
		case rest == "": // a blank at the end begins no word
			end = i
		case !strings.HasPrefix(rest, "(") && !strings.HasPrefix(rest, "[clone"):
			start = i + 1
		}
	}
	return function[start:max(end, start)], true
}

// replaceEnclosed replaces the outermost balanced runs between open and shut by
// what with says. before is the text between the previous run and this one. A
// closer without opener is a character; a run that is never closed ends with
// the text.
func replaceEnclosed(s string, open, shut byte, with func(before, run string) string) string {
	first := strings.IndexByte(s, open)
	if first < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	level, start, done := 0, 0, 0
	for i := first; i < len(s); i++ {
		switch s[i] {
		case open:
			if level == 0 {
				start = i
			}
			level++
		case shut:
			if level == 0 {
				continue
			}
			if level--; level == 0 {
				before := s[done:start]
				out = append(append(out, before...), with(before, s[start:i+1])...)
				done = i + 1
			}
		}
	}
	if level > 0 {
		before := s[done:start]
		out = append(append(out, before...), with(before, s[start:])...)
		done = len(s)
	}
	return string(append(out, s[done:]...))
}

func nothing(string, string) string { return "" }

// refQualifiers end the text of a member function, in the order they are cut.
var refQualifiers = [...]string{"const", "const&", "const &", "&&", "&"}

// normalizeFunction normalises the text of f's function. lined tells whether
// its line is part of it; ok is false when nothing is left.
func (r *Ruleset) normalizeFunction(language kind, function string, f *flatFrame) (text string, lined, ok bool) {
	language, function = r.switches.rewrite(language, function)
	switch {
	case r.switches.keeps(function):
		text, ok = function, true
	case language == rust:
		text, ok = collapseRust(function)
	default:
		text, ok = collapseCPP(function)
	}
	if lined = ok && r.lineNumbers.match(text); lined {
		text += ":" + f.lineText()
	}
	text = fixSpaces(text)
	if language == rust {
		text = dropRustHash(text)
	}
	if r.switches.closures {
		text = stableClosures(text)
	}
	return text, lined, ok
}

// collapseCPP leaves a C or C++ function's qualified name.
func collapseCPP(function string) (string, bool) {
	for _, ref := range refQualifiers {
		if cut, ok := strings.CutSuffix(function, ref); ok {
			function = strip(cut)
		}
	}
	if !strings.Contains(function, "::operator") {
		var ok bool
		if function, ok = dropPrefixAndReturnType(function); !ok {
			return "", false
		}
	}
	function = strings.ReplaceAll(function, "`anonymous namespace'", "(anonymous namespace)")
	function = dropLambdaNumbers(function)
	function = collapseTypes(function)
	function = replaceEnclosed(function, '(', ')', func(before, run string) string {
		if run == "(anonymous namespace)" || strings.HasSuffix(before, "operator") {
			return run
		}
		return ""
	})
	if strings.Contains(function, "clone .cold") {
		function = replaceEnclosed(function, '[', ']', nothing)
	}
	return function, true
}

// dropLambdaNumbers makes "::$::" of "::$_12::". Of two that share their colons
// the second stays.
func dropLambdaNumbers(s string) string {
	if !strings.Contains(s, "::$_") {
		return s
	}
	return lambdaNumber.ReplaceAllLiteralString(s, "::$::")
}

var lambdaNumber = regexp.MustCompile(`::\$_\d+::`)

// collapseTypes makes "<T>" of template arguments.
func collapseTypes(function string) string {
	return replaceEnclosed(function, '<', '>', func(before, run string) string {
		switch {
		case run == "<name omitted>", strings.Contains(run, " as "), strings.Contains(run, " in "), strings.HasSuffix(before, "operator"):
			return run
		case strings.HasSuffix(before, "IPC::ParamTraits"):
			return "<" + collapseTypes(run[1:max(len(run)-1, 1)]) + ">"
		}
		return "<T>"
	})
}

// collapseRust leaves a Rust function's path.
func collapseRust(function string) (string, bool) {
	function, ok := dropPrefixAndReturnType(function)
	if !ok {
		return "", false
	}
	function = replaceEnclosed(function, '<', '>', func(_, run string) string {
		if strings.Contains(run, " as ") {
			return run
		}
		return "<T>"
	})
	return replaceEnclosed(function, '(', ')', nothing), true
}

// dropRustHash drops the "::h0123abcd" that ends a Rust symbol.
func dropRustHash(s string) string {
	i := strings.LastIndex(s, "::h")
	if i < 0 || i+len("::h") == len(s) || strings.Trim(s[i+len("::h"):], "0123456789abcdefABCDEF") != "" {
		return s
	}
	return s[:i]
}

// fixSpaces removes a space before * & and comma, and then puts one behind a
// comma that has none.
func fixSpaces(s string) string {
	if !strings.ContainsAny(s, "*&,") {
		return s
	}
	dropped := func(i int) bool {
		return i+1 < len(s) && s[i] == ' ' && (s[i+1] == '*' || s[i+1] == '&' || s[i+1] == ',')
	}
	out := make([]byte, 0, len(s)+4)
	for i := range len(s) {
		if dropped(i) {
			continue
		}
		out = append(out, s[i])
		if s[i] == ',' && (i+1 == len(s) || s[i+1] != ' ' || dropped(i+1)) {
			out = append(out, ' ')
		}
	}
	return string(out)
}
