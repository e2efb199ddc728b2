package upload_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aftershock/symbolserver/upload"
)

// What Mozilla's server answers (peers.md part B section 7).
func TestAnswersAreMozillas(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	contentType, body := form(t, "x", "symbols.zip", nil)
	rar, rarBody := form(t, "x", "symbols.rar", []byte("x"))
	none, noneBody := form(t, "other", "", []byte("x"))
	tornType, whole := form(t, "x", "x.zip", zipped(t, path("app"), sym("app", 9)))
	torn := whole.String()[:whole.Len()/2]
	for name, tc := range map[string]struct {
		method, token, contentType string
		body                       io.Reader
		status                     int
		message                    string
	}{
		"GET":             {http.MethodGet, s.token, "", nil, 405, "Method Not Allowed (GET): /upload/"},
		"no token":        {http.MethodPost, "", contentType, strings.NewReader("x"), 403, "This requires an Auth-Token to authenticate the request"},
		"another token":   {http.MethodPost, strings.Repeat("0", 32), contentType, strings.NewReader("x"), 403, "Forbidden"},
		"no token at all": {http.MethodPost, "x", contentType, strings.NewReader("x"), 403, "Forbidden"},
		"no form":         {http.MethodPost, s.token, "", strings.NewReader("x"), 400, "Must be multipart form data with at least one file"},
		"no file":         {http.MethodPost, s.token, none, noneBody, 400, "Must be multipart form data with at least one file"},
		"empty":           {http.MethodPost, s.token + "-label", contentType, body, 400, "File is not a zip file"},
		"rar":             {http.MethodPost, s.token, rar, rarBody, 400, `Unrecognized archive file extension ".rar"`},
		"cut short":       {http.MethodPost, s.token, tornType, strings.NewReader(torn), 503, "the upload could not be read to its end: send it again"},
	} {
		status, answer := s.do(tc.method, "/upload/", tc.token, map[string]string{"Content-Type": tc.contentType}, tc.body)
		if status != tc.status || message(answer) != tc.message {
			t.Errorf("%s: %d %q", name, status, message(answer))
		}
	}
	for want, members := range map[string][]string{
		"(First unrecognized pattern was 'app.sym')":          {path("app"), sym("app", 1), "app.sym", "x"},
		"(First unrecognized pattern was '../../etc/passwd')": {"../../etc/passwd", "x"},
		"(First unrecognized pattern was '/etc/passwd')":      {"/etc/passwd", "x"},
		`(First unrecognized pattern was 'a\\b/`:              {`a\b/` + id + "/a.sym", "x"},
		`(First unrecognized pattern was 'a\x00/`:             {"a\x00/" + id + "/a.sym", "x"},
		"(First unrecognized pattern was 'try/":               {"try/" + path("app"), "x"},
		"(First unrecognized pattern was '.aftershock/":       {".aftershock/" + id + "/a.sym", "x"},
		"two files both called " + path("app"):                {path("app"), sym("app", 1), path("app"), sym("app", 2)},
		"there is no file in it":                              {"a-symbols.txt", "x", "dir/", "", ".DS_Store", "x"},
	} {
		if status, answer := s.postZip("/upload/", s.token, members...); status != 400 || !strings.Contains(message(answer), want) {
			t.Errorf("%d %q, want %q", status, message(answer), want)
		}
	}
	s.holds(path("app"), "") // a zip with one bad name keeps nothing
}

