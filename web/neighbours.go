package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"aftershock/ask"
)

// neighbours are the crashes of the same signature around one, within the filter.
type neighbours struct {
	Place, All                               int // 1 is the first that was received
	First, Previous, Next, Last, Recommended string
	Within                                   string
}

// usualTime is the time of pages whose URL says none.
const usualTime = "28d"

// around asks for what belongs to a crash's page beside its row: what other versions made of it,
// why, and the crashes around it.
func (h *Handler) around(r *http.Request, c *oneCrash, id string, row ask.Row) error {
	f := fromURL(r.URL.Query())
	under := int64(0)
	if text := r.URL.Query().Get("under"); text != "" {
		var err error
		if under, err = strconv.ParseInt(text, 10, 32); err != nil || under < 1 {
			return &badValueError{"under: want the number of a signature version"}
		}
	}
	var all errgroup.Group
	all.Go(func() error {
		answer, err := ask.CrashVersions.Ask(r.Context(), h.o.DB, map[string]string{"crash_id": id, "day": ask.Shown(row["day"])})
		if err != nil {
			return err
		}
		c.Versions = crashVersions(answer.Rows)
		var seen crashVersion
		for _, v := range c.Versions {
			if v.Seen {
				seen = v
			}
		}
		c.Why = h.why(r.Context(), seen, c.Signature, int32(under), c.Versions, func(n int32) string {
			return "/crash/" + id + f.query("under", strconv.Itoa(int(n))) + "#why"
		})
		return nil
	})
	all.Go(func() (err error) {
		c.Around, err = h.neighbours(r.Context(), c, id, f)
		return err
	})
	for i := range c.Modules {
		c.Modules[i].Link = h.symbolLink(c.Modules[i])
	}
	return all.Wait()
}

// neighbours asks for them; nil when the crash is alone, or out of the filter's time.
func (h *Handler) neighbours(ctx context.Context, c *oneCrash, id string, f filter) (*neighbours, error) {
	if _, err := ask.Text(c.Signature); err != nil {
		return nil, nil //nolint:nilerr,nilnil // no question can ask for it, and the crash is shown without
	}
	values, err := h.pageValues(f, c.Signature)
	if err != nil {
		return nil, err
	}
	values["crash_id"], values["received"] = id, c.Received
	a, err := ask.Neighbours.Ask(ctx, h.o.DB, values)
	if err != nil || len(a.Rows) == 0 {
		return nil, err
	}
	v := a.Rows[0]
	count, _ := strconv.Atoi(v[0]) // the server's own numbers
	before, _ := strconv.Atoi(v[1])
	if count < 2 || v[7] == "0" { // alone, or not among them
		return nil, nil //nolint:nilnil // see above
	}
	to := func(other string) string {
		if other == "" || other == id {
			return ""
		}
		return "/crash/" + other + f.query()
	}
	n := &neighbours{Place: before + 1, All: count, First: to(v[2]), Last: to(v[3]), Previous: to(v[4]), Next: to(v[5]), Recommended: to(v[6]), Within: f.String()}
	return n, nil
}

// enoughToBegin crashes of the newest days are those of which one is recommended: as good as all of a
// signature's, in half the time where it has a million in the filter.
const enoughToBegin = "1000"

// pageValues are the parameters of statements about a signature.
func (h *Handler) pageValues(f filter, signature string) (map[string]string, error) {
	values := map[string]string{}
	texts := f.fields()
	texts["signature"] = signature
	for name, text := range texts {
		v, err := ask.Text(text)
		if err != nil {
			return nil, &badValueError{name + ": " + err.Error()}
		}
		values[name] = v
	}
	now := h.now()
	at, err := ask.Moment(f.since(), now)
	if err != nil {
		return nil, &badValueError{"from: " + err.Error()}
	}
	values["from"], values["to"], values["enough"] = ask.Time(at), ask.Time(now), enoughToBegin
	return values, nil
}

// String says the filter in words.
func (f filter) String() string {
	var words []string
	for _, v := range []string{f.Product, f.Channel, f.Process, f.OS} {
		if texts, not := ask.LeftOut(v); not {
			words = append(words, "not "+strings.Join(texts, ", not "))
		} else if v != "" {
			words = append(words, v)
		}
	}
	from := f.since()
	for _, t := range f.Times() {
		if t.Path == from {
			from = t.Name
		}
	}
	return strings.Join(append(words, "last "+from), ", ")
}

// symbolLink is a module's symbol file in the store.
func (h *Handler) symbolLink(m module) string {
	if h.o.SymbolsURL == "" || m.DebugFile == "" || m.DebugID == "" || !strings.HasPrefix(m.Symbols, "found") {
		return ""
	}
	name := m.DebugFile
	if n := len(name) - len(".pdb"); n >= 0 && strings.EqualFold(name[n:], ".pdb") {
		name = name[:n]
	}
	return strings.TrimSuffix(h.o.SymbolsURL, "/") + "/" + url.PathEscape(m.DebugFile) + "/" + url.PathEscape(m.DebugID) + "/" + url.PathEscape(name) + ".sym"
}
