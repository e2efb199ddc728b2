package web

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pmezard/go-difflib/difflib"

	"aftershock/access"
	"aftershock/replay"
	"aftershock/schema"
	"aftershock/signature"
)

const (
	// planSample is how many crashes rules are tried on, about.
	planSample = 20_000
	// planTime bounds that.
	planTime = 18 * time.Second
	// plansAtOnce are tried at a time: each takes the processors for seconds.
	plansAtOnce = 1
	// maxRulesBytes bounds what is sent to be tried: the files of a ruleset, escaped.
	maxRulesBytes = 8 << 20
	// maxShownChanges are on the page; the patch and the replay have no bound.
	maxShownChanges = 100
	// maxAddedLine is of a line that a link brings, in bytes.
	maxAddedLine = 4 << 10
)

func (h *Handler) routeRules() {
	h.mux.HandleFunc("GET /rules", h.rules)
	h.mux.HandleFunc("GET /rules/try", h.tryForm)
	h.mux.HandleFunc("POST /rules/try", h.limited(h.try))
}

// rulesPage is what the template of /rules gets.
type rulesPage struct {
	Version int32
	Hash    string
	Files   []ruleFile
	May     bool // try
}

// ruleFile is a file of a ruleset, as a page shows it.
type ruleFile struct {
	Name, Text string
	Lines      int
	Added      string // the line that was put in, if one was
	Open       bool
}

// trying is what the template of /rules/try gets.
type trying struct {
	Base      int32
	Files     []ruleFile
	Error     string
	Plan      *replay.Plan
	Percent   string
	Changes   []signature.Change
	More      int
	Took      string
	Patch     string
	MayStart  bool
	StartText string
}

// mayTry tells whether the viewer may try rules.
func (h *Handler) mayTry(r *http.Request) bool {
	return h.o.TryRules || access.From(r.Context()).Can(access.Rules)
}

// noOperator answers where pages have no brokers to ask.
func (h *Handler) noOperator(w http.ResponseWriter, r *http.Request) bool {
	if h.o.Operator != nil && h.o.Why != nil {
		return false
	}
	h.fail(w, r, http.StatusNotFound, "These pages do not know the versions.", "Start them with --brokers, or as part of up.")
	return true
}

// rules shows the rules of the version that is seen, or of another one.
func (h *Handler) rules(w http.ResponseWriter, r *http.Request) {
	if h.noOperator(w, r) {
		return
	}
	n, rules, ok := h.baseRules(w, r, r.URL.Query().Get("version"))
	if !ok {
		return
	}
	h.show(w, r, http.StatusOK, "rules.html", view{Title: fmt.Sprintf("Rules of version %d", n), At: "/rules", Body: rulesPage{Version: n, Hash: rules.Hash()[:12], Files: ruleFiles(rules), May: h.mayTry(r)}})
}

// baseRules are those of the version that a page is asked for, or of the one that is seen.
func (h *Handler) baseRules(w http.ResponseWriter, r *http.Request, version string) (int32, *signature.Ruleset, bool) {
	n := h.o.Why.Seen(h.o.Now())
	if version != "" {
		asked, err := strconv.ParseInt(version, 10, 32)
		if err != nil {
			h.failed(w, r, &badValueError{"version: want the number of a signature version"})
			return 0, nil, false
		}
		n = int32(asked)
	}
	rules, err := h.o.Why.Rules(r.Context(), n)
	switch {
	case errors.Is(err, replay.ErrNoWhy):
		h.fail(w, r, http.StatusNotFound, "There is no such version.", "/replay has those there are.")
		return 0, nil, false
	case err != nil:
		h.failed(w, r, err)
		return 0, nil, false
	}
	return n, rules, true
}

func ruleFiles(rules *signature.Ruleset) (out []ruleFile) {
	for _, f := range rules.Files() {
		out = append(out, ruleFile{Name: f.Name, Text: f.Text, Lines: strings.Count(f.Text, "\n")})
	}
	return out
}

// tryForm is the editor, with the line in it that a link brings.
func (h *Handler) tryForm(w http.ResponseWriter, r *http.Request) {
	if h.noOperator(w, r) || !h.needs(w, r, h.mayTry(r), access.Rules) {
		return
	}
	q := r.URL.Query()
	n, rules, ok := h.baseRules(w, r, q.Get("version"))
	if !ok {
		return
	}
	t := trying{Base: n, Files: ruleFiles(rules)}
	if file, line := q.Get("file"), q.Get("line"); line != "" {
		if len(line) > maxAddedLine || strings.ContainsAny(line, "\r\n") {
			h.failed(w, r, &badValueError{fmt.Sprintf("line: want one line of at most %d bytes", maxAddedLine)})
			return
		}
		if t.Files, ok = withLine(t.Files, file, line); !ok {
			h.failed(w, r, &badValueError{"file: no ruleset has such a file"})
			return
		}
	}
	h.showTry(w, r, http.StatusOK, t)
}

