package collector

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/schema"
)

// nowhere is a blob store that is always done.
type nowhere struct{}

func (nowhere) Put(context.Context, string, []byte) error { return nil }
func (nowhere) Get(context.Context, string, int64) ([]byte, error) {
	return nil, io.EOF
}

// stackLike is a dump of some 2 MB that gzip makes 600 kB of: words that repeat, and noise.
func stackLike() []byte {
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // repeatable
	words := make([]uint64, 4096)
	for i := range words {
		words[i] = r.Uint64() >> (r.IntN(4) * 16)
	}
	out := []byte("MDMP")
	for len(out) < 2_000_000 {
		w := words[r.IntN(len(words))] + uint64(r.IntN(3)*8)
		for range 8 {
			out = append(out, byte(w))
			w >>= 8
		}
		if r.IntN(3) == 0 {
			out = append(out, make([]byte, r.IntN(40))...)
		}
	}
	return out
}

// BenchmarkDoor takes a compressed report, and says how much more it costs than what
// nobody can do without: inflating, digesting and compressing the same bytes, in
// turns with it.
func BenchmarkDoor(b *testing.B) {
	dump := stackLike()
	var body, zipped bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("upload_file_minidump", "d")
	if err != nil {
		b.Fatal(err)
	}
	part.Write(dump) //nolint:errcheck,gosec // in memory
	for _, name := range []string{"ProductName", "Version", "BuildID", "Vendor"} {
		form.WriteField(name, "12") //nolint:errcheck,gosec // in memory
	}
	form.Close() //nolint:gosec // in memory
	z := gzip.NewWriter(&zipped)
	z.Write(body.Bytes()) //nolint:errcheck,gosec // in memory
	z.Close()             //nolint:gosec // in memory

	c := New(Options{
		Append: func(context.Context, *schema.RawCrash) error { return nil },
		Blobs:  nowhere{}, Annotations: schema.DefaultRegistry, InlineMax: -1, Now: time.Now, Log: zerolog.Nop(), Metrics: prometheus.NewRegistry(),
	})
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	inflater := new(kgzip.Reader)
	inflated := bytes.NewBuffer(make([]byte, 0, body.Len()+bytes.MinRead))
	stored := make([]byte, 0, body.Len())
	b.SetBytes(int64(zipped.Len()))
	b.ReportAllocs()
	var door, least time.Duration
	for b.Loop() {
		start := time.Now()
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/submit", bytes.NewReader(zipped.Bytes()))
		r.Header.Set("Content-Type", form.FormDataContentType())
		r.Header.Set("Content-Encoding", "gzip")
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
		door += time.Since(start)

		start = time.Now()
		inflated.Reset()
		if err := inflater.Reset(bytes.NewReader(zipped.Bytes())); err != nil {
			b.Fatal(err)
		}
		if _, err := inflated.ReadFrom(inflater); err != nil {
			b.Fatal(err)
		}
		sha256.Sum256(inflated.Bytes())
		stored = encoder.EncodeAll(inflated.Bytes(), stored[:0])
		least += time.Since(start)
	}
	b.ReportMetric(float64(door)/float64(least), "times-the-least")
	b.ReportMetric(float64(least.Milliseconds())/float64(b.N), "ms-least/op")
	b.ReportMetric(float64(zipped.Len()), "B-on-the-wire")
	b.ReportMetric(float64(len(stored)), "B-stored")
}
