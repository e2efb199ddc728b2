package collector

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/schema"
)

// BenchmarkSmallReport takes what most clients send: 40 annotations as JSON and a dump of
// 20 kB. Nothing is stored; what it allocates is what each report costs the collector of
// garbage.
func BenchmarkSmallReport(b *testing.B) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="extra"; filename="extra.json"`}, "Content-Type": {"application/json"}})
	if err != nil {
		b.Fatal(err)
	}
	part.Write([]byte(`{"ProductName":"Firefox","ReleaseChannel":"nightly","Version":"152.0a1"`)) //nolint:errcheck,gosec // in memory
	for i := range 37 {
		fmt.Fprintf(part, `,"Annotation%d":"some value of %d"`, i, i*i) //nolint:errcheck // in memory
	}
	part.Write([]byte(`}`)) //nolint:errcheck,gosec // in memory
	if part, err = form.CreateFormFile("upload_file_minidump", "d"); err != nil {
		b.Fatal(err)
	}
	part.Write(stackLike()[:20_000]) //nolint:errcheck,gosec // in memory
	form.Close()                     //nolint:gosec // in memory
	c := New(Options{
		Append: func(_ context.Context, raw *schema.RawCrash) error {
			_, err := schema.Encode(raw)
			return err
		},
		Blobs: nowhere{}, Annotations: schema.DefaultRegistry, InlineMax: -1, Now: time.Now, Log: zerolog.Nop(), Metrics: prometheus.NewRegistry(),
	})
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/submit", bytes.NewReader(body.Bytes()))
		r.Header.Set("Content-Type", form.FormDataContentType())
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}
