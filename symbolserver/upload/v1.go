package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
)

const (
	// maxParts of a form are looked at, and maxFieldBytes of a field read.
	maxParts      = 20
	maxFieldBytes = 8 << 10
)

// uploaded is the answer to a zip, as Mozilla's server writes it, and what became of each file.
type uploaded struct {
	ID          int64     `json:"id"`
	Size        int64     `json:"size"`
	Filename    string    `json:"filename"`
	Bucket      string    `json:"bucket"`
	DownloadURL *string   `json:"download_url"`
	Try         bool      `json:"try_symbols"`
	Redirects   []string  `json:"redirect_urls"`
	CompletedAt time.Time `json:"completed_at"`
	CreatedAt   time.Time `json:"created_at"`
	User        string    `json:"user"`
	Skipped     []string  `json:"skipped_keys"`
	Files       []Result  `json:"files"`
}

// v1 takes a zip of symbol files, or its address.
func (h *Handler) v1(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodPost) {
		return
	}
	who := h.who(w, r)
	if who == nil {
		return
	}
	u := &uploaded{CreatedAt: h.o.Now().UTC(), User: who.Name, Try: who.tryOnly() || truth(r, "try"), Bucket: h.o.Store.Name(), Redirects: []string{}, Skipped: []string{}}
	u.ID = u.CreatedAt.UnixMicro()
	if !who.may(u.Try) {
		h.forbid(w, r, "Forbidden")
		return
	}
	r.Body = io.NopCloser(paced(w, r))
	zip, err := h.zipOf(r, u)
	if err != nil {
		h.refuse(w, err)
		return
	}
	defer zip.Close() //nolint:errcheck // it has no name any more
	u.Files, err = h.unzip(r.Context(), zip, u.Size, who, u.Try, truth(r, "replace"))
	if err != nil {
		h.refuse(w, err)
		return
	}
	h.finish(w, r, who, u)
}

// truth is a parameter that is set.
func truth(r *http.Request, name string) bool {
	q := r.URL.Query()
	return q.Has(name) && q.Get(name) != "0" && q.Get(name) != "false"
}

// finish answers with what became of the files.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, who *Token, u *uploaded) {
	untold := h.told(r.Context(), who.Name, u.Files)
	var first *Result
	refused := 0
	for i := range u.Files {
		f := &u.Files[i]
		if f.failed != nil {
			h.failed(w, *f)
			return
		}
		switch f.Status {
		case Same:
			u.Skipped = append(u.Skipped, f.Key)
		case Refused:
			if refused++; first == nil {
				first = f
			}
		}
	}
	u.CompletedAt = h.o.Now().UTC()
	others := ", the others are kept"
	if refused == len(u.Files) {
		others = ""
	}
	switch {
	case refused > 0:
		answer(w, http.StatusBadRequest, map[string]any{
			"error":  fmt.Sprintf("%d of %d files were refused%s; the first: %s: %s", refused, len(u.Files), others, first.Key, first.Message),
			"upload": u,
		})
	case untold != nil:
		fail(w, http.StatusServiceUnavailable, untold.Error())
	default:
		answer(w, http.StatusCreated, map[string]any{"upload": u})
	}
}

// refuse answers for a zip that was not looked at, or is refused as a whole.
func (h *Handler) refuse(w http.ResponseWriter, err error) {
	var bad *badZipError
	var remote *remoteError
	switch {
	case errors.As(err, &bad):
		h.o.Metrics.refused("zip")
		fail(w, http.StatusBadRequest, bad.text)
	case errors.As(err, &remote):
		h.o.Metrics.refused("url")
		fail(w, remote.status, remote.text)
	case errors.Is(err, errTooLarge):
		h.o.Metrics.refused("zip")
		failf(w, http.StatusRequestEntityTooLarge, "a zip of more than %d bytes: send several", h.o.MaxZipBytes)
	default:
		h.o.Log.Warn().Err(err).Msg("upload not read")
		fail(w, http.StatusServiceUnavailable, "the upload could not be read to its end: send it again")
	}
}

// zipOf is the zip that a form holds, or of which it holds the address, in a file without a
// name.
func (h *Handler) zipOf(r *http.Request, u *uploaded) (*os.File, error) {
	form, err := r.MultipartReader()
	if err != nil {
		if address := r.PostFormValue("url"); address != "" {
			return h.fetch(r.Context(), address, u)
		}
		return nil, badZip("Must be multipart form data with at least one file")
	}
	for range maxParts {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, badZip("the form data is damaged or cut short")
		}
		switch {
		case part.FormName() == "url" && part.FileName() == "":
			address, err := io.ReadAll(io.LimitReader(part, maxFieldBytes))
			if err != nil {
				return nil, badZip("the form data is damaged or cut short")
			}
			return h.fetch(r.Context(), strings.TrimSpace(string(address)), u)
		case part.FileName() != "":
			return h.zipPart(r.Context(), part, u)
		}
	}
	return nil, badZip("Must be multipart form data with at least one file")
}

// zipPart writes the first file of a form aside.
func (h *Handler) zipPart(ctx context.Context, part *multipart.Part, u *uploaded) (*os.File, error) {
	u.Filename = path.Base(part.FileName())
	if ending := path.Ext(u.Filename); ending != ".zip" {
		return nil, badZip("Unrecognized archive file extension %q", ending)
	}
	return h.aside(ctx, part, u)
}

// aside writes a zip to a file without a name.
func (h *Handler) aside(ctx context.Context, body io.Reader, u *uploaded) (f *os.File, err error) {
	f, u.Size, err = h.whole(body, h.o.MaxZipBytes)
	if err != nil {
		return nil, err
	}
	if err = ctx.Err(); u.Size == 0 {
		err = badZip("File is not a zip file")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// whole writes what is sent to a file without a name: who sends slowly keeps nobody waiting.
func (h *Handler) whole(body io.Reader, most int64) (f *os.File, bytes int64, err error) {
	f, err = os.CreateTemp(h.o.Folder, "upload-")
	if err != nil {
		return nil, 0, err
	}
	os.Remove(f.Name()) //nolint:errcheck,gosec // its bytes go when it is closed
	sized := &sizing{r: body, left: most}
	bytes, err = io.Copy(f, sized)
	if sized.err != nil {
		err = sized.err
	}
	if err != nil {
		return nil, bytes, errors.Join(err, f.Close())
	}
	return f, bytes, nil
}
