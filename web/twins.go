package web

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"aftershock/ask"
	"aftershock/internal/spreadsheet"
)

// twins of a page are for programs and for other documents: the same answers.
var twins = []string{"json", "csv", "md"}

func twinLinks(at string, q url.Values) (out []link) {
	if at == "/" {
		at = "/morning"
	}
	query := ""
	if len(q) > 0 {
		query = "?" + q.Encode()
	}
	for _, t := range twins {
		out = append(out, link{at + "." + t + query, strings.ToUpper(t)})
	}
	return out
}

// twin answers with one.
func (h *Handler) twin(w http.ResponseWriter, r *http.Request, kind string, sections []answered) {
	head := w.Header()
	cached(w)
	if r.Method == http.MethodHead {
		return
	}
	switch kind {
	case "json":
		head.Set("Content-Type", "application/json")
		out := json.NewEncoder(w)
		out.Encode(jsonOf(sections)) //nolint:errcheck,gosec // its client may be gone
	case "csv":
		head.Set("Content-Type", "text/csv; charset=utf-8")
		head.Set("Content-Disposition", "attachment")
		out := csv.NewWriter(w)
		for i, s := range sections {
			if i > 0 {
				out.Write(nil) //nolint:errcheck,gosec // likewise
			}
			out.Write(names(s.Answer)) //nolint:errcheck,gosec // likewise
			for _, row := range s.Answer.Rows {
				out.Write(spreadsheet.Row(row)) //nolint:errcheck,gosec // likewise
			}
		}
		out.Flush()
	case "md":
		head.Set("Content-Type", "text/markdown; charset=utf-8")
		for _, s := range sections {
			w.Write([]byte("## " + s.Title + "\n\n")) //nolint:errcheck,gosec // likewise
			s.Answer.WriteMarkdown(w)                 //nolint:errcheck,gosec // likewise
			w.Write([]byte("\n"))                     //nolint:errcheck,gosec // likewise
		}
	}
}

func names(a *ask.Answer) (out []string) {
	for _, c := range a.Columns {
		out = append(out, c.Name)
	}
	return out
}

// jsonSection is a section in the JSON twin.
type jsonSection struct {
	Title    string              `json:"title"`
	Question string              `json:"question"`
	Rows     []map[string]string `json:"rows"`
}

func jsonOf(sections []answered) map[string]any {
	out := make([]jsonSection, 0, len(sections))
	for _, s := range sections {
		j := jsonSection{s.Title, s.Query.Name, make([]map[string]string, 0, len(s.Answer.Rows))}
		for _, row := range s.Answer.Rows {
			m := map[string]string{}
			for i, text := range row {
				m[s.Answer.Columns[i].Name] = text
			}
			j.Rows = append(j.Rows, m)
		}
		out = append(out, j)
	}
	return map[string]any{"sections": out}
}
