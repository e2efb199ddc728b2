package upload

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"aftershock/symbolserver/store"
)

const (
	// MaxManifest files are in a list, as Mozilla's server has it, and maxManifestBytes are read.
	MaxManifest      = 1024
	maxManifestBytes = 1 << 20
	// maxWait is how long a client may wait for what becomes of its files.
	maxWait = 25 * time.Second
)

// noUpload is the answer about an upload that nobody began, or somebody else.
const noUpload = "no such upload: it is over, or was never begun"

// listed is a file that a client wants to send.
type listed struct {
	Key  string `json:"key"`
	Size int64  `json:"size"`
	MD5  string `json:"md5_hash"`
	// SHA256 is ours: with it a file that is there need not be sent.
	SHA256 string `json:"sha256"`
}

// action is what is to be done with a listed file.
type action struct {
	Type     string            `json:"type"` // upload, skip, error
	Message  string            `json:"msg,omitempty"`
	URL      string            `json:"url,omitempty"`
	Encoding string            `json:"content_encoding,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
}

type keyed struct {
	Key    string `json:"key"`
	Action action `json:"action"`
}

// v2 takes a list of files, and answers for each where it is to be put.
func (h *Handler) v2(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodPost) {
		return
	}
	who := h.who(w, r)
	if who == nil {
		return
	}
	files, packed, err := manifest(paced(w, r))
	if err != nil {
		h.o.Metrics.refused("manifest")
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	now := h.o.Now().UTC()
	u := &waiting{ID: newID(), By: who.public(), Try: who.tryOnly() || truth(r, "try"), Replace: truth(r, "replace"), Until: now.Add(h.o.Waits), packed: h.packing(packed)}
	if !who.may(u.Try) {
		h.forbid(w, r, "Forbidden")
		return
	}
	actions := make([]keyed, len(files))
	for i, f := range files {
		actions[i].Key = f.Key
		if actions[i].Action, err = h.action(r, u, f); err != nil {
			h.o.Log.Error().Err(err).Msg("upload not begun")
			fail(w, http.StatusServiceUnavailable, "the store does not answer: try again")
			return
		}
	}
	if err := h.pending.add(r.Context(), u); err != nil {
		h.o.Log.Error().Err(err).Msg("upload not begun")
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	answer(w, http.StatusCreated, map[string]any{
		"id": u.ID, "created_at": float64(now.UnixMilli()) / 1000, "user": who.Name, "try_symbols": u.Try, "upload_protocol": "put", "files": actions,
	})
}

// packing is how symbol files are to be sent by a client that knows some encodings: as they are
// stored, so that they need not be packed again; else as it is least work to unpack. Mozilla's clients know
// gzip, and do not say so.
func (h *Handler) packing(known []string) string {
	for _, encoding := range []string{h.o.Encoding, store.Zstd} {
		if encoding != store.Identity && slices.Contains(known, encoding) {
			return encoding
		}
	}
	return store.Gzip
}

// manifest reads the list, and which encodings its sender knows.
func manifest(body io.Reader) (files []listed, encodings []string, err error) {
	var list struct {
		Files     []listed `json:"files"`
		Encodings []string `json:"encodings"`
	}
	text, err := io.ReadAll(io.LimitReader(body, maxManifestBytes+1))
	switch {
	case err != nil:
		return nil, nil, errors.New("the request was cut short")
	case len(text) > maxManifestBytes:
		return nil, nil, fmt.Errorf("too many files: want at most %d, and %d bytes", MaxManifest, maxManifestBytes)
	case json.Unmarshal(text, &list) != nil || list.Files == nil:
		return nil, nil, errors.New("malformed JSON request body")
	case len(list.Files) > MaxManifest:
		return nil, nil, fmt.Errorf("too many files: want at most %d", MaxManifest)
	}
	return list.Files, list.Encodings, nil
}

func newID() string {
	var id [16]byte
	rand.Read(id[:]) // it never fails
	return hex.EncodeToString(id[:])
}

// lowerHex tells whether a digest is written as Mozilla's server wants it.
func lowerHex(digest string, digits int) bool {
	return len(digest) == digits && strings.Trim(digest, "0123456789abcdef") == ""
}

// action says what is to be done with a file, and lets it wait if it is to be sent.
func (h *Handler) action(r *http.Request, u *waiting, f listed) (action, error) {
	p, err := store.ParsePath(f.Key)
	switch {
	case err != nil || p.Try:
		return action{Type: "error", Message: "invalid key"}, nil //nolint:nilerr // the answer says it
	case f.MD5 != "" && !lowerHex(f.MD5, 32):
		return action{Type: "error", Message: "invalid MD5 hex digest"}, nil
	case f.SHA256 != "" && !lowerHex(f.SHA256, 64):
		return action{Type: "error", Message: "invalid SHA-256 hex digest"}, nil
	case f.MD5 == "" && f.SHA256 == "":
		return action{Type: "error", Message: "want md5_hash or sha256"}, nil
	case f.Size < 0 || f.Size > h.o.MaxContentBytes:
		return action{Type: "error", Message: fmt.Sprintf("invalid size: want at most %d bytes", h.o.MaxContentBytes)}, nil
	}
	p.Try = u.Try
	var was *store.Object
	if f.SHA256 != "" {
		if was, err = h.there(r.Context(), p); err != nil {
			return action{}, err
		}
	}
	// As place has it: what expires by its time is put anew, and an upstream's gives way.
	switch {
	case was == nil || was.OfUpstream():
	case was.SHA256 == f.SHA256 && !p.Try:
		return action{Type: "skip"}, nil
	case was.SHA256 != f.SHA256 && !u.Replace:
		return action{Type: "error", Message: otherFile(*was, f.SHA256)}, nil
	}
	n := len(u.Files)
	u.Files = append(u.Files, waitingFile{Path: p.String(), MD5: f.MD5, SHA256: f.SHA256})
	a := action{Type: "upload"}
	if p.IsSym() {
		a.Encoding = u.packed // what comes is looked at
	}
	a.URL, a.Headers, err = h.o.Store.PutLink(r.Context(), store.Object{Path: u.incoming(n)}, h.o.Waits)
	if errors.Is(err, store.ErrNoLinks) {
		a.URL, err = h.base(r)+"/upload/v2/"+u.ID+"/"+strconv.Itoa(n), nil
	} else {
		u.Aside = true
	}
	return a, err
}

// base is where clients find this server.
func (h *Handler) base(r *http.Request) string {
	if h.o.URL != "" {
		return strings.TrimRight(h.o.URL, "/")
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// v2Put takes a file, where the store has no addresses of its own; and with POST it is told
// that a file lies at the address that was given for it. The id is known to who began the
// upload alone, so that it stands for the token.
func (h *Handler) v2Put(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodPut, http.MethodPost) {
		return
	}
	u := h.pending.find(r.PathValue("id"))
	n, err := strconv.Atoi(r.PathValue("n"))
	if u == nil || err != nil || n < 0 || n >= len(u.Files) {
		fail(w, http.StatusNotFound, noUpload)
		return
	}
	var result Result
	if r.Method == http.MethodPost {
		result = h.pending.arrived(r.Context(), u, n)
	} else {
		result = h.pending.put(r.Context(), u, n, paced(w, r), r.Header.Get("Content-Encoding"))
	}
	if !h.notKept(w, result) {
		answer(w, http.StatusOK, map[string]any{"file": result})
	}
}

// notKept answers about a file that was refused, or could not be kept; false: it was kept, and
// nothing is answered.
func (h *Handler) notKept(w http.ResponseWriter, r Result) bool {
	switch {
	case r.failed != nil:
		h.failed(w, r)
	case r.Status == Refused:
		answer(w, http.StatusBadRequest, map[string]any{"error": r.Message, "file": r})
	default:
		return false
	}
	return true
}

// failed answers about a file that the store did not take.
func (h *Handler) failed(w http.ResponseWriter, r Result) {
	h.o.Log.Error().Err(r.failed).Str("key", r.Key).Msg("uploaded file not kept")
	failf(w, http.StatusServiceUnavailable, "%s could not be kept now: send it again", r.Key)
}

// v2Status says what became of the files of an upload. With wait it is answered when all have
// come, or after a while.
func (h *Handler) v2Status(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	who := h.who(w, r)
	if who == nil {
		return
	}
	u := h.pending.find(r.PathValue("id"))
	if u == nil || u.By.Name != who.Name {
		fail(w, http.StatusNotFound, noUpload)
		return
	}
	wait := time.Duration(0)
	if truth(r, "wait") {
		wait = maxWait
	}
	results, done := h.pending.results(r.Context(), u, wait)
	answer(w, http.StatusOK, map[string]any{"id": u.ID, "done": done, "files": results})
}
