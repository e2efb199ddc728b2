package schema

import (
	"strings"
	"unicode/utf8"
)

// CutText is a text's longest beginning of whole characters within a limit, in bytes.
func CutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// ClientText is a value without the NULs and the blanks around it that clients in C leave
// there.
func ClientText(value string) string {
	return strings.TrimSpace(strings.ReplaceAll(value, "\x00", ""))
}
