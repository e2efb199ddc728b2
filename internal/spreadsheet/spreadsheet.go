// Package spreadsheet knows which texts spreadsheets take for formulas when they open a CSV
// file: whoever sends a crash names its modules and functions.
package spreadsheet

import "strings"

// Formula tells whether a cell's text may be taken for a formula: it begins with a sign that
// begins one (also as wide as a Chinese character), after blanks that may be dropped, or with
// a tab or carriage return (OWASP, CSV Injection). A single quotation mark before it makes it a
// text. Numbers with a sign are among them.
func Formula(text string) bool {
	if strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "\r") {
		return true
	}
	for _, first := range strings.TrimLeft(text, " \n") {
		return strings.ContainsRune("=+-@＝＋－＠", first)
	}
	return false
}
