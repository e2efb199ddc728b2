package signature

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"aftershock/internal/pyjson"
)

// Signatures are compared with what siggen computed for years, and some of
// Python's behaviour shows in them. This file is that behaviour.

// isSpace is Python's str.isspace and \s: Unicode's white space, and the
// separators of ASCII.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func strip(s string) string { return strings.TrimFunc(s, isSpace) }

// splitLines is Python's str.splitlines.
func splitLines(s string) []string {
	var lines []string
	for s != "" {
		end := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if end < 0 {
			return append(lines, s)
		}
		lines = append(lines, s[:end])
		_, size := utf8.DecodeRuneInString(s[end:])
		if strings.HasPrefix(s[end:], "\r\n") {
			size = 2
		}
		s = s[end+size:]
	}
	return lines
}

// integer is Python's int(s): white space around, a sign, and underscores
// between digits are allowed. A number that does not fit is the nearest that does.
func integer(s string) (n int64, ok bool) {
	digits, negative, ok := digitsOf(strip(s), "0123456789")
	if !ok {
		return 0, false
	}
	if negative {
		digits = "-" + digits
	}
	n, _ = strconv.ParseInt(digits, 10, 64) // out of range: the nearest
	return n, true
}

// hexadecimal is Python's hex(int(s, 16)).
func hexadecimal(s string) (hex string, ok bool) {
	s = strip(s)
	sign, unsigned := "", s
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, unsigned = s[:1], s[1:]
	}
	if len(unsigned) > 1 && (unsigned[:2] == "0x" || unsigned[:2] == "0X") {
		s = sign + strings.TrimPrefix(unsigned[2:], "_")
		if rest := unsigned[2:]; rest != "" && (rest[0] == '+' || rest[0] == '-') {
			return "", false
		}
	}
	digits, negative, ok := digitsOf(s, "0123456789abcdefABCDEF")
	if !ok {
		return "", false
	}
	if digits = strings.ToLower(strings.TrimLeft(digits, "0")); digits == "" {
		return "0x0", true
	}
	if negative {
		return "-0x" + digits, true
	}
	return "0x" + digits, true
}

func digitsOf(s, alphabet string) (digits string, negative, ok bool) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s, negative = s[1:], s[0] == '-'
	}
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") {
		return "", false, false
	}
	s = strings.ReplaceAll(s, "_", "")
	return s, negative, strings.Trim(s, alphabet) == ""
}

// str is Python's str() of a value that readJSON returned.
func str(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return repr(v)
}

// repr is Python's repr() of a value that readJSON returned.
func repr(v any) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "True"
		}
		return "False"
	case pyjson.Int:
		return string(v)
	case float64:
		return reprFloat(v)
	case string:
		return reprString(v)
	case []any:
		items := make([]string, len(v))
		for i := range v {
			items[i] = repr(v[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	case *pyjson.Object:
		items := make([]string, len(v.Keys))
		for i, k := range v.Keys {
			items[i] = reprString(k) + ": " + repr(v.Values[k])
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	return "None"
}

func reprFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'f', -1, 64)), "+")
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func reprString(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	out := []byte{quote}
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r == '\t':
			out = append(out, `\t`...)
		case unicode.IsPrint(r):
			out = utf8.AppendRune(out, r)
		case r <= 0xff:
			out = append(out, `\x`...)
			out = appendHex(out, r, 2)
		case r <= 0xffff:
			out = append(out, `\u`...)
			out = appendHex(out, r, 4)
		default:
			out = append(out, `\U`...)
			out = appendHex(out, r, 8)
		}
	}
	return string(append(out, quote))
}

func appendHex(dst []byte, r rune, digits int) []byte {
	s := strconv.FormatInt(int64(r), 16)
	return append(dst, strings.Repeat("0", digits-len(s))+s...)
}
