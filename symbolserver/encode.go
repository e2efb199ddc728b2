package symbolserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"aftershock/symbolserver/store"
)

const (
	// maxRecodings bounds the files that are packed again, and those that are unpacked, at a
	// time: each takes a processor. Who comes later waits.
	maxRecodings = 4
	// sentBytes are read at a time for it.
	sentBytes = 64 << 10
)

// turn is a place among those who pack, or unpack. Of what takes little memory it is given up
// while a client is sent to and a source is waited for: neither can keep others from it.
type turn struct {
	places chan struct{}
	over   context.Context //nolint:containedctx // of the request
	light  bool
	held   bool
}

// turn is one for a file that is sent in another encoding. Unpacking gzip, for clients that
// take nothing else than the text, takes no more than a connection does.
func (s *Server) turn(r *http.Request, from, to string) *turn {
	if from == store.Gzip && to == store.Identity {
		return &turn{places: s.unpacking, over: r.Context(), light: true}
	}
	return &turn{places: s.recoding, over: r.Context()}
}

func (t *turn) take() error {
	select {
	case t.places <- struct{}{}:
		t.held = true
		return nil
	case <-t.over.Done():
		return t.over.Err()
	}
}

func (t *turn) give() {
	if t.held {
		t.held = false
		<-t.places
	}
}

// without does something that others need not wait for.
func (t *turn) without(do func() (int, error)) (int, error) {
	if !t.light {
		return do()
	}
	t.give()
	n, err := do()
	if again := t.take(); err == nil {
		err = again
	}
	return n, err
}

type turnReader struct {
	t *turn
	r io.Reader
}

func (r turnReader) Read(p []byte) (int, error) {
	return r.t.without(func() (int, error) { return r.r.Read(p) })
}

type turnWriter struct {
	t *turn
	w io.Writer
}

func (w turnWriter) Write(p []byte) (int, error) {
	return w.t.without(func() (int, error) { return w.w.Write(p) })
}

// accepts tells whether a client takes an encoding. One that says nothing takes none.
func accepts(r *http.Request, encoding string) bool {
	if encoding == store.Identity {
		return true // nobody minds
	}
	others := false
	for _, item := range strings.Split(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, parameters, _ := strings.Cut(item, ";")
		wanted := quality(parameters) > 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case encoding, "x-" + encoding:
			return wanted
		case "*":
			others = wanted
		}
	}
	return others
}

// quality is the q among an item's parameters.
func quality(parameters string) float64 {
	for _, p := range strings.Split(parameters, ";") {
		if value, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "q="); ok {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}

// choose is the encoding of an answer: the one that the file has if the client takes it. A
// file that is not encoded stays so: packing it takes longer than sending it, mostly.
func choose(r *http.Request, has string) string {
	for _, encoding := range []string{has, store.Gzip, store.Zstd} {
		if accepts(r, encoding) {
			return encoding
		}
	}
	return store.Identity
}

// recode writes content of one encoding in another.
func recode(w io.Writer, to string, content io.Reader, from string) error {
	text, err := store.Decode(content, from)
	if err != nil {
		return err
	}
	defer text.Close() //nolint:errcheck // opened for reading
	var packed io.WriteCloser
	switch to {
	case store.Gzip:
		packed, err = gzip.NewWriterLevel(w, gzip.BestSpeed)
	case store.Zstd:
		packed, err = zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	default:
		_, err = io.Copy(w, text)
		return err
	}
	if err != nil {
		return err
	}
	if _, err := io.Copy(packed, text); err != nil {
		return errors.Join(err, io.ErrUnexpectedEOF) // and no Close: an end would make it look whole
	}
	return packed.Close()
}
