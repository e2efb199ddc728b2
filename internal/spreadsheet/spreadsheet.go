// Package spreadsheet knows which texts spreadsheets take for formulas when they open a CSV
// file: whoever sends a crash names its modules and functions.
package spreadsheet

import "strings"

// Formula tells whether a cell's text may be taken for a formula: it begins with a sign that
// begins one (also as wide as a Chinese character), after blanks that may be dropped, or with
// a tab or carriage return (OWASP, CSV Injection). A single quotation mark before it makes it a
// text. Numbers with a sign are among them; Row leaves those alone.
func Formula(text string) bool {
	if strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "\r") {
		return true
	}
	for _, first := range strings.TrimLeft(text, " \n") {
		return strings.ContainsRune("=+-@＝＋－＠", first)
	}
	return false
}

// Row keeps the cells of a row from being formulas where a table is opened: a quotation mark stands
// before what one begins with. Numbers stay what they are.
func Row(cells []string) []string {
	out := make([]string, len(cells))
	for i, text := range cells {
		if Formula(text) && !isNumber(text) {
			text = "'" + text
		}
		out[i] = text
	}
	return out
}

func isNumber(text string) bool {
	return mayBeNumber(text) && strings.ContainsAny(text, "0123456789")
}

// mayBeNumber tells whether a text has nothing that no number has.
func mayBeNumber(text string) bool { return strings.Trim(text, "0123456789.eE+-") == "" }
