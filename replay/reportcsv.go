package replay

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode"

	"aftershock/internal/spreadsheet"
)

// WriteCSV writes a line for each pair, and one for those that are not listed.
func (d *Diff) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"row", "version_a", "version_b", "signature_a", "signature_b", d.What(), "share_of_a", "share_of_b", "causes", "examples"}}
	a, b := fmt.Sprint(d.A.SignatureVersion), fmt.Sprint(d.B.SignatureVersion)
	for i := range d.Pairs {
		p := &d.Pairs[i]
		var causes, examples []string
		for _, c := range p.Causes {
			causes = append(causes, fmt.Sprintf("%d: %v", c.Crashes, c))
		}
		for _, e := range p.Examples {
			examples = append(examples, e.CrashID)
		}
		rows = append(rows, []string{
			"pair", a, b, SpreadsheetCell(p.From), SpreadsheetCell(p.To), fmt.Sprint(p.Crashes), fmt.Sprintf("%.6f", p.ShareOfFrom), fmt.Sprintf("%.6f", p.ShareOfTo),
			strings.Join(causes, "; "), strings.Join(examples, " "),
		})
	}
	if d.Others.Pairs > 0 {
		rows = append(rows, []string{"others", a, b, "", "", fmt.Sprint(d.Others.Crashes), "", "", "", ""})
	}
	if d.Folded.Pairs > 0 {
		rows = append(rows, []string{"folded", a, b, "", "", fmt.Sprint(d.Folded.Crashes), "", "", "", ""})
	}
	return out.WriteAll(rows)
}

// SpreadsheetCell is a text that no spreadsheet takes for a formula, nor a terminal
// for a command.
func SpreadsheetCell(s string) string {
	s = strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
	if spreadsheet.Formula(s) {
		return "'" + s
	}
	return s
}
