package replay

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed report.gohtml
var reportPage string

// The escaping is the template's: signatures are hostile.
var reportTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"shown": shown, "percent": percent, "added": addedText,
}).Parse(reportPage))

// WriteHTML writes the diff as one page that needs nothing from elsewhere, and has
// no scripts.
func (d *Diff) WriteHTML(w io.Writer) error {
	return reportTemplate.Execute(w, d)
}
