package symbolserver

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"aftershock/symbolserver/store"
)

// maxRecodings bounds the files that are packed again at a time: each takes a processor,
// and up to a large window of memory. Who comes later waits.
const maxRecodings = 4

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
