package ask

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// barCells is how wide the longest bar is.
const barCells = 20

// WriteTable writes the answer for a terminal: columns under each other, numbers to the
// right, texts cut at width cells (0 for not at all), and the question's chart.
func (a *Answer) WriteTable(w io.Writer, q Query, width int) error {
	if len(a.Rows) == 0 {
		_, err := fmt.Fprintln(w, "no rows")
		return err
	}
	bars := a.bars(q.Chart)
	widths := make([]int, len(a.Columns))
	cell := func(text string) string {
		text = printable(text)
		if width > 0 {
			text = runewidth.Truncate(text, width, "…")
		}
		return text
	}
	for i, c := range a.Columns {
		widths[i] = runewidth.StringWidth(c.Name)
	}
	rows := make([][]string, len(a.Rows))
	for n, row := range a.Rows {
		for i, v := range row {
			v = cell(v)
			rows[n], widths[i] = append(rows[n], v), max(widths[i], runewidth.StringWidth(v))
		}
	}
	line := func(values []string, end string) error {
		var out strings.Builder
		for i, v := range values {
			pad := strings.Repeat(" ", widths[i]-runewidth.StringWidth(v))
			if a.Columns[i].Numeric() {
				v = pad + v
			} else {
				v += pad
			}
			out.WriteString(v)
			out.WriteString("  ")
		}
		_, err := fmt.Fprintln(w, strings.TrimRight(out.String()+end, " "))
		return err
	}
	var names []string
	for _, c := range a.Columns {
		names = append(names, c.Name)
	}
	if err := line(names, ""); err != nil {
		return err
	}
	for n, row := range rows {
		end := ""
		if bars != nil {
			end = bars[n]
		}
		if err := line(row, end); err != nil {
			return err
		}
	}
	if text := a.line(q.Chart); text != "" {
		_, err := fmt.Fprintf(w, "\n%s\n", text)
		return err
	}
	return nil
}

// printable leaves nothing that moves a terminal's cursor, turns the direction of what
// follows, or is not seen.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == utf8.RuneError || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '\uFFFD'
		}
		return c
	}, text)
}

// column is the place of a column, -1 for none.
func (a *Answer) column(name string) int {
	for i, c := range a.Columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// bars are a bar for each row, nil when the question has none.
func (a *Answer) bars(c Chart) (out []string) {
	at := a.column(c.Value)
	if c.Kind != Bars || at < 0 {
		return nil
	}
	most := 0.0
	values := make([]float64, len(a.Rows))
	for i, row := range a.Rows {
		values[i], _ = strconv.ParseFloat(row[at], 64) // what is no number has no bar
		most = max(most, values[i])
	}
	for _, v := range values {
		out = append(out, bar(v, most))
	}
	return out
}

// eighths are the parts of a cell.
var eighths = []rune(" ▏▎▍▌▋▊▉█")

func bar(v, most float64) string {
	if !(most > 0) || !(v > 0) || math.IsInf(most, 1) {
		return ""
	}
	n := int(v / most * barCells * 8)
	return strings.TrimRight(strings.Repeat("█", n/8)+string(eighths[n%8]), " ")
}

// levels of a line, from lowest to highest.
var levels = []rune("▁▂▃▄▅▆▇█")

// maxPoints of a line: more are left out at its begin.
const maxPoints = 120

// line is a line of the sums by label, with where it begins and ends; empty when the
// question has none.
func (a *Answer) line(c Chart) string {
	label, value := a.column(c.Label), a.column(c.Value)
	if c.Kind != Line || label < 0 || value < 0 {
		return ""
	}
	var labels []string
	var sums []float64
	for _, row := range a.Rows {
		v, err := strconv.ParseFloat(row[value], 64)
		if err != nil {
			continue
		}
		if len(labels) == 0 || labels[len(labels)-1] != row[label] {
			labels, sums = append(labels, row[label]), append(sums, 0)
		}
		sums[len(sums)-1] += v
	}
	if len(sums) < 2 {
		return ""
	}
	if len(sums) > maxPoints {
		labels, sums = labels[len(labels)-maxPoints:], sums[len(sums)-maxPoints:]
	}
	least, most := sums[0], sums[0]
	for _, v := range sums {
		least, most = min(least, v), max(most, v)
	}
	var out strings.Builder
	for _, v := range sums {
		level := 0
		if most > least {
			level = int((v - least) / (most - least) * float64(len(levels)-1))
		}
		out.WriteRune(levels[level])
	}
	return fmt.Sprintf("%s %s %s   %s from %s to %s", printable(labels[0]), out.String(), printable(labels[len(labels)-1]), c.Value,
		strconv.FormatFloat(least, 'f', -1, 64), strconv.FormatFloat(most, 'f', -1, 64))
}

// WriteMarkdown writes the answer as a table of Markdown.
func (a *Answer) WriteMarkdown(w io.Writer) error {
	row := func(values []string) error {
		_, err := fmt.Fprintf(w, "| %s |\n", strings.Join(values, " | "))
		return err
	}
	var names, rules []string
	for _, c := range a.Columns {
		rule := "---"
		if c.Numeric() {
			rule = "---:"
		}
		names, rules = append(names, c.Name), append(rules, rule)
	}
	if err := row(names); err != nil {
		return err
	}
	if err := row(rules); err != nil {
		return err
	}
	for _, r := range a.Rows {
		var cells []string
		for _, v := range r {
			cells = append(cells, markdown.Replace(printable(v)))
		}
		if err := row(cells); err != nil {
			return err
		}
	}
	return nil
}

// markdown keeps a value inside its cell.
var markdown = strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "&", `\&`, "~", `\~`, "|", `\|`, "`", "\\`", "<", `\<`, "*", `\*`, "_", `\_`)
