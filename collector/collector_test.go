package collector_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"aftershock/blob"
	"aftershock/collector"
	"aftershock/internal/reference"
	"aftershock/schema"
)

// door is a collector whose raw topic is a slice.
type door struct {
	*httptest.Server
	blobs  blob.Store
	mu     sync.Mutex
	raw    []*schema.RawCrash
	refuse error // what Append answers
}

var received = time.Date(2026, 11, 22, 10, 0, 0, 123_456_789, time.UTC)

func open(t *testing.T, o collector.Options) *door {
	t.Helper()
	blobs, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return openWith(t, o, blobs, nil)
}

// openWith opens a door with a blob store and, instead of the slice, a raw topic.
func openWith(t *testing.T, o collector.Options, blobs blob.Store, appendRaw func(context.Context, *schema.RawCrash) error) *door {
	t.Helper()
	d := &door{blobs: blobs}
	o.Append = func(_ context.Context, raw *schema.RawCrash) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.refuse == nil {
			d.raw = append(d.raw, raw)
		}
		return d.refuse
	}
	if appendRaw != nil {
		o.Append = appendRaw
	}
	o.Blobs, o.Annotations, o.Log, o.Metrics = blobs, schema.DefaultRegistry, zerolog.Nop(), prometheus.NewRegistry()
	o.Now = func() time.Time { return received }
	d.Server = httptest.NewServer(collector.New(o))
	t.Cleanup(d.Close)
	return d
}

