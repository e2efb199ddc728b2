package send

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"aftershock/symbolserver/store"
)

// Sender uploads files to a symbol server. It may be used once.
type Sender struct {
	// URL is the server's, and Token what it knows us by.
	URL, Token string
	// Try puts files into the tier of tried builds, Replace in place of others.
	Try, Replace bool
	// Parallel is how many files are sent at a time.
	Parallel int
	Client   *http.Client
	// Done hears what became of each file, as soon as it is known. It is called by one goroutine at a
	// time.
	Done func(File, Outcome)
	// Sending may wrap what is sent, to watch it; nil: nobody does. It is called from many goroutines.
	Sending func(File, io.Reader) io.Reader
}

// Outcome is what became of a file.
type Outcome struct {
	Status   string   `json:"status"` // kept, same, replaced, error
	Message  string   `json:"msg,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	Sent     int64    `json:"sent"` // bytes
}

// Failed tells whether the file is not there.
func (o Outcome) Failed() bool { return o.Status == "error" }

const (
	// listed files are asked for at a time: few enough to begin soon, and below any server's bound.
	listed = 200
	// A request that fails for a passing reason is made so often, with growing pauses.
	maxTries   = 5
	firstPause = 500 * time.Millisecond
	// maxAnswerBytes of an answer are read.
	maxAnswerBytes = 16 << 20
)

// refusedError is an answer that trying again does not change.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

// Send uploads the files that the server lacks. The error is about the whole: what became of
// each file Done has heard.
func (s *Sender) Send(ctx context.Context, files []File) error {
	var mu sync.Mutex
	done := func(f File, o Outcome) {
		mu.Lock()
		defer mu.Unlock()
		s.Done(f, o)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.Parallel)
	for from := 0; from < len(files); from += listed {
		some := files[from:min(from+listed, len(files))]
		l, err := s.list(ctx, some)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		place := 0 // among those that are to be sent
		for i, f := range some {
			switch a := l.Files[i].Action; a.Type {
			case "skip":
				done(f, Outcome{Status: "same"})
			case "upload":
				n := place
				place++
				g.Go(func() error {
					o, err := s.one(ctx, l.ID, n, f, a)
					if err != nil {
						o = Outcome{Status: "error", Message: err.Error()}
					}
					done(f, o)
					return ctx.Err()
				})
			default:
				done(f, Outcome{Status: "error", Message: a.Message})
			}
		}
	}
	return g.Wait()
}

// list is a server's answer to a list of files.
type list struct {
	ID    string `json:"id"`
	Files []struct {
		Key    string `json:"key"`
		Action action `json:"action"`
	} `json:"files"`
}

type action struct {
	Type     string            `json:"type"`
	Message  string            `json:"msg"`
	URL      string            `json:"url"`
	Encoding string            `json:"content_encoding"`
	Headers  map[string]string `json:"headers"`
}

// list asks which of the files are to be sent, and where.
func (s *Sender) list(ctx context.Context, files []File) (*list, error) {
	type item struct {
		Key    string `json:"key"`
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
	}
	items := make([]item, len(files))
	for i, f := range files {
		items[i] = item{f.Path.String(), f.Bytes, f.SHA256}
	}
	body, err := json.Marshal(map[string]any{"files": items, "encodings": []string{store.Gzip, store.Zstd}})
	if err != nil {
		return nil, err
	}
	q := url.Values{}
	if s.Try {
		q.Set("try", "1")
	}
	if s.Replace {
		q.Set("replace", "1")
	}
	var l list
	err = s.again(ctx, func() error {
		return s.call(ctx, http.MethodPost, s.at("/upload/v2/")+"?"+q.Encode(), bytes.NewReader(body), &l)
	})
	if err == nil && len(l.Files) != len(files) {
		err = fmt.Errorf("the server answers for %d files of %d: is it a symbol server that knows upload/v2?", len(l.Files), len(files))
	}
	return &l, err
}

func (s *Sender) at(path string) string { return strings.TrimRight(s.URL, "/") + path }

// one sends a file, and hears what became of it.
func (s *Sender) one(ctx context.Context, id string, n int, f File, a action) (Outcome, error) {
	var o struct {
		File Outcome `json:"file"`
	}
	told := fmt.Sprintf("%s/%d", s.at("/upload/v2/"+id), n)
	own := strings.HasSuffix(a.URL, fmt.Sprintf("/upload/v2/%s/%d", id, n)) // the server's own address: its answer says all
	var sent int64
	err := s.again(ctx, func() error {
		var answer any
		if own {
			answer = &o
		}
		var err error
		sent, err = s.put(ctx, f, a, answer)
		return err
	})
	if err == nil && !own {
		err = s.again(ctx, func() error { return s.call(ctx, http.MethodPost, told, nil, &o) })
	}
	o.File.Sent = sent
	return o.File, err
}

// put sends a file to where it is to be put.
func (s *Sender) put(ctx context.Context, f File, a action, answer any) (int64, error) {
	file, err := os.Open(f.Name)
	if err != nil {
		return 0, &refusedError{err.Error()}
	}
	defer file.Close() //nolint:errcheck // opened for reading
	info, err := file.Stat()
	if err != nil {
		return 0, &refusedError{err.Error()}
	}
	body, bytes, encoding := io.Reader(file), info.Size(), ""
	switch {
	case f.Encoding != store.Identity:
		encoding = f.Encoding
	case f.Path.IsSym() && (a.Encoding == store.Gzip || a.Encoding == store.Zstd):
		packed, err := pack(file, a.Encoding)
		if err != nil {
			return 0, &refusedError{err.Error()}
		}
		defer packed.Close() //nolint:errcheck // it has no name any more
		if bytes, err = packed.Seek(0, io.SeekEnd); err == nil {
			_, err = packed.Seek(0, io.SeekStart)
		}
		if err != nil {
			return 0, &refusedError{err.Error()}
		}
		body, encoding = packed, a.Encoding
	}
	if s.Sending != nil {
		body = s.Sending(f, body)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, a.URL, io.NopCloser(body))
	if err != nil {
		return 0, &refusedError{"the server answers with an address that is none"}
	}
	req.ContentLength = bytes // S3 wants to know
	if bytes == 0 {
		req.Body = http.NoBody
	}
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	for name, value := range a.Headers {
		req.Header.Set(name, value)
	}
	return bytes, s.do(req, answer)
}

// pack writes a symbol file, packed, to one without a name: S3 wants to know its size.
func pack(from io.Reader, encoding string) (*os.File, error) {
	f, err := os.CreateTemp("", "upload-")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name()) //nolint:errcheck,gosec // its bytes go when it is closed
	var z io.WriteCloser
	if encoding == store.Zstd {
		z, err = zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	} else {
		z, err = gzip.NewWriterLevel(f, gzip.BestSpeed)
	}
	if err == nil {
		_, err = io.Copy(z, from)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// call makes a request to the server itself.
func (s *Sender) call(ctx context.Context, method, at string, body io.Reader, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return &refusedError{err.Error()}
	}
	req.Header.Set("Auth-Token", s.Token)
	req.Header.Set("User-Agent", "aftershock")
	return s.do(req, answer)
}

// do makes a request. An error that is no refusedError may pass.
func (s *Sender) do(req *http.Request, answer any) error {
	client := *s.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // who is elsewhere would get the token
	res, err := client.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) { // its address may be signed
			err = of.Err
		}
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read below
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes))
	switch {
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("%s: %s", res.Status, said(text))
	case res.StatusCode == http.StatusForbidden && res.Request.Header.Get("Auth-Token") != "":
		return &refusedError{"the server does not take the token: " + said(text)}
	case res.StatusCode >= http.StatusBadRequest && !ours(text):
		return &refusedError{fmt.Sprintf("%s: %s: is it a symbol server that takes uploads (--tokens)?", res.Status, said(text))}
	case res.StatusCode >= http.StatusBadRequest:
		return &refusedError{said(text)}
	case res.StatusCode >= http.StatusMultipleChoices:
		return &refusedError{"the server sends us elsewhere, where the token does not go: " + res.Status}
	case err != nil:
		return err
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return &refusedError{"the answer is no JSON: is it a symbol server?"}
	}
	return nil
}

// maxSaidBytes of an answer that is no JSON are repeated.
const maxSaidBytes = 200

// said is what an answer says of an error.
func said(text []byte) string {
	if e := errorOf(text); e != "" {
		return e
	}
	return fmt.Sprintf("%q", text[:min(len(text), maxSaidBytes)])
}

// errorOf is the error that a symbol server names.
func errorOf(text []byte) string {
	var e struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &e) != nil {
		return ""
	}
	return e.Error
}

// ours tells whether a symbol server said it, and not who knows nothing of uploads. What says
// nothing, or speaks XML, is the store.
func ours(text []byte) bool { return len(text) == 0 || text[0] == '<' || errorOf(text) != "" }

// again tries until it succeeds, is refused, or has failed too often.
func (s *Sender) again(ctx context.Context, try func() error) error {
	for n, pause := 1, firstPause; ; n, pause = n+1, 2*pause {
		err := try()
		var refused *refusedError
		if err == nil || errors.As(err, &refused) || n == maxTries || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause + rand.N(pause/2)): //nolint:gosec // not a secret
		}
	}
}
