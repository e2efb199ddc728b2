package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/bugs"
)

// endpoint is one of the API, whose shapes are those of Crash Stats: tools that read that read
// this. The page of the API and its OpenAPI document are made of the same table.
type endpoint struct {
	name    string
	post    bool // what is sent is in the body
	doc     string
	params  []apiParam
	fields  bool   // every public field is a parameter as well
	body    string // of a body that is no form: what it looks like
	kind    string // of that body; empty for JSON
	example string // a query, or a body
	needs   access.Role
	missing func(h *Handler) bool // where there is no answer, so that the page leads to none; nil: there is one
	answer  func(h *Handler, r *http.Request, q url.Values) (any, error)
}

// apiParam is a parameter.
type apiParam struct {
	name, doc string
	kind      string // of a value: string, integer
	many      bool
	required  bool
}

var crashIDParam = apiParam{name: "crash_id", doc: "The crash, with bp- in front of it or without.", kind: "string", required: true}

// endpoints of the API, by name.
var endpoints = []endpoint{
	{
		name: "Bugs", doc: "Bugs of signatures, and of the names that most of their crashes had before promotions: each is there with the signature that was asked for, and with all that it was filed for.", answer: (*Handler).apiBugs, example: "signatures=OOM+%7C+small",
		params: []apiParam{{name: "signatures", doc: fmt.Sprintf("Signatures, %d at most.", ask.MaxLookups), kind: "string", many: true, required: true}},
	},
	{
		name: "BugsImport", post: true, doc: "Loads which bugs are about which signatures, all or none: what aftershock bugs import does.", needs: access.Bugs, answer: (*Handler).apiBugsImport,
		params: []apiParam{{name: "replace", doc: "1 takes away the bugs that are not in it.", kind: "string"}}, kind: "text/csv",
		body: fmt.Sprintf("CSV of at most %d bytes and %d bugs, with a line of names first: signature, bug, and perhaps url, summary and state.", bugs.MaxPushed.Bytes, bugs.MaxPushed.Bugs), example: "signature,bug,state\nOOM | small,1234567,open\n",
	},
	{
		name: "CrashSignature", post: true, doc: "Signatures of crash data, by the ruleset that ships with this release. Nothing is kept.", answer: (*Handler).apiSign,
		body: `{"jobs": [crash data]}`, example: `{"jobs": [{"crashing_thread": 0, "threads": [{"frames": [{"module": "app", "function": "render"}]}]}]}`,
	},
	{name: "CrashVerify", doc: "Where a crash is. What these tables cannot tell is null.", answer: (*Handler).apiVerify, params: []apiParam{crashIDParam}, example: "crash_id=0bba929f-8721-460c-8e70-a43c90261122"},
	{name: "ProcessedCrash", doc: "What everybody may see of a processed crash, by Crash Stats' names and by the tables'.", answer: (*Handler).apiProcessed, params: []apiParam{crashIDParam, {name: "format", doc: "Not looked at: tools send it.", kind: "string"}}, example: "crash_id=0bba929f-8721-460c-8e70-a43c90261122"},
	{
		name: "MissingProcessedCrash", doc: fmt.Sprintf("Crashes that could not be processed when they came, of the newest %d failures: the newest first, %d on a page, and whether they have been processed since.", maxFailures, missingOnPage), answer: (*Handler).apiMissing,
		params: []apiParam{{name: "page", doc: "1 is the first.", kind: "integer"}}, missing: func(h *Handler) bool { return h.o.Failures == nil },
	},
	{
		name: "RawCrash", doc: "The public annotations of a crash, and the protected ones for who has the role protected. Its dumps need the role dumps.", answer: (*Handler).apiRaw, example: "crash_id=0bba929f-8721-460c-8e70-a43c90261122",
		params: []apiParam{crashIDParam, {name: "format", doc: "meta, or raw for a dump.", kind: "string"}, {name: "name", doc: "The dump's name; upload_file_minidump is the main one.", kind: "string"}},
	},
	{
		name: "Reprocessing", post: true, doc: "Has crashes processed again. With one bad id none is.", needs: access.Operator, answer: (*Handler).apiReprocess, example: "crash_ids=0bba929f-8721-460c-8e70-a43c90261122",
		params: []apiParam{{name: "crash_ids", doc: fmt.Sprintf("Crashes, %d at most; what stands behind a colon is not looked at.", maxReprocessed), kind: "string", many: true, required: true}},
	},
	{
		name: "SignatureFirstDate", doc: "When signatures were first seen, and in which build.", answer: (*Handler).apiFirstDate, example: "signatures=OOM+%7C+small",
		params: []apiParam{{name: "signatures", doc: fmt.Sprintf("Signatures, %d at most.", ask.MaxLookups), kind: "string", many: true, required: true}},
	},
	{
		name: "SignaturesByBugs", doc: "Signatures of bugs: those that each was filed for, and those that most of their crashes got by promotions since.", answer: (*Handler).apiSignaturesByBugs, example: "bug_ids=1234567",
		params: []apiParam{{name: "bug_ids", doc: fmt.Sprintf("Bugs, %d at most.", ask.MaxLookups), kind: "string", many: true, required: true}},
	},
	{name: "SuperSearch", doc: "Crashes, and counts of them, by filters on every public field.", fields: true, answer: (*Handler).apiSearch, params: searchParams, example: "product=Orchard&date=%3E%3D7d&_facets=version&_results_number=10"},
	{name: "SuperSearchFields", doc: "The fields that can be searched.", answer: (*Handler).apiFields},
	{
		name: "VersionString", doc: "Versions of a build.", answer: (*Handler).apiVersion, example: "product=Orchard&channel=release&build_id=20260901000000",
		params: []apiParam{{name: "product", doc: "Product.", kind: "string", required: true}, {name: "channel", doc: "Release channel.", kind: "string", required: true}, {name: "build_id", doc: "Build.", kind: "string", required: true}},
	},
}

