package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"aftershock/ask"
)

// crashID reads an id as people paste it: with bp- in front of it, in any letter case.
func crashID(text string) (string, bool) {
	id := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(text), "bp-"))
	if len(id) != 36 {
		return "", false
	}
	for i := range len(id) {
		c := id[i]
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
	}
	return id, true
}

// oneCrash is what a crash's template gets.
type oneCrash struct {
	ID, Signature, Product, Version, Received string
	Reason                                    string
	SignatureLink                             string
	Facts                                     []fact
	Frames                                    []frame
	Modules                                   []module
	Annotations                               []fact
	Notes                                     []string
	Unnamed                                   int      // frames without a name
	Missing                                   int      // modules without symbols
	Lossy                                     []string // modules whose symbols were not understood whole
	Why                                       *whySection
	Versions                                  []crashVersion
	Around                                    *neighbours
	Bugs                                      []link // file one about it
	MayAgain, Again                           bool   // whether it may be, and has been, asked for once more
}

// firstFrames are shown at once: a stack that overflowed has a thousand.
const firstFrames = 40

// First are the frames that a page shows at once, and Rest the others.
func (c *oneCrash) First() []frame { return c.Frames[:min(firstFrames, len(c.Frames))] }

// Rest are the frames behind First.
func (c *oneCrash) Rest() []frame { return c.Frames[min(firstFrames, len(c.Frames)):] }

type fact struct {
	Name, Value, Link, Without string
	Time                       bool // a moment, in UTC
}

type frame struct {
	Number                                  string
	Inlined                                 bool
	Function, Module, Offset, Source, Trust string
	SourceLink                              string
	Doubt                                   string // why the function's name may be wrong
	Likely                                  string // how likely the frame is true, where that is not sure
	Unlikely                                bool   // it need not be read
}

type module struct{ Name, Version, DebugFile, DebugID, CodeID, Symbols, Link string }

// apart are columns that have a place of their own on the page, or say nothing to its readers.
var apart = []string{
	"crash_id", "signature", "signature_id", "product", "version", "received_at", "reason", "annotations", "proto_signature", "content_hash", "proto_functions",
	"missing_symbols", "modules_in_stack", // of modules, which have a table
}

func (h *Handler) routeCrash() { h.mux.HandleFunc("GET /crash/{id}", h.crash) }

// crash answers with the page of a crash, or its twin.
func (h *Handler) crash(w http.ResponseWriter, r *http.Request) {
	name, twin := twinOf(r.PathValue("id"))
	id, ok := crashID(name)
	if !ok {
		h.fail(w, r, http.StatusNotFound, "That is no crash id.", "One looks like 0bba929f-8721-460c-8e70-a43c90261122, with bp- in front of it or without.")
		return
	}
	row, err := ask.Crash(r.Context(), h.o.DB, id)
	switch {
	case err != nil:
		h.failed(w, r, err)
		return
	case row == nil:
		h.fail(w, r, http.StatusNotFound, "There is no crash with this id, or it is not processed yet.", "A crash is seen some seconds after it was sent: reload then. Crashes that are too old are gone.")
		return
	}
	c := crashOf(row)
	if twin == "" {
		c.Bugs = h.bugs(c)
		c.MayAgain = h.mayAgain(r)
		c.Again = c.MayAgain && r.URL.Query().Has("again")
		if err := h.around(r, c, id, row); err != nil {
			h.failed(w, r, err)
			return
		}
	}
	switch twin {
	case "json":
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(row) //nolint:errcheck,gosec // its client may be gone
	case "md":
		w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
		fmt.Fprint(w, c.markdown()) //nolint:errcheck // likewise
	case "csv":
		h.fail(w, r, http.StatusNotFound, "A crash is no table.", "There are .json and .md.")
	default:
		at := "/crash/" + id
		h.show(w, r, http.StatusOK, "crash.html", view{Title: c.Signature, At: at, Body: c, Twins: []link{{at + ".json", "JSON"}, {at + ".md", "MD"}}})
	}
}