// form is a multipart body; a field whose name starts with @ is a file, with {
// a JSON part.
func form(t *testing.T, fields ...string) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for pair := range slices.Chunk(fields, 2) {
		name, value := pair[0], pair[1]
		var part io.Writer
		var err error
		switch {
		case strings.HasPrefix(name, "@"):
			part, err = w.CreateFormFile(name[1:], "x.dmp")
		case strings.HasPrefix(name, "{"):
			h := textproto.MIMEHeader{}
			h.Set("Content-Disposition", `form-data; name="extra"`)
			h.Set("Content-Type", "application/json")
			part, err = w.CreatePart(h)
		default:
			part, err = w.CreateFormField(name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

func zip(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// post sends a body; chunked hides its length from the client's HTTP library.
func (d *door) post(t *testing.T, body []byte, contentType, encoding string, chunked bool) (int, string) {
	t.Helper()
	var src io.Reader = bytes.NewReader(body)
	if chunked {
		src = struct{ io.Reader }{src}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL+"/submit", src)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	res, err := d.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// dumpBytes returns the original bytes of a dump, wherever they lie.
func (d *door) dumpBytes(t *testing.T, dump schema.Dump) []byte {
	t.Helper()
	b := dump.Inline
	if dump.Blob != nil {
		var err error
		if b, err = d.blobs.Get(t.Context(), *dump.Blob, 1<<30); err != nil {
			t.Fatal(err)
		}
	}
	if dump.Encoding == schema.EncodingZstd {
		z, err := zstd.NewReader(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		if b, err = z.DecodeAll(b, nil); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestAcceptsEveryWayToSend(t *testing.T) {
	dump := strings.Repeat("MDMP stack ", 500)
	asParts, partsType := form(t, "ProductName", "Fenix", "Version", "1.2", "@upload_file_minidump", dump)
	asJSON, jsonType := form(t, "{", `{"ProductName":"Fenix","Version":"1.2"}`, "@upload_file_minidump", dump)
	for name, tc := range map[string]struct {
		body              []byte
		kind, encoding    string
		chunked, wantJSON bool
	}{
		"with a length":         {asParts, partsType, "", false, false},
		"chunked":               {asParts, partsType, "", true, false},
		"gzip with a length":    {zip(t, asParts), partsType, "gzip", false, false},
		"gzip chunked":          {zip(t, asParts), partsType, "gzip", true, false},
		"JSON":                  {asJSON, jsonType, "", false, true},
		"JSON, gzip, chunked":   {zip(t, asJSON), jsonType, "gzip", true, true},
		"boundary in any place": {asParts, strings.Replace(partsType, "; ", "; charset=utf-8; ", 1), "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1})
			status, text := d.post(t, tc.body, tc.kind, tc.encoding, tc.chunked)
			if status != 200 || len(d.raw) != 1 {
				t.Fatalf("%d %q, %d events", status, text, len(d.raw))
			}
			raw := d.raw[0]
			if want := "CrashID=bp-" + raw.CrashID + "\n"; text != want || !strings.HasSuffix(raw.CrashID, "0261122") {
				t.Errorf("answer %q, crash id %s", text, raw.CrashID)
			}
			if d := cmp.Diff(map[string]string{"ProductName": "Fenix", "Version": "1.2"}, raw.Annotations); d != "" {
				t.Error(d)
			}
			if !raw.ReceivedAt.Equal(received.Truncate(time.Millisecond)) {
				t.Errorf("received at %v", raw.ReceivedAt)
			}
			if len(raw.Dumps) != 1 || raw.Dumps[0].Name != schema.MainDump || raw.Dumps[0].SHA256 != sha256.Sum256([]byte(dump)) {
				t.Fatalf("dumps %+v", raw.Dumps)
			}
			if got := d.dumpBytes(t, raw.Dumps[0]); string(got) != dump || raw.Dumps[0].Inline == nil {
				t.Errorf("dump of %d bytes", len(got))
			}
			if (raw.Payload.Kind == "json") != tc.wantJSON || raw.Payload.Gzip != (tc.encoding != "") || raw.Payload.Size != int64(len(tc.body)) {
				t.Errorf("payload %+v of %d bytes", raw.Payload, len(tc.body))
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	good, kind := form(t, "ProductName", "Fenix", "@upload_file_minidump", "MDMP")
	nothing, nothingKind := form(t)
	list, listKind := form(t, "{", `[1]`)
	broken, brokenKind := form(t, "{", `{"a":`)
	reserved, reservedKind := form(t, "@raw_crash", "x")
	zipped := zip(t, good)
	badSum := bytes.Clone(zipped)
	badSum[len(badSum)-6] ^= 1 // the checksum in gzip's trailer
	for name, tc := range map[string]struct {
		body           []byte
		kind, encoding string
		chunked        bool
		status         int
		reason         string
	}{
		"no content type":            {good, "", "", false, 400, schema.RejectNoContentType},
		"another content type":       {good, "text/plain", "", false, 400, schema.RejectWrongContentType},
		"no boundary":                {good, "multipart/form-data", "", false, 400, schema.RejectNoBoundary},
		"a boundary of 71":           {good, "multipart/form-data; boundary=" + strings.Repeat("b", 71), "", false, 400, schema.RejectNoBoundary},
		"no body":                    {nil, kind, "", false, 400, schema.RejectEmptyBody},
		"no body, chunked":           {nil, kind, "", true, 400, schema.RejectEmptyBody},
		"text":                       {[]byte("hello"), kind, "", false, 400, schema.RejectStructure},
		"nothing, compressed":        {zip(t, nil), kind, "gzip", false, 400, schema.RejectStructure},
		"no deflate":                 {good, kind, "deflate", false, 400, schema.RejectBadGzip},
		"no zstd":                    {good, kind, "zstd", false, 400, schema.RejectBadGzip},
		"cut before the end":         {good[:len(good)-20], kind, "", false, 400, schema.RejectTruncated},
		"cut, chunked":               {good[:len(good)-60], kind, "", true, 400, schema.RejectTruncated},
		"no gzip":                    {good, kind, "gzip", false, 400, schema.RejectBadGzip},
		"gzip cut":                   {zipped[:len(zipped)-9], kind, "gzip", true, 400, schema.RejectTruncated},
		"gzip with a bad checksum":   {badSum, kind, "gzip", true, 400, schema.RejectBadGzip},
		"an encoding it knows not":   {zipped, kind, "br", false, 400, schema.RejectStructure},
		"JSON that is no object":     {list, listKind, "", false, 400, schema.RejectJSONValue},
		"JSON that is none":          {broken, brokenKind, "", false, 400, schema.RejectJSON},
		"neither annotation or dump": {nothing, nothingKind, "", false, 400, schema.RejectTruncated},
		"cut behind the annotations": {[]byte("--b\r\nContent-Type: application/json\r\n\r\n{\"a\":1} "), "multipart/form-data; boundary=b", "", false, 400, schema.RejectTruncated},
		"cut among the annotations":  {[]byte("--b\r\nContent-Type: application/json\r\n\r\n{\"a\":1, "), "multipart/form-data; boundary=b", "", false, 400, schema.RejectTruncated},
		"a reserved dump name":       {reserved, reservedKind, "", false, 400, schema.RejectDumpName},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1})
			status, text := d.post(t, tc.body, tc.kind, tc.encoding, tc.chunked)
			if want := "Discarded=malformed_" + tc.reason; status != tc.status || text != want {
				t.Errorf("%d %q, want %d %q", status, text, tc.status, want)
			}
			if len(d.raw) != 0 {
				t.Error("an event was appended")
			}
		})
	}
}

func TestLimitsHoldAtTheLimitAndNotPastIt(t *testing.T) {
	limits := collector.Limits{BodyBytes: 20_000, InflatedBytes: 50_000, Parts: 5, SmallBytes: 1000, LargeReports: 1}
	noise := make([]byte, 20_000)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	exact := func(size int, fill func(n int) string) ([]byte, string) {
		empty, _ := form(t, "@d", "")
		return form(t, "@d", fill(size-len(empty)))
	}
	random := func(n int) string { return string(noise[:n]) }
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	fields := func(n int) []string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprint("a", i), "v")
		}
		return out
	}
	for name, tc := range map[string]struct {
		make   func() ([]byte, string)
		gzip   bool
		want   int
		reason string
	}{
		"the wire's limit":    {func() ([]byte, string) { return exact(20_000, random) }, false, 200, ""},
		"past the wire's":     {func() ([]byte, string) { return exact(20_001, random) }, false, 413, schema.RejectTooLarge},
		"the inflated limit":  {func() ([]byte, string) { return exact(50_000, zeros) }, true, 200, ""},
		"past the inflated":   {func() ([]byte, string) { return exact(50_001, zeros) }, true, 413, schema.RejectTooLarge},
		"as many parts":       {func() ([]byte, string) { return form(t, fields(5)...) }, false, 200, ""},
		"one part too many":   {func() ([]byte, string) { return form(t, fields(6)...) }, false, 400, schema.RejectTooManyParts},
		"a thousandfold bomb": {func() ([]byte, string) { return exact(10_000_000, zeros) }, true, 413, schema.RejectTooLarge},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s chunked=%v", name, chunked), func(t *testing.T) {
				d := open(t, collector.Options{InlineMax: -1, Limits: limits})
				body, kind := tc.make()
				encoding := ""
				if tc.gzip {
					body, encoding = zip(t, body), "gzip"
				}
				status, text := d.post(t, body, kind, encoding, chunked)
				if status != tc.want || tc.reason != "" && text != "Discarded=malformed_"+tc.reason {
					t.Errorf("%d %q, want %d", status, text, tc.want)
				}
				// The place of a large report is free again, whatever became of this one.
				small, kind := form(t, "@d", random(5000))
				if status, text := d.post(t, small, kind, "", false); status != 200 {
					t.Errorf("afterwards: %d %q", status, text)
				}
			})
		}
	}
}

func TestInlineMaxSendsDumpsToTheBlobStore(t *testing.T) {
	noise := make([]byte, 70_000)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		inlineMax, size int
		wantBlob        bool
	}{
		"every dump":     {0, 10, true},
		"at the default": {-1, collector.DefaultInlineMax, false},
		"past it":        {-1, collector.DefaultInlineMax + 1, true},
		"an empty dump":  {-1, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: tc.inlineMax})
			body, kind := form(t, "@upload_file_minidump", string(noise[:tc.size]))
			if status, text := d.post(t, body, kind, "", false); status != 200 {
				t.Fatalf("%d %q", status, text)
			}
			dump := d.raw[0].Dumps[0]
			if (dump.Blob != nil) != tc.wantBlob || !bytes.Equal(d.dumpBytes(t, dump), noise[:tc.size]) {
				t.Errorf("blob %v, inline %d bytes", dump.Blob, len(dump.Inline))
			}
		})
	}
}

