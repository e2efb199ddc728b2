package symboldump

import (
	"strconv"
	"strings"
)

// rustEscapes are what stands between dollars in names of Rust's first mangling.
var rustEscapes = map[string]string{"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ","}

// oldRust demangles a name of Rust's first mangling, which looks like C++'s: a
// path whose last part is a hash. The hash is left out; what compilers append
// stays.
func oldRust(mangled string) (string, bool) {
	rest, ok := strings.CutPrefix(mangled, "_ZN")
	if !ok {
		return "", false
	}
	var parts []string
	for !strings.HasPrefix(rest, "E") {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || n > len(rest)-digits {
			return "", false
		}
		parts = append(parts, rest[digits:digits+n])
		rest = rest[digits+n:]
	}
	if len(parts) < 2 || !isRustHash(parts[len(parts)-1]) || len(rest) > 1 && rest[1] != '.' {
		return "", false
	}
	for i, part := range parts {
		parts[i] = rustPart(part)
	}
	return strings.Join(parts[:len(parts)-1], "::") + rest[1:], true
}

func isRustHash(part string) bool {
	return len(part) == 17 && part[0] == 'h' && strings.Trim(part[1:], "0123456789abcdef") == ""
}

// rustPart decodes a part of a path.
func rustPart(s string) string {
	if strings.HasPrefix(s, "_$") { // names begin with a letter, so it was added
		s = s[1:]
	}
	var b strings.Builder
	for s != "" {
		switch {
		case strings.HasPrefix(s, ".."):
			b.WriteString("::")
			s = s[2:]
		case s[0] == '.':
			b.WriteByte('.')
			s = s[1:]
		case s[0] == '$':
			escape, rest, ok := strings.Cut(s[1:], "$")
			text, known := rustEscapes[escape]
			if hex, isRune := strings.CutPrefix(escape, "u"); ok && isRune {
				if v, err := strconv.ParseUint(hex, 16, 21); err == nil && v >= ' ' && v != 0x7f {
					text, known = string(rune(v)), true
				}
			}
			if !ok || !known {
				b.WriteString(s)
				return b.String()
			}
			b.WriteString(text)
			s = rest
		default:
			n := strings.IndexAny(s, ".$")
			if n < 0 {
				n = len(s)
			}
			b.WriteString(s[:n])
			s = s[n:]
		}
	}
	return b.String()
}
