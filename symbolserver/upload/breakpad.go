package upload

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"aftershock/symbolcache"
	"aftershock/symbolserver/store"
)

// Breakpad's sym_upload, protocol sym-upload-v2 (src/common/…/symbol_collector_client):
//
//	GET  /v1/symbols/<debug file>/<debug id>:checkStatus   is it there? FOUND or MISSING
//	POST /v1/uploads:create                                where is it to be put?
//	PUT  <there>
//	POST /v1/uploads/<key>:complete                        it is there, and this is what it is
//
// The token is the key parameter. Until the last call nobody knows what the file is, so it
// waits aside.

// maxCompleteBytes bounds the body of the last call.
const maxCompleteBytes = 64 << 10

func (h *Handler) breakpad(w http.ResponseWriter, r *http.Request) {
	rest := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch name, verb := cutLast(rest, ":"); {
	case strings.HasPrefix(name, "symbols/") && verb == "checkStatus":
		h.checkStatus(w, r, strings.TrimPrefix(name, "symbols/"))
	case name == "uploads" && verb == "create":
		h.create(w, r)
	case strings.HasPrefix(name, "uploads/") && verb == "complete":
		h.complete(w, r, strings.TrimPrefix(name, "uploads/"))
	case strings.HasPrefix(rest, "uploads/"):
		h.unnamed(w, r, strings.TrimPrefix(rest, "uploads/"))
	default:
		fail(w, http.StatusNotFound, "there is no such path")
	}
}

func cutLast(s, sep string) (before, after string) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):]
	}
	return s, ""
}

// symbolPath is the path of the symbol file that the client names.
func symbolPath(debugFile, debugID string, try bool) (store.Path, error) {
	p, err := store.ParsePath(debugFile + "/" + debugID + "/" + store.SymName(debugFile))
	p.Try = try
	return p, err
}

func (h *Handler) checkStatus(w http.ResponseWriter, r *http.Request, name string) {
	if !allowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	who := h.who(w, r)
	if who == nil {
		return
	}
	file, id, _ := strings.Cut(name, "/")
	p, err := symbolPath(file, id, who.tryOnly())
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid debug file or debug id")
		return
	}
	_, err = h.o.Store.Stat(r.Context(), p.String())
	if err != nil && !errors.Is(err, symbolcache.ErrNotFound) {
		h.o.Log.Error().Err(err).Msg("store not asked")
		fail(w, http.StatusServiceUnavailable, "the store does not answer: try again")
		return
	}
	status := "FOUND"
	if err != nil {
		status = "MISSING"
	}
	answer(w, http.StatusOK, map[string]string{"status": status})
}

func (h *Handler) create(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodPost) {
		return
	}
	who := h.who(w, r)
	if who == nil {
		return
	}
	u := &waiting{ID: newID(), By: who.public(), Try: who.tryOnly(), Replace: truth(r, "replace"), Until: h.o.Now().Add(h.o.Waits), Unnamed: true, Files: []waitingFile{{}}}
	at, _, err := h.o.Store.PutLink(r.Context(), store.Object{Path: u.incoming(0)}, h.o.Waits)
	if errors.Is(err, store.ErrNoLinks) {
		at, err = h.base(r)+"/v1/uploads/"+u.ID, nil
	}
	u.Aside = true // here too: its name comes last
	if err == nil {
		err = h.pending.add(r.Context(), u)
	}
	if err != nil {
		h.o.Log.Error().Err(err).Msg("upload not begun")
		fail(w, http.StatusServiceUnavailable, "the store does not answer: try again")
		return
	}
	answer(w, http.StatusOK, map[string]string{"uploadUrl": at, "uploadKey": u.ID})
}

// unnamed takes a file aside, where the store has no addresses of its own.
func (h *Handler) unnamed(w http.ResponseWriter, r *http.Request, id string) {
	if !allowed(w, r, http.MethodPut) {
		return
	}
	u := h.pending.find(id)
	if u == nil || !u.Unnamed || h.pending.over(u) {
		fail(w, http.StatusNotFound, noUpload)
		return
	}
	body := &sizing{r: paced(w, r), left: h.o.MaxFileBytes}
	err := h.o.Store.Put(r.Context(), store.Object{Path: u.incoming(0)}, body)
	switch {
	case errors.Is(body.err, errTooLarge):
		fail(w, http.StatusRequestEntityTooLarge, body.err.Error())
	case body.err != nil:
		fail(w, http.StatusBadRequest, "the file was cut short")
	case err != nil:
		h.o.Log.Error().Err(err).Msg("uploaded file not kept")
		fail(w, http.StatusServiceUnavailable, "the file could not be kept now: send it again")
	default:
		w.WriteHeader(http.StatusOK)
	}
}

func (h *Handler) complete(w http.ResponseWriter, r *http.Request, id string) {
	if !allowed(w, r, http.MethodPost) {
		return
	}
	who := h.who(w, r)
	if who == nil {
		return
	}
	u := h.pending.find(id)
	if u == nil || !u.Unnamed || u.By.Name != who.Name {
		fail(w, http.StatusNotFound, noUpload)
		return
	}
	var what struct {
		SymbolID struct {
			DebugFile string `json:"debug_file"`
			DebugID   string `json:"debug_id"`
		} `json:"symbol_id"`
	}
	text, err := io.ReadAll(io.LimitReader(paced(w, r), maxCompleteBytes))
	if err != nil || json.Unmarshal(text, &what) != nil {
		fail(w, http.StatusBadRequest, "malformed JSON request body")
		return
	}
	p, err := symbolPath(what.SymbolID.DebugFile, what.SymbolID.DebugID, u.Try)
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid debug file or debug id")
		return
	}
	result := h.pending.named(r.Context(), u, p)
	switch {
	case errors.Is(result.failed, errNotCome):
		fail(w, http.StatusBadRequest, errNotCome.Error())
	case h.notKept(w, result):
	case result.Status == Same:
		answer(w, http.StatusOK, map[string]any{"result": "DUPLICATE_DATA", "file": result})
	default:
		answer(w, http.StatusOK, map[string]any{"result": "OK", "file": result})
	}
}