// Large dumps are compressed piece by piece.
func TestDumpOfSeveralPiecesIsKeptWhole(t *testing.T) {
	dump := []byte(noise(t, 9<<20))
	copy(dump[5<<20:], make([]byte, 3<<20)) // a part that can be compressed
	for _, size := range []int{100_000, 4<<20 - 1, 4 << 20, 4<<20 + 1, 8 << 20, 9 << 20} {
		d := open(t, collector.Options{InlineMax: -1})
		body, kind := form(t, "@upload_file_minidump", string(dump[:size]))
		if status, text := d.post(t, body, kind, "", false); status != 200 {
			t.Fatalf("%d %q", status, text)
		}
		got := d.raw[0].Dumps[0]
		if b, err := d.blobs.Get(t.Context(), *got.Blob, got.Size); err != nil || len(b) > size { // what a processor asks for
			t.Errorf("a dump of %d bytes is stored as more: %v", size, err)
		}
		if got.Size != int64(size) || got.SHA256 != sha256.Sum256(dump[:size]) || !bytes.Equal(d.dumpBytes(t, got), dump[:size]) {
			t.Errorf("a dump of %d bytes is another one", size)
		}
	}
}

func TestEventStaysBelowItsLimit(t *testing.T) {
	noise := make([]byte, 60_000)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	var fields []string
	for i := range 15 { // 900 KB of dumps that would each fit
		fields = append(fields, fmt.Sprint("@dump", i), string(noise))
	}
	for i := range 900 { // and annotations of every size, more than are kept
		fields = append(fields, fmt.Sprint("annotation", i), strings.Repeat("ä", i*5))
	}
	d := open(t, collector.Options{InlineMax: -1})
	body, kind := form(t, fields...)
	if status, text := d.post(t, body, kind, "", false); status != 200 {
		t.Fatalf("%d %q", status, text)
	}
	raw := d.raw[0]
	b, err := schema.Encode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > schema.MaxRawBytes || len(b) < schema.MaxRawBytes/2 {
		t.Errorf("an event of %d bytes", len(b))
	}
	if len(raw.Annotations)+len(raw.AnnotationOverflow) != 800 {
		t.Errorf("%d annotations in the event, %d in blobs", len(raw.Annotations), len(raw.AnnotationOverflow))
	}
	for _, ref := range raw.AnnotationOverflow {
		value, err := d.blobs.Get(t.Context(), ref.Blob, ref.Size)
		if err != nil || sha256.Sum256(value) != ref.SHA256 {
			t.Fatalf("%s: %v", ref.Name, err)
		}
	}
	if len(raw.Notes) != 2 {
		t.Errorf("notes %q", raw.Notes)
	}
}

