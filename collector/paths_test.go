package collector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"aftershock/collector"
	"aftershock/schema"
)

// said is an answer.
type said struct {
	status int
	header http.Header
	body   string
}

// asked sends a request without a body; header fields are names and values in turn.
func (d *door) asked(t *testing.T, method, path string, header ...string) said {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = path // as it is
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
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
	return said{res.StatusCode, res.Header, string(text)}
}

func TestPathsAndMethods(t *testing.T) {
	d := open(t, collector.Options{Release: []byte(`{"version":"1.2.3"}`), Sentry: true})
	for _, tc := range []struct {
		method, path string
		status       int
		body, allow  string
	}{
		{"GET", "/submit", 405, `{"title": "405 Method Not Allowed"}`, "POST, OPTIONS"},
		{"HEAD", "/submit", 405, "", "POST, OPTIONS"},
		{"DELETE", "/submit/", 405, `{"title": "405 Method Not Allowed"}`, "POST, OPTIONS"},
		{"OPTIONS", "/submit", 200, "", "POST"},
		{"GET", "/__lbheartbeat__", 200, "{}", ""},
		{"HEAD", "/__lbheartbeat__", 200, "", ""},
		{"POST", "/__lbheartbeat__", 405, `{"title": "405 Method Not Allowed"}`, "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/__heartbeat__", 200, "", "GET, HEAD"},
		{"GET", "/__heartbeat__", 200, `{"errors":[]}`, ""},
		{"HEAD", "/__heartbeat__", 200, "", ""},
		{"GET", "/__version__", 200, `{"version":"1.2.3"}`, ""},
		{"HEAD", "/__version__/", 200, "", ""},
		{"GET", "/submit/more", 404, `{"title": "404 Not Found"}`, ""},
		{"GET", "/Submit", 404, `{"title": "404 Not Found"}`, ""},
		{"GET", "/api/12/minidump/", 405, `{"title": "405 Method Not Allowed"}`, "POST, OPTIONS"},
		{"GET", "/api/minidump/", 404, `{"title": "404 Not Found"}`, ""},
		{"GET", "/api/12/minidump/more", 404, `{"title": "404 Not Found"}`, ""},
		{"GET", "/api/12/store/", 404, `{"title": "404 Not Found"}`, ""},
	} {
		res := d.asked(t, tc.method, tc.path)
		if res.status != tc.status || res.body != tc.body || res.header.Get("Allow") != tc.allow || res.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %q, allow %q, type %q", tc.method, tc.path, res.status, res.body, res.header.Get("Allow"), res.header.Get("Content-Type"))
		}
	}
}

func TestReportsAreTakenWhereverClientsSendThem(t *testing.T) {
	d := open(t, collector.Options{InlineMax: -1, Sentry: true})
	for path, status := range map[string]int{
		"/submit": 200, "//submit": 200, "/submit/": 200, "/submit?guid=1": 200, "///submit//": 200, "/api/7/minidump/": 200, "/api/7/minidump?sentry_key=k": 200, "/other": 404, "/": 404,
	} {
		body, kind := form(t, "ProductName", "Fenix", "@upload_file_minidump", "MDMP"+path)
		request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: door\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, kind, len(body), body)
		if got, text := d.sendRaw(t, []byte(request), false); got != status || strings.HasPrefix(text, "CrashID=bp-") != (status == 200) {
			t.Errorf("%s: %d %q", path, got, text)
		}
	}
	if len(d.raw) != 7 {
		t.Errorf("%d events", len(d.raw))
	}
}

func TestSentrysPathIsThereWhenItIsAskedFor(t *testing.T) {
	d := open(t, collector.Options{})
	if res := d.asked(t, "POST", "/api/7/minidump/"); res.status != 404 {
		t.Error(res.status)
	}
}

// A heartbeat asks for everything at once, not for every request, and tells outsiders no
// more than they should know.
func TestHeartbeatSaysWhatIsMissing(t *testing.T) {
	var asked atomic.Int32
	var fault atomic.Pointer[error]
	d := open(t, collector.Options{Checks: []collector.Check{
		{Name: "broker", Ask: func(context.Context) error {
			asked.Add(1)
			if err := fault.Load(); err != nil {
				return *err
			}
			return nil
		}},
		{Name: "blobs", Ask: func(ctx context.Context) error {
			if _, bounded := ctx.Deadline(); !bounded {
				return errors.New("no deadline")
			}
			return nil
		}},
	}})
	for range 20 {
		if res := d.asked(t, "GET", "/__heartbeat__"); res.status != 200 || res.body != `{"errors":[]}` {
			t.Fatal(res.status, res.body)
		}
	}
	if n := asked.Load(); n > 2 {
		t.Errorf("the broker was asked %d times", n)
	}
	for want, err := range map[string]error{
		"no broker answers": &collector.CheckError{Reason: "no broker answers", Err: errors.New("dial 10.1.2.3")},
		"failed":            errors.New("dial 10.1.2.3"),
		"no answer in time": fmt.Errorf("dial 10.1.2.3: %w", context.DeadlineExceeded),
	} {
		e := open(t, collector.Options{Checks: []collector.Check{{Name: "broker", Ask: func(context.Context) error { return err }}}})
		res := e.asked(t, "GET", "/__heartbeat__")
		var told struct{ Errors []struct{ Name, Msg string } }
		if json.Unmarshal([]byte(res.body), &told) != nil || res.status != http.StatusServiceUnavailable || res.header.Get("Retry-After") == "" || len(told.Errors) != 1 || told.Errors[0].Name != "broker" || told.Errors[0].Msg != want {
			t.Errorf("%v: %d %s", err, res.status, res.body)
		}
	}
}

