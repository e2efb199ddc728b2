package signature

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// The normalisers make one text of the many that compilers and debuggers give to
// one function. They follow siggen (CSignatureTool, normalize_cpp_function and
// normalize_rust_function) step for step, odd corners included: signatures are
// compared with what was computed years ago.

// closers of the delimiters that nest in function names.
var closers = map[byte]byte{'(': ')', '{': '}', '[': ']', '<': '>', '`': '\''}

// dropPrefixAndReturnType keeps the last word of a function's text, where a
// word may hold spaces inside delimiters: "static int f(int, int)" is
// "f(int, int)". ok is false for an empty text.
func dropPrefixAndReturnType(function string) (word string, ok bool) {
	var words []string
	var open []byte // delimiters that wait for their closer
	start := 0
	for i := range len(function) {
		c := function[i]
		_, opens := closers[c]
		switch {
		case opens:
			open = append(open, c)
		case len(open) > 0:
			// A closer that does not match the innermost opener is a character.
			if closers[open[len(open)-1]] == c {
				open = open[:len(open)-1]
			}
		case c == ' ':
			words = append(words, function[start:i])
			start = i + 1
		}
	}
	if start < len(function) {
		words = append(words, function[start:])
	}
	if len(words) == 0 {
		return "", false
	}
	// "f (int)" and "f [clone .cold]" are one word each.
	for len(words) > 1 && (strings.HasPrefix(words[len(words)-1], "(") || strings.HasPrefix(words[len(words)-1], "[clone")) {
		last := len(words) - 1
		words = append(words[:last-1], words[last-1]+" "+words[last])
	}
	return words[len(words)-1], true
}

// replaceEnclosed replaces the outermost balanced runs between open and shut by
// what with says. before is the text between the previous run and this one. A
// closer without opener is a character; a run that is never closed ends with
// the text.
func replaceEnclosed(s string, open, shut byte, with func(before, run string) string) string {
	var out strings.Builder
	level, start, done := 0, 0, 0
	replace := func(end int) {
		before := s[done:start]
		out.WriteString(before)
		out.WriteString(with(before, s[start:end]))
		done = end
	}
	for i := range len(s) {
		switch s[i] {
		case open:
			if level == 0 {
				start = i
			}
			level++
		case shut:
			if level > 0 {
				if level--; level == 0 {
					replace(i + 1)
				}
			}
		}
	}
	if level > 0 {
		replace(len(s))
	}
	out.WriteString(s[done:])
	return out.String()
}

var (
	// refQualifiers end the text of a member function, in the order they are cut.
	refQualifiers = []string{"const", "const&", "const &", "&&", "&"}
	lambdaNumber  = regexp.MustCompile(`::\$_\d+::`)
	rustHash      = regexp.MustCompile(`::h[0-9a-fA-F]+$`)
)

// normalizeCPP normalises a C or C++ function. line is the source line, 0 for
// none. ok is false for a text of which nothing is left.
func (r *Ruleset) normalizeCPP(function string, line int64) (string, bool) {
	for _, ref := range refQualifiers {
		if cut, ok := strings.CutSuffix(function, ref); ok {
			function = strings.TrimFunc(cut, isSpace)
		}
	}
	if !strings.Contains(function, "::operator") {
		var ok bool
		if function, ok = dropPrefixAndReturnType(function); !ok {
			return "", false
		}
	}
	function = strings.ReplaceAll(function, "`anonymous namespace'", "(anonymous namespace)")
	function = lambdaNumber.ReplaceAllLiteralString(function, "::$::")
	function = collapseTypes(function)
	function = replaceEnclosed(function, '(', ')', func(before, run string) string {
		if run == "(anonymous namespace)" || strings.HasSuffix(before, "operator") {
			return run
		}
		return ""
	})
	if strings.Contains(function, "clone .cold") {
		function = replaceEnclosed(function, '[', ']', func(string, string) string { return "" })
	}
	return fixSpaces(r.withLine(function, line)), true
}

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

// normalizeRust normalises a Rust function.
func (r *Ruleset) normalizeRust(function string, line int64) (string, bool) {
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
	function = replaceEnclosed(function, '(', ')', func(string, string) string { return "" })
	function = fixSpaces(r.withLine(function, line))
	return rustHash.ReplaceAllLiteralString(function, ""), true
}

// withLine appends the line to the functions that are so large that one name is
// many crashes.
func (r *Ruleset) withLine(function string, line int64) string {
	if !r.lineNumbers.match(function) {
		return function
	}
	if line == 0 {
		return function + ":None" // as siggen prints what is absent
	}
	return function + ":" + strconv.FormatInt(line, 10)
}

// fixSpaces removes a space before * & and comma, and puts one behind a comma.
func fixSpaces(s string) string {
	if !strings.ContainsAny(s, "*&,") {
		return s
	}
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		if c == ' ' && i+1 < len(s) && strings.IndexByte("*&,", s[i+1]) >= 0 {
			continue
		}
		out.WriteByte(c)
		if c == ',' && (i+1 == len(s) || s[i+1] != ' ') {
			out.WriteByte(' ')
		}
	}
	return out.String()
}

// isSpace is what Python's str.strip takes for white space: Unicode's, and the
// separators of ASCII.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// sourcePath returns the path of a source file out of what symbols say: plain,
// or vcs:repository:path:revision, or drive:path. It is empty when neither.
func sourcePath(file string) string {
	parts := strings.Split(file, ":")
	switch {
	case len(parts) == 4:
		return parts[2]
	case len(parts) == 2:
		return parts[1]
	case strings.HasPrefix(file, "/"):
		return file
	}
	return ""
}