func TestNeverStoredAnnotationsAreRemoved(t *testing.T) {
	d := open(t, collector.Options{InlineMax: -1})
	body, kind := form(t, "Email", "jane@example.org", "ProductName", "Fenix")
	if status, _ := d.post(t, body, kind, "", false); status != 200 {
		t.Fatal(status)
	}
	b, err := schema.Encode(d.raw[0])
	if err != nil || bytes.Contains(b, []byte("jane")) {
		t.Errorf("the event holds the address (%v)", err)
	}
	if d := cmp.Diff([]string{schema.NoteNeverStoreRemoved}, d.raw[0].Notes); d != "" {
		t.Error(d)
	}
}

func TestOddPartsAreNotedAndTheRestIsKept(t *testing.T) {
	d := open(t, collector.Options{InlineMax: -1})
	body, kind := form(t, "a", "1", "a", "2", strings.Repeat("n", 129), "x", "text", "\xff\xfe", "@up load", "D1", "@upload", "D2", "{", `{"n":12,"l":[1, 2],"z":null}`)
	if status, text := d.post(t, body, kind, "", false); status != 200 {
		t.Fatalf("%d %q", status, text)
	}
	raw := d.raw[0]
	if d := cmp.Diff(map[string]string{"a": "2", "text": "\uFFFD", "n": "12", "l": "[1,2]", "z": ""}, raw.Annotations); d != "" {
		t.Error(d)
	}
	if len(raw.Dumps) != 2 || raw.Dumps[0].Name != "upload" || raw.Dumps[1].Name != "upload_2" {
		t.Errorf("dumps %+v", raw.Dumps)
	}
	want := []string{schema.NoteAnnotationTwice, schema.NoteAnnotationName, schema.NoteAnnotationNotText, schema.NoteDumpRenamed, schema.NoteDumpTwice, schema.NoteAnnotationsBothForms}
	if d := cmp.Diff(want, raw.Notes); d != "" {
		t.Error(d)
	}
}

