package collector_test

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"aftershock/collector"
	"aftershock/schema"
)

// packed is a body as a writer makes it.
func packed(t *testing.T, body []byte, make func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := make(&out)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestEveryEncodingOfABodyIsRead(t *testing.T) {
	dump := noise(t, 100_000) + strings.Repeat("x", 100_000)
	body, kind := form(t, "ProductName", "Fenix", "@upload_file_minidump", dump)
	z := func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil }
	raw := func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 5) }
	zs := func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }
	wide := func(w io.Writer) (io.WriteCloser, error) {
		return zstd.NewWriter(w, zstd.WithWindowSize(16<<20), zstd.WithSingleSegment(false))
	}
	badZlib := packed(t, body, z)
	badZlib[len(badZlib)-1] ^= 1
	half := len(body) / 2
	twoMembers := append(zip(t, body[:half]), zip(t, body[half:])...)
	zipped := zip(t, body)
	for name, tc := range map[string]struct {
		body     []byte
		encoding string
		reason   string
		note     string
	}{
		"gzip":                        {zipped, "gzip", "", ""},
		"gzip, in capitals":           {zipped, "GZip", "", ""},
		"x-gzip":                      {zipped, "x-gzip", "", ""},
		"two members":                 {twoMembers, "gzip", "", ""},
		"and something behind":        {append(bytes.Clone(zipped), "\r\n\x00"...), "gzip", "", schema.NoteBodyExtra},
		"and one byte behind":         {append(bytes.Clone(zipped), 0x1f), "gzip", "", schema.NoteBodyExtra},
		"the second cut":              {twoMembers[:len(twoMembers)-9], "gzip", schema.RejectTruncated, ""},
		"the second cut in its head":  {append(bytes.Clone(zipped), 0x1f, 0x8b), "gzip", schema.RejectTruncated, ""},
		"deflate":                     {packed(t, body, z), "deflate", "", ""},
		"deflate without zlib":        {packed(t, body, raw), "deflate", "", ""},
		"deflate, a bad checksum":     {badZlib, "deflate", schema.RejectBadGzip, ""},
		"deflate, cut":                {packed(t, body, raw)[:50_000], "deflate", schema.RejectTruncated, ""},
		"zstd":                        {packed(t, body, zs), "zstd", "", ""},
		"zstd, cut":                   {packed(t, body, zs)[:50_000], "zstd", schema.RejectTruncated, ""},
		"zstd with too wide a window": {packed(t, bytes.Repeat(body, 50), wide), "zstd", schema.RejectBadGzip, ""},
		"none":                        {body, "identity", "", ""},
		"none by another name":        {body, "nothing", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1})
			for range 2 { // what is used again is as new
				status, text := d.post(t, tc.body, kind, tc.encoding, false)
				if tc.reason != "" {
					if status != 400 || text != "Discarded=malformed_"+tc.reason {
						t.Errorf("%d %q", status, text)
					}
					continue
				}
				if status != 200 {
					t.Fatalf("%d %q", status, text)
				}
				got := d.raw[len(d.raw)-1]
				if string(d.dumpBytes(t, got.Dumps[0])) != dump || strings.Join(got.Notes, " ") != tc.note {
					t.Errorf("notes %q", got.Notes)
				}
			}
		})
	}
}

// A bomb is refused where it passes the limit, in every encoding.
func TestBombsOfEveryEncoding(t *testing.T) {
	body, kind := form(t, "@upload_file_minidump", strings.Repeat("\x00", 10<<20))
	for encoding, bomb := range map[string][]byte{
		"gzip":    zip(t, body),
		"deflate": packed(t, body, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 9) }),
		"zstd":    packed(t, body, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
	} {
		d := open(t, collector.Options{Limits: collector.Limits{InflatedBytes: 1 << 20}})
		if status, text := d.post(t, bomb, kind, encoding, false); status != 413 || text != "Discarded=malformed_too_large" {
			t.Errorf("%s: %d %q", encoding, status, text)
		}
	}
}

// A part's header in which the body is too large, or no longer compressed as it should be, is
// blamed for that and for nothing else.
func TestAPartsHeaderThatCannotBeReadIsBlamedForThat(t *testing.T) {
	body, kind := form(t, "a", "1", "b", "2")
	second := bytes.LastIndex(body, []byte("Content-Disposition")) + 5
	packed := zip(t, body)
	for name, tc := range map[string]struct {
		limits collector.Limits
		body   []byte
		want   string
	}{
		"the first one is too large":  {collector.Limits{InflatedBytes: 70}, packed, "413 Discarded=malformed_too_large"},
		"the second one is too large": {collector.Limits{InflatedBytes: int64(second)}, packed, "413 Discarded=malformed_too_large"},
		"it is cut":                   {collector.Limits{}, packed[:30], "400 Discarded=malformed_truncated_body"},
	} {
		d := open(t, collector.Options{InlineMax: -1, Limits: tc.limits})
		status, text := d.post(t, tc.body, kind, "gzip", false)
		if got := fmt.Sprint(status, " ", text); got != tc.want || len(d.raw) != 0 {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