// A zip costs what it is allowed to cost.
func TestHostileZips(t *testing.T) {
	s := serve(t, t.TempDir(), func(o *upload.Options) {
		o.MaxMembers, o.MaxZipBytes, o.MaxContentBytes, o.MaxTotalBytes = 100, 2<<20, 18<<20, 20<<20
	})
	raw := func(content []byte) (int, string) {
		t.Helper()
		contentType, body := form(t, "x", "x.zip", content)
		status, answer := s.do(http.MethodPost, "/upload/", s.token, map[string]string{"Content-Type": contentType}, body)
		return status, message(answer)
	}
	members := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf("buildid/%04x/executable", i+1), "x")
		}
		return out
	}
	if status, _ := raw(zipped(t, members(100)...)); status != 201 {
		t.Errorf("100 members: %d", status)
	}
	if status, text := raw(zipped(t, members(101)...)); status != 400 || text != "101 members: want at most 100" {
		t.Errorf("101 members: %d %s", status, text)
	}
	if status, text := raw(zipped(t, members(10_000)...)); status != 400 || !strings.Contains(text, "its list of members is too large") {
		t.Errorf("10,000 members: %d %s", status, text)
	}
	zeros := strings.Repeat("\x00", 17<<20)
	if status, text := raw(zipped(t, "buildid/ff/executable", zeros)); status != 400 || !strings.Contains(text, "unpacks to more than 200 times its size") {
		t.Errorf("a bomb: %d %s", status, text)
	}
	inner := string(gzipped(t, "MODULE Linux x86_64 "+id+" app\n"+strings.Repeat("FILE 1 a\n", 2<<20)))
	if status, text := raw(zipped(t, path("app"), inner)); status != 400 || !strings.Contains(text, "unpacks to more than 200 times its size") {
		t.Errorf("a bomb in a member: %d %s", status, text)
	}
	if status, text := raw(zipped(t, "buildid/ff/executable", strings.Repeat("\x00", 18<<20+1))); status != 400 || !strings.Contains(text, "it unpacks to too much") {
		t.Errorf("a large member: %d %s", status, text)
	}
	if status, text := raw(zipped(t, "buildid/ff/executable", zeros[:7<<20], "buildid/fe/executable", zeros[:7<<20], "buildid/fd/executable", zeros[:7<<20])); status != 400 || !strings.Contains(text, "it unpacks to too much") {
		t.Errorf("large together: %d %s", status, text)
	}
	if status, text := raw(bytes.Repeat([]byte{'x'}, 2<<20+1)); status != 413 || !strings.Contains(text, "a zip of more than 2097152 bytes") {
		t.Errorf("a large zip: %d %s", status, text)
	}
	if status, text := raw(bytes.Repeat([]byte{'x'}, 2<<20)); status != 400 || text != "File is not a zip file" {
		t.Errorf("no zip: %d %s", status, text)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: path("app")}
	h.SetMode(0o777 | 1<<27) // a symbolic link
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = io.WriteString(w, "/etc/passwd")
	}
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if status, text := raw(b.Bytes()); status != 400 || !strings.Contains(text, "is no file but a L") {
		t.Errorf("a link: %d %s", status, text)
	}
	// A member that is not what the list says.
	whole := zipped(t, path("app"), sym("app", 50))
	whole[len(path("app"))+40] ^= 0xff
	if status, text := raw(whole); status != 400 || !strings.Contains(text, "1 of 1 files were refused") {
		t.Errorf("damaged: %d %s", status, text)
	}
	s.holds(path("app"), "")
}

// Addresses are asked only where the operator has said so, at each step.
func TestAddressesAreFetchedFromNamedHosts(t *testing.T) {
	content := zipped(t, path("app"), sym("app", 3))
	trapped := false
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { trapped = true }))
	defer trap.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/symbols.zip", func(w http.ResponseWriter, _ *http.Request) { w.Write(content) }) //nolint:errcheck // to a client
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("u"), http.StatusFound)
	})
	mux.HandleFunc("/503", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		w.Write(content[:10]) //nolint:errcheck // to a client
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	remote := httptest.NewTLSServer(mux)
	defer remote.Close()
	host := strings.TrimPrefix(remote.URL, "https://")
	upload.Trust(t, remote.Certificate())
	s := serve(t, t.TempDir(), func(o *upload.Options) {
		o.From, o.Private = []string{host, "builds.example", "127.0.0.1"}, []string{host}
	})
	fetch := func(address string) (int, string) {
		t.Helper()
		contentType, body := form(t, "url", "", []byte(address))
		status, answer := s.do(http.MethodPost, "/upload/", s.token, map[string]string{"Content-Type": contentType}, body)
		return status, message(answer)
	}
	for address, want := range map[string]string{
		"http://" + host + "/symbols.zip":          "400 Insecure URL",
		"https://other.example/symbols.zip":        "400 Not an allowed domain (\"other.example\") to download from",
		"https://169.254.169.254/latest":           "400 Not an allowed domain (\"169.254.169.254\") to download from",
		"https://user:pw@" + host + "/symbols.zip": "400 not an address",
		"nothing":            "400 Insecure URL",
		remote.URL + "/404":  "400 the address answers 404",
		remote.URL + "/503":  "500 the address answers 503",
		remote.URL + "/half": "502 the address sends no whole file",
		remote.URL + "/loop": "400 more than 5 redirects",
		remote.URL + "/to?u=http://" + host + "/symbols.zip":              "400 redirected: Insecure URL",
		remote.URL + "/to?u=https://169.254.169.254/":                     "400 redirected: Not an allowed domain",
		remote.URL + "/to?u=" + trap.URL:                                  "400 redirected: Insecure URL",
		remote.URL + "/to?u=https" + strings.TrimPrefix(trap.URL, "http"): "502 the address does not answer, or lies in this network", // 127.0.0.1 is named as a host, not as one of this network
	} {
		if status, text := fetch(address); !strings.HasPrefix(fmt.Sprint(status, " ", text), want) {
			t.Errorf("%s: %d %s, want %s", address, status, text, want)
		}
	}
	if trapped {
		t.Error("a server of this network was asked")
	}
	s.holds(path("app"), "")
	for _, address := range []string{remote.URL + "/symbols.zip", remote.URL + "/to?u=/symbols.zip"} {
		if status, text := fetch(address); status != 201 {
			t.Errorf("%s: %d %s", address, status, text)
		}
	}
	s.holds(path("app"), sym("app", 3))
}