// withLine puts a line at the end of a file; one that the ruleset has not is made.
func withLine(files []ruleFile, name, line string) ([]ruleFile, bool) {
	for i := range files {
		if f := &files[i]; f.Name == name {
			if f.Text != "" && !strings.HasSuffix(f.Text, "\n") {
				f.Text += "\n"
			}
			f.Text += line + "\n"
			f.Added, f.Open = line, true
			return files, true
		}
	}
	if _, err := signature.FromFiles(map[string]string{name: ""}); err != nil {
		return files, false
	}
	return append(files, ruleFile{Name: name, Text: line + "\n", Added: line, Open: true}), true
}

// needs answers for a viewer who may not.
func (h *Handler) needs(w http.ResponseWriter, r *http.Request, may bool, role access.Role) bool {
	switch {
	case may:
		return true
	case h.o.Login != nil:
		return h.allowed(w, r, role, "")
	}
	h.fail(w, r, http.StatusForbidden, fmt.Sprintf("This needs the role %s, and nobody can log in here.", role), "Start these pages with --web-users or --oidc-issuer.")
	return false
}

func (h *Handler) showTry(w http.ResponseWriter, r *http.Request, status int, t trying) {
	t.MayStart = access.From(r.Context()).Can(access.Operator)
	h.show(w, r, status, "try.html", view{Title: "Try rules", At: "/rules", Body: t})
}

// try signs a sample of real crashes with the rules that were sent, or does with them what the
// button says.
func (h *Handler) try(w http.ResponseWriter, r *http.Request) {
	if h.noOperator(w, r) || !h.needs(w, r, h.mayTry(r), access.Rules) {
		return
	}
	select {
	case h.planning <- struct{}{}:
		defer func() { <-h.planning }()
	default:
		w.Header().Set("Retry-After", "5")
		h.fail(w, r, http.StatusServiceUnavailable, "Somebody tries rules at the moment.", "Go back, and try again in some seconds.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxRulesBytes)
	if err := r.ParseForm(); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			h.fail(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("Rules of more than %d bytes are not tried.", maxRulesBytes), "")
		} else {
			h.fail(w, r, http.StatusBadRequest, "This form cannot be read.", "Go back, and send it again.")
		}
		return
	}
	n, was, ok := h.baseRules(w, r, r.PostForm.Get("version"))
	if !ok {
		return
	}
	t := trying{Base: n}
	files := map[string]string{}
	for name, values := range r.PostForm {
		if file, ok := strings.CutPrefix(name, "file:"); ok {
			files[file] = strings.ReplaceAll(values[0], "\r\n", "\n") // as forms send line ends
		}
	}
	before := map[string]string{}
	for _, f := range was.Files() {
		before[f.Name] = f.Text
		text, sent := files[f.Name]
		if !sent {
			files[f.Name], text = f.Text, f.Text
		}
		t.Files = append(t.Files, ruleFile{Name: f.Name, Text: text, Lines: strings.Count(text, "\n"), Open: text != f.Text})
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		if _, there := before[name]; !there {
			t.Files = append(t.Files, ruleFile{Name: name, Text: text, Lines: strings.Count(text, "\n"), Open: true})
		}
	}
	rules, err := signature.FromFiles(files)
	if err != nil {
		t.Error = err.Error()
		h.showTry(w, r, http.StatusUnprocessableEntity, t)
		return
	}
	switch r.PostForm.Get("do") {
	case "patch":
		w.Header().Set("Content-Type", "text/x-diff; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="rules.patch"`)
		for _, f := range t.Files {
			fmt.Fprint(w, patch(f.Name, before[f.Name], f.Text)) //nolint:errcheck // its client may be gone
		}
		return
	case "start":
		h.start(w, r, rules, n)
		return
	}
	h.plan(w, r, &t, rules, before)
}

// plan tries the rules, and shows what they would change.
func (h *Handler) plan(w http.ResponseWriter, r *http.Request, t *trying, rules *signature.Ruleset, before map[string]string) {
	ctx, cancel := context.WithTimeout(r.Context(), planTime)
	defer cancel()
	t.MayStart = access.From(r.Context()).Can(access.Operator)
	page := h.pour(w, r, view{Title: "Try rules", At: "/rules"})
	page.write("trybegin", nil)
	began := h.o.Now()
	var err error
	examples := make(chan replay.PlanExample, replay.MaxPlanExamples) // so that nobody waits for a slow client
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.Plan, err = h.o.Operator.Plan(ctx, replay.PlanOptions{Ruleset: rules, Sample: planSample, Base: t.Base, Tell: func(e replay.PlanExample) { examples <- e }})
	}()
	for running := true; running; {
		select {
		case e := <-examples:
			page.write("tryexample", exampleOf(e))
		case <-done:
			running = false
		}
	}
	for len(examples) > 0 {
		page.write("tryexample", exampleOf(<-examples))
	}
	if err != nil {
		h.o.Log.Warn().Err(err).Msg("rules not tried")
		t.Plan, t.Error = nil, "The sample could not be read, or not in time; the log of the server says why."
		page.write("tryend", t)
		return
	}
	t.Took = h.o.Now().Sub(began).Round(10 * time.Millisecond).String()
	t.Percent = sampled(t.Plan.Changed, t.Plan.Sampled)
	for i := range t.Plan.Changes {
		c := t.Plan.Changes[i]
		if c.Kind == signature.New || c.Kind == signature.Vanished {
			continue // its moves stand with what moved, was split or merged
		}
		if len(t.Changes) == maxShownChanges {
			t.More++
			continue
		}
		t.Changes = append(t.Changes, c)
	}
	for _, f := range t.Files {
		t.Patch += patch(f.Name, before[f.Name], f.Text)
	}
	if t.Plan.Processed != nil {
		t.StartText = fmt.Sprintf("%d crashes are signed again, about %v of one core", t.Plan.Processed.Crashes, time.Duration(t.Plan.Processed.CoreSeconds*float64(time.Second)).Round(time.Second))
	} else {
		t.StartText = fmt.Sprintf("%d crashes are processed again, about %v of one core", t.Plan.Raw.Crashes, time.Duration(t.Plan.Raw.CoreSeconds*float64(time.Second)).Round(time.Second))
	}
	page.write("tryend", t)
}

