package symbolserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"aftershock/symbolserver/store"
)

// file is what is handed out.
type file struct {
	store.Object
	content  io.Reader // nil for HEAD; an io.ReadSeeker unless it is arriving
	arriving bool      // it comes from an upstream: its size may be unknown, and it is not checked yet
}

// etag tells contents apart: strong for the content itself, weak for an encoding of it.
func (f *file) etag(encoding string) string {
	tag := `"` + f.SHA256 + `"`
	if f.SHA256 == "" {
		return fmt.Sprintf(`W/"%x-%x"`, f.Bytes, f.Modified.UnixNano())
	}
	if encoding != store.Identity {
		return "W/" + tag
	}
	return tag
}

// serve hands out a file in the encoding that it has if the client takes it, else in
// another one.
func (s *Server) serve(a *answer, r *http.Request, p store.Path, f file) {
	h := a.Header()
	h.Set("Vary", "Accept-Encoding")
	h.Set("Content-Type", "application/octet-stream")
	if p.IsSym() {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	encoding := choose(r, f.Encoding)
	if !f.arriving {
		h.Set("ETag", f.etag(encoding))
		h.Set("Last-Modified", f.Modified.UTC().Format(http.TimeFormat))
	}
	if p.Kind == store.ByBuildID {
		debuginfod(h, p, f)
	}
	if encoding != store.Identity {
		h.Set("Content-Encoding", encoding)
	}
	content, seeks := f.content.(io.ReadSeeker)
	switch {
	case !f.arriving && sameTag(r, f.etag(encoding)):
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		a.WriteHeader(http.StatusNotModified)
	case seeks && !f.arriving && f.Encoding == store.Identity:
		http.ServeContent(a, r, "", f.Modified, content)
	case r.Method == http.MethodHead:
		f.sizeHeaders(h, encoding)
		a.WriteHeader(http.StatusOK)
	default:
		s.stream(a, r, f, encoding)
	}
}

// sizeHeaders say how long the answer is, where that is known.
func (f *file) sizeHeaders(h http.Header, encoding string) {
	if encoding == f.Encoding && f.Bytes >= 0 {
		h.Set("Content-Length", strconv.FormatInt(f.Bytes, 10))
	}
	if f.Encoding == store.Identity && !f.arriving {
		h.Set("Accept-Ranges", "bytes")
	}
}

// stream sends a file from its start to its end.
func (s *Server) stream(a *answer, r *http.Request, f file, encoding string) {
	f.sizeHeaders(a.Header(), encoding)
	a.flushes = f.arriving
	if f.Encoding == encoding {
		if _, err := io.Copy(a, f.content); err != nil {
			abort()
		}
		return
	}
	t := s.turn(r, f.Encoding, encoding)
	if t.take() != nil {
		abort()
	}
	defer t.give()
	content := bufio.NewReaderSize(turnReader{t, f.content}, sentBytes)
	if err := recode(turnWriter{t, a}, encoding, content, f.Encoding); err != nil {
		abort()
	}
}

// debuginfod are the headers that its clients look at: they show how far they are, and
// give up what is larger than their users want.
func debuginfod(h http.Header, p store.Path, f file) {
	name := p.ID
	if p.Leaf == store.DebugInfo {
		name += ".debug"
	}
	h.Set("X-DEBUGINFOD-FILE", name)
	if f.Encoding == store.Identity && f.Bytes >= 0 {
		h.Set("X-DEBUGINFOD-SIZE", strconv.FormatInt(f.Bytes, 10))
	}
}

// sameTag tells whether the client has the file already.
func sameTag(r *http.Request, etag string) bool {
	for _, tag := range strings.Split(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || tag != "" && strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// sniff looks at the first bytes of a symbol file.
func sniff(content store.Content) (string, error) {
	head := make([]byte, 4)
	n, err := io.ReadFull(content, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	_, err = content.Seek(0, io.SeekStart)
	return store.Sniff(head[:n]), err
}