func TestPagesOfListedOriginsMaySend(t *testing.T) {
	for name, tc := range map[string]struct {
		origins []string
		origin  string
		want    bool
	}{
		"listed":    {[]string{"https://app.example", "https://other.example"}, "https://other.example", true},
		"another":   {[]string{"https://app.example"}, "https://app.example.evil", false},
		"every one": {[]string{"*"}, "https://any.example", true},
		"none":      {nil, "https://any.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1, Origins: tc.origins})
			res := d.asked(t, "OPTIONS", "/submit", "Origin", tc.origin, "Access-Control-Request-Method", "POST")
			if got := res.header.Get("Access-Control-Allow-Origin") == tc.origin; got != tc.want || tc.want && (res.status != http.StatusNoContent || res.header.Get("Access-Control-Allow-Methods") != "POST") {
				t.Errorf("before it: %d %v", res.status, res.header)
			}
			res = d.asked(t, "GET", "/__version__", "Origin", tc.origin)
			if got := res.header.Get("Access-Control-Allow-Origin") == tc.origin; got != tc.want || tc.want != (res.header.Get("Vary") == "Origin") {
				t.Errorf("%v", res.header)
			}
		})
	}
}

// What Electron, Unreal and Crashpad send to Sentry.
func TestSentrysClients(t *testing.T) {
	for name, tc := range map[string]struct {
		fields []string
		want   map[string]string
	}{
		"its part": {
			[]string{"sentry", `{"release":"game@1.2.3+456","environment":"beta","user":{"email":"a@b"}}`},
			map[string]string{"ProductName": "game", "Version": "1.2.3", "BuildID": "456", "ReleaseChannel": "beta", "sentry": `{"release":"game@1.2.3+456","environment":"beta","user":{"email":"a@b"}}`},
		},
		"its fields": {
			[]string{"sentry[release]", "2.0", "sentry[environment]", "live"},
			map[string]string{"Version": "2.0", "ReleaseChannel": "live", "sentry[release]": "2.0", "sentry[environment]": "live"},
		},
		"what the client says itself": {
			[]string{"ProductName", "Mine", "Version", "7", "sentry", `{"release":"game@1.2.3"}`},
			map[string]string{"ProductName": "Mine", "Version": "7", "sentry": `{"release":"game@1.2.3"}`},
		},
		"no JSON": {[]string{"sentry", `{"release":`}, map[string]string{"sentry": `{"release":`}},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1, Sentry: true})
			body, kind := form(t, append(tc.fields, "@upload_file_minidump", "MDMP")...)
			status, text := d.postTo(t, "/api/1/minidump/?sentry_key=abc", body, kind)
			if status != 200 || len(d.raw) != 1 {
				t.Fatal(status, text)
			}
			if got := d.raw[0].Annotations; fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
	t.Run("a dump alone", func(t *testing.T) {
		d := open(t, collector.Options{InlineMax: -1, Sentry: true})
		for kind, want := range map[string]int{"application/octet-stream": 200, "application/x-dmp": 200, "": 200, "text/plain": 400} {
			if status, text := d.postTo(t, "/api/1/minidump/", []byte("MDMP and more"), kind); status != want {
				t.Errorf("%q: %d %q", kind, status, text)
			}
		}
		if status, text := d.postTo(t, "/api/1/minidump/", []byte("no dump"), "application/octet-stream"); status != 400 || text != "Discarded=malformed_"+schema.RejectStructure {
			t.Errorf("%d %q", status, text)
		}
		packed := zip(t, []byte("MDMP and much more of it, so that there is something to cut"))
		gzipped := "application/octet-stream\r\nContent-Encoding: gzip"
		if status, text := d.postTo(t, "/api/1/minidump/", packed[:len(packed)-9], gzipped); status != 400 || text != "Discarded=malformed_"+schema.RejectTruncated {
			t.Errorf("cut: %d %q", status, text)
		}
		if len(d.raw) != 3 || d.raw[0].Dumps[0].Name != schema.MainDump || string(d.dumpBytes(t, d.raw[0].Dumps[0])) != "MDMP and more" {
			t.Errorf("%d events", len(d.raw))
		}
		if status, text := d.postTo(t, "/api/1/minidump/", append(packed, "more"...), gzipped); status != 200 || len(d.raw) != 4 || !slices.Equal(d.raw[3].Notes, []string{schema.NoteBodyExtra}) {
			t.Errorf("with more behind: %d %q", status, text)
		}
	})
}

// postTo posts a body to a path.
func (d *door) postTo(t *testing.T, path string, body []byte, kind string) (int, string) {
	t.Helper()
	return d.sendRaw(t, fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: door\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, kind, len(body), body), false)
}