// tryExample is a crash that changes, as the page shows it.
type tryExample struct {
	replay.PlanExample
	Rows  []exampleRow // of frames that differ
	Alike int          // of those that do not
}

type exampleRow struct {
	Number        int
	Name, Was, Is string
}

// exampleOf keeps of an example the frames that the rulesets do not agree on.
func exampleOf(e replay.PlanExample) tryExample {
	out := tryExample{PlanExample: e}
	said := func(s *signature.Step) string {
		switch {
		case s == nil:
			return "not looked at"
		case s.Line != (signature.ListLine{}):
			return decided[s.Kind] + " (" + s.Line.String() + ")"
		}
		return decided[s.Kind]
	}
	for _, f := range e.Frames {
		if !f.Differs() {
			out.Alike++
			continue
		}
		out.Rows = append(out.Rows, exampleRow{f.Number, f.Name, said(f.Was), said(f.Is)})
	}
	return out
}

// patch is the change of a file, for the repository that keeps the rules.
func patch(name, before, after string) string {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: linesOf(before), B: linesOf(after), FromFile: "a/" + name, ToFile: "b/" + name, Context: 3,
	})
	if err != nil || before == after {
		return ""
	}
	return text
}

// linesOf are a text's lines with their ends, as patches have them.
func linesOf(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	last := len(lines) - 1
	if lines[last] == "" {
		return lines[:last]
	}
	lines[last] += "\n\\ No newline at end of file\n"
	return lines
}

// start begins a version with the rules, beside those there are.
func (h *Handler) start(w http.ResponseWriter, r *http.Request, rules *signature.Ruleset, base int32) {
	viewer := access.From(r.Context())
	if !h.needs(w, r, viewer.Can(access.Operator), access.Operator) {
		return
	}
	plan, err := h.o.Operator.Plan(r.Context(), replay.PlanOptions{Ruleset: rules, Sample: 1, Base: base})
	if err != nil {
		h.failed(w, r, err)
		return
	}
	o := h.o.Begin
	o.Ruleset, o.Source = rules, schema.SourceRaw
	if plan.Processed != nil {
		o.Source, o.Base = schema.SourceProcessed, base
	}
	v, err := h.operator(viewer, "rules tried in a page").Start(r.Context(), o)
	if err != nil {
		h.o.Log.Warn().Err(err).Str("who", viewer.Name).Msg("version not begun")
		h.fail(w, r, http.StatusConflict, "The version was not begun: "+err.Error(), "/replay shows the versions there are.")
		return
	}
	http.Redirect(w, r, fmt.Sprintf("/replay/%d", v.Number), http.StatusSeeOther)
}

// operator is one who acts for a viewer.
func (h *Handler) operator(viewer *access.Viewer, why string) *replay.Operator {
	o := *h.o.Operator
	o.Who, o.Why = viewer.Name, why
	return &o
}
