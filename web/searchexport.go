package web

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"

	"aftershock/ask"
	"aftershock/internal/spreadsheet"
)

// searchCSV is all crashes of a search, as they come from the tables.
func (h *Handler) searchCSV(w http.ResponseWriter, r *http.Request) {
	s, ok := h.exported(w, r, "text/csv; charset=utf-8", "crashes.csv")
	if !ok {
		return
	}
	out := csv.NewWriter(w)
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		var names []string
		for _, c := range s.Columns {
			names = append(names, c.As)
		}
		return out.Write(names)
	}
	err := s.Each(r.Context(), h.searchTables(s), func(row []json.RawMessage) error {
		if err := begin(); err != nil {
			return err
		}
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = ask.Shown(v)
		}
		return out.Write(spreadsheet.Row(cells))
	})
	if err == nil {
		err = begin() // of no crashes
	}
	h.ended(w, r, err, begun)
	out.Flush()
}

// searchParquet is the same in Parquet, which the tables make.
func (h *Handler) searchParquet(w http.ResponseWriter, r *http.Request) {
	s, ok := h.exported(w, r, "application/vnd.apache.parquet", "crashes.parquet")
	if !ok {
		return
	}
	begun := false
	err := s.Parquet(r.Context(), h.searchTables(s), func() io.Writer {
		begun = true
		return w
	})
	h.ended(w, r, err, begun)
}

// exported reads the search of an export, and says what it is.
func (h *Handler) exported(w http.ResponseWriter, r *http.Request, kind, name string) (*ask.Search, bool) {
	s, err := h.searchable(r).ParseSearch(without(r.URL.Query(), "_cursor", "_results_offset"), usualSearch, h.now())
	if err != nil {
		h.failedSearch(w, r, err)
		return nil, false
	}
	if len(s.Protected()) > 0 {
		private(w)
		if err := h.auditSearch(r, s, 0); err != nil { // how many they are is known when they are gone
			h.failed(w, r, err)
			return nil, false
		}
	}
	head := w.Header()
	head.Set("Content-Type", kind)
	head.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	cached(w)
	return s, r.Method != http.MethodHead
}

// ended ends an export. One that failed when its client had some of it is cut: it would look
// whole otherwise.
func (h *Handler) ended(w http.ResponseWriter, r *http.Request, err error, begun bool) {
	switch {
	case err == nil:
	case begun:
		h.o.Log.Warn().Err(err).Str("path", r.URL.Path).Msg("export cut")
		panic(http.ErrAbortHandler)
	default:
		w.Header().Del("Content-Disposition")
		h.failedSearch(w, r, err)
	}
}