// apiError is an answer that is none.
type apiError struct {
	status int
	text   string
}

func (e *apiError) Error() string { return e.text }

// lacks is the answer to who lacks a role. Of a viewer it is kept.
func (h *Handler) lacks(r *http.Request, role access.Role) error {
	if h.o.Audit != nil && access.From(r.Context()) != nil {
		if err := h.denied(r, role, r.URL.Path); err != nil {
			return err
		}
	}
	return &apiError{http.StatusForbidden, fmt.Sprintf("this needs the role %s", role)}
}

// elsewhere is an answer that another path has.
type elsewhere struct{ path string }

func (e *elsewhere) Error() string { return "it is at " + e.path }

// maxAPIFormBytes of what a form sends to the API.
const maxAPIFormBytes = 1 << 20

func (h *Handler) routeAPI() {
	for _, e := range endpoints {
		method := "GET "
		if e.post {
			method = "POST "
		}
		h.mux.HandleFunc(method+"/api/"+e.name+"/{$}", h.limited(h.endpoint(e)))
	}
	h.mux.HandleFunc("GET /api/{$}", h.apiPage)
	h.mux.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		forAnybody(w)
		sendJSON(w, r, http.StatusOK, openAPI())
	})
	none := func(w http.ResponseWriter, r *http.Request) {
		name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/api/"), "/")
		for _, e := range endpoints {
			if e.name != name {
				continue
			}
			w.Header().Set("Allow", map[bool]string{true: "POST", false: "GET, HEAD"}[e.post])
			sendError(w, r, &apiError{http.StatusMethodNotAllowed, "this is asked with " + map[bool]string{true: "POST", false: "GET"}[e.post]})
			return
		}
		sendError(w, r, &apiError{http.StatusNotFound, fmt.Sprintf("there is no endpoint %.60q", name)})
	}
	h.mux.HandleFunc("GET /api/", none)
	h.mux.HandleFunc("POST /api/", none)
}

// forAnybody lets pages of others read an answer. Browsers send no credentials then.
func forAnybody(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// endpoint answers with one.
func (h *Handler) endpoint(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !e.post && access.From(r.Context()) == nil {
			forAnybody(w)
		}
		if e.needs != "" && !access.From(r.Context()).Can(e.needs) {
			h.failedAPI(w, r, h.lacks(r, e.needs))
			return
		}
		q := r.URL.Query()
		if e.post && e.body == "" {
			r.Body = http.MaxBytesReader(w, r.Body, maxAPIFormBytes)
			if err := r.ParseForm(); err != nil {
				sendError(w, r, &apiError{http.StatusBadRequest, "want a form"})
				return
			}
			q = r.Form
		}
		if err := e.check(q); err != nil {
			sendError(w, r, err)
			return
		}
		v, err := e.answer(h, r, q)
		if err != nil {
			h.failedAPI(w, r, err)
			return
		}
		w.Header().Set("Cache-Control", "private, max-age=20")
		if access.From(r.Context()) != nil { // perhaps with what is protected in it
			private(w)
		}
		sendJSON(w, r, http.StatusOK, v)
	}
}

// check refuses parameters that an endpoint has not, and those that it lacks.
func (e endpoint) check(q url.Values) error {
	known := map[string]bool{}
	for _, p := range e.params {
		known[p.name] = true
		if p.required && q.Get(p.name) == "" {
			return &apiError{http.StatusBadRequest, "want the parameter " + p.name}
		}
		if !p.many && len(q[p.name]) > 1 && !e.fields {
			return &apiError{http.StatusBadRequest, "the parameter " + p.name + " is there twice"}
		}
	}
	for name := range q {
		if !known[name] && !e.fields {
			return &apiError{http.StatusBadRequest, fmt.Sprintf("there is no parameter %.60q", name)}
		}
	}
	return nil
}

// failedAPI answers for a request that was not answered.
func (h *Handler) failedAPI(w http.ResponseWriter, r *http.Request, err error) {
	var known *apiError
	var there *elsewhere
	var unkept *auditError
	switch {
	case errors.As(err, &there):
		http.Redirect(w, r, there.path, http.StatusSeeOther)
		return
	case errors.As(err, &known):
	case errors.As(err, &unkept):
		h.o.Log.Error().Err(err).Str("path", r.URL.Path).Msg("audit event not kept, so nothing is shown")
		err = &apiError{http.StatusServiceUnavailable, "it cannot be written down now who asks this"}
	case refusal(err) != nil:
		err = &apiError{http.StatusBadRequest, refusal(err).Error()}
	case r.Context().Err() != nil:
		err = &apiError{http.StatusServiceUnavailable, fmt.Sprintf("the tables did not answer in %v", queryTime)}
	default:
		h.o.Log.Warn().Err(err).Str("path", r.URL.Path).Msg("api not answered")
		err = &apiError{http.StatusServiceUnavailable, "the tables cannot be asked now"}
	}
	sendError(w, r, err)
}

// refusal is what an error says of what was asked; nil for an error of the tables.
func refusal(err error) error {
	var refused *ask.RefusedError
	if errors.As(err, &refused) {
		return refused
	}
	return nil
}

func sendError(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	var known *apiError
	if errors.As(err, &known) {
		status = known.status
	}
	sendJSON(w, r, status, map[string]string{"error": err.Error()})
}

func sendJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error": "the answer could not be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(append(text, '\n')) //nolint:errcheck,gosec // its client may be gone
	}
}