func TestNoAnswerBeforeTheBrokerHasIt(t *testing.T) {
	d := open(t, collector.Options{InlineMax: -1})
	d.refuse = errors.New("broker is away")
	body, kind := form(t, "ProductName", "Fenix")
	if status, text := d.post(t, body, kind, "", false); status != 503 || strings.Contains(text, "CrashID") {
		t.Errorf("%d %q", status, text)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	d := open(t, collector.Options{})
	res, err := d.Client().Get(d.URL + "/submit")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Error(res.Status)
	}
}

// What Crashpad's own handler sends, as it came over the wire.
func TestAcceptsRecordedCrashpadRequests(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(reference.Path(t, "vectors", "collector"), "*.http"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d recorded requests, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1})
			request, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", d.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write(request); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK || len(d.raw) != 1 || len(d.raw[0].Dumps) != 1 {
				t.Fatalf("%s, %d events", res.Status, len(d.raw))
			}
			if dump := d.dumpBytes(t, d.raw[0].Dumps[0]); !bytes.HasPrefix(dump, []byte("MDMP")) {
				t.Errorf("the dump starts with %q", dump[:min(len(dump), 8)])
			}
		})
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--b--\r\n"), "")
	f.Add([]byte("--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b--\r\n"), "")
	f.Add([]byte{0x1f, 0x8b, 8}, "gzip")
	blobs, err := blob.NewDir(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	c := collector.New(collector.Options{
		Append: func(_ context.Context, raw *schema.RawCrash) error {
			b, err := schema.Encode(raw)
			if err == nil && len(b) > schema.MaxRawBytes {
				err = errors.New("event too large")
			}
			return err
		},
		Blobs: blobs, Annotations: schema.DefaultRegistry, Now: func() time.Time { return received },
		Log: zerolog.Nop(), Metrics: prometheus.NewRegistry(), InlineMax: -1,
	})
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/submit", bytes.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		r.Header.Set("Content-Encoding", encoding)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if w.Code == http.StatusServiceUnavailable {
			t.Errorf("a body the door cannot handle: %q", body)
		}
	})
}

// full is a blob store that takes nothing.
type full struct{ blob.Store }

func (full) Put(context.Context, string, []byte) error { return errors.New("no space left") }

// A report of which something cannot be stored is not answered as if it could.
func TestWhatCannotBeStoredIsNotTaken(t *testing.T) {
	for name, fields := range map[string][]string{
		"a dump":        {"@upload_file_minidump", "MDMP"},
		"an annotation": {"a", strings.Repeat("x", 1<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			d := openWith(t, collector.Options{InlineMax: 0}, full{}, nil)
			body, kind := form(t, fields...)
			if status, text := d.post(t, body, kind, "", false); status != 503 || len(d.raw) != 0 {
				t.Errorf("%d %q, %d raw crashes", status, text, len(d.raw))
			}
		})
	}
}