// crashOf takes a row apart.
func crashOf(row ask.Row) *oneCrash {
	c := &oneCrash{ID: ask.Shown(row["crash_id"]), Signature: ask.Shown(row["signature"]), Product: ask.Shown(row["product"]), Version: ask.Shown(row["version"]), Received: ask.Shown(row["received_at"]), Reason: ask.Shown(row["reason"])}
	c.SignatureLink = "/signature" + filter{Product: c.Product}.query("signature", c.Signature)
	var names []string
	for name, value := range row {
		if slices.Contains(apart, name) || strings.Contains(name, ".") || strings.HasPrefix(name, "raw_") || strings.HasPrefix(name, "processed_") || ask.Shown(value) == "" {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text := ask.Shown(row[name])
		field, err := ask.Public().Field(name)
		c.Facts = append(c.Facts, fact{name, text, linkOf(name, text, filter{}), withoutOf(name, text, filter{}), err == nil && field.Moments()})
	}
	stack := columns(row, "stack.frame", "stack.inlined", "stack.function", "stack.module", "stack.module_offset", "stack.file", "stack.line", "stack.trust", "stack.doubt", "stack.probability")
	for _, v := range stack {
		f := frame{Number: v[0], Inlined: v[1] == "1" || v[1] == "true", Function: v[2], Module: v[3], Offset: shortHex(v[4]), Source: v[5], Trust: v[7], Doubt: doubtOf(v[2], v[8])}
		f.Likely, f.Unlikely = likelihood(v[9])
		if v[5] != "" && v[6] != "0" {
			f.Source += ":" + v[6]
			f.SourceLink = sourceLink(v[5], v[6])
		}
		if f.Function == "" {
			c.Unnamed++
		}
		c.Frames = append(c.Frames, f)
	}
	for _, v := range columns(row, "modules.filename", "modules.version", "modules.debug_file", "modules.debug_id", "modules.code_id", "modules.symbols") {
		switch v[5] {
		case "missing":
			c.Missing++
		case "found_lossy":
			c.Lossy = append(c.Lossy, v[0])
		}
		c.Modules = append(c.Modules, module{v[0], v[1], v[2], v[3], v[4], v[5], ""})
	}
	for _, v := range columns(row, "notes.stage", "notes.code") {
		c.Notes = append(c.Notes, v[0]+": "+v[1])
	}
	annotations := map[string]string{}
	json.Unmarshal(row["annotations"], &annotations) //nolint:errcheck,gosec // an object of texts, or there are none
	for name, value := range annotations {
		c.Annotations = append(c.Annotations, fact{Name: name, Value: value})
	}
	slices.SortFunc(c.Annotations, func(a, b fact) int { return strings.Compare(a.Name, b.Name) })
	return c
}

// columns are lists of equal length, as rows of texts.
func columns(row ask.Row, names ...string) [][]string {
	var lists [][]json.RawMessage
	for _, name := range names {
		var list []json.RawMessage
		json.Unmarshal(row[name], &list) //nolint:errcheck,gosec // a list, or there is none
		lists = append(lists, list)
	}
	out := make([][]string, len(lists[0]))
	for i := range out {
		out[i] = make([]string, len(names))
		for n, list := range lists {
			if i < len(list) {
				out[i][n] = ask.Shown(list[i])
			}
		}
	}
	return out
}

// shortHex is an offset without the zeros that it begins with.
func shortHex(s string) string {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok || digits == "" {
		return s
	}
	return "0x" + strings.TrimLeft(digits[:len(digits)-1], "0") + digits[len(digits)-1:]
}

// markdown is a crash for a bug or a chat.
func (c *oneCrash) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s %s, %s, received %s UTC, crash %s\n\n```\n", quoted(c.Signature), quoted(c.Product), quoted(c.Version), quoted(c.Reason), c.Received, c.ID)
	for _, f := range c.Frames {
		number := f.Number
		if f.Inlined {
			number = "  "
		}
		fmt.Fprintf(&b, "%2s  %s  (%s)  %s", number, oneLine(f.name()), oneLine(f.Module), oneLine(f.Source))
		for _, unsure := range []string{f.Doubt, f.unsure()} {
			if unsure != "" {
				fmt.Fprintf(&b, "  [%s]", oneLine(unsure))
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString("```\n")
	return b.String()
}

// oneLine keeps a text from ending the block that it stands in.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '`' {
			return ' '
		}
		return r
	}, s)
}

// quoted keeps a text from being markup.
func quoted(s string) string {
	return strings.NewReplacer("<", "&lt;", "[", "\\[", "`", "'", "*", "\\*", "_", "\\_", "\n", " ").Replace(s)
}
