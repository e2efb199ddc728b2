package upload_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/rs/zerolog"

	"aftershock/symbolserver/store"
	"aftershock/symbolserver/upload"
)

const id = "5A9832E5287241C1838ED98914E9B7FF1"

// sym is a symbol file of a module, with so many functions.
func sym(name string, functions int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "MODULE Linux x86_64 %s %s\nINFO CODE_ID E532985A7228C141838ED98914E9B7FF\nFILE 0 a.c\nINLINE_ORIGIN 0 in\n", id, name)
	for n := range functions {
		fmt.Fprintf(&b, "FUNC %x 10 0 f%d\nINLINE 0 1 0 0 %x 4\n%x 10 7 0\n", n*16, n, n*16, n*16)
	}
	b.WriteString("STACK CFI INIT 0 10 .cfa: $rsp 8 + .ra: .cfa 8 - ^\n")
	return b.String()
}

func path(name string) string { return name + "/" + id + "/" + name + ".sym" }

// server is a handler over a store, which tells of what has come.
type server struct {
	*httptest.Server
	t      *testing.T
	store  store.Store
	token  string // can upload
	try    string // can try
	tokens *upload.Tokens

	mu      sync.Mutex
	arrived []upload.Arrival
	deaf    bool // nobody can be told
}

func serve(t *testing.T, storeName string, change func(*upload.Options)) *server {
	t.Helper()
	st, err := store.Open(storeName)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := upload.OpenTokens(filepath.Join(t.TempDir(), "tokens.json"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, store: st, tokens: tokens}
	if s.token, err = tokens.Add("builds", []string{upload.CanUpload}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if s.try, err = tokens.Add("tries", []string{upload.CanTry}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	o := upload.Options{Store: st, Tokens: tokens, Folder: t.TempDir(), Encoding: store.Gzip, Log: zerolog.Nop(), Announce: func(_ context.Context, arrived []upload.Arrival) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.deaf {
			return errors.New("the brokers are away")
		}
		s.arrived = append(s.arrived, arrived...)
		return nil
	}}
	if change != nil {
		change(&o)
	}
	h := upload.New(o)
	s.Server = httptest.NewServer(h)
	t.Cleanup(func() {
		s.Close()
		h.Close()
		left, err := os.ReadDir(o.Folder)
		if err != nil || len(left) > 0 {
			t.Errorf("%d files are left aside, %v", len(left), err)
		}
	})
	return s
}

// told are the files that somebody was told of.
func (s *server) told() (paths []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.arrived {
		paths = append(paths, fmt.Sprintf("%s %.8s %.8s %v %d %s", a.Path, a.SHA256, a.Replaces, a.Worse, a.BadLines, a.By))
	}
	slices.Sort(paths)
	return paths
}

// holds compares what is at a path with a content; "" is nothing.
func (s *server) holds(path, content string) {
	s.t.Helper()
	body, err := s.store.Open(s.t.Context(), path)
	if content == "" {
		if err == nil {
			s.t.Errorf("%s is there", path)
		}
		return
	}
	if err != nil {
		s.t.Errorf("%s: %v", path, err)
		return
	}
	defer body.Close()
	text, err := store.Text(body)
	if err != nil {
		s.t.Fatal(err)
	}
	got, err := io.ReadAll(text)
	if err != nil || string(got) != content {
		s.t.Errorf("%s: %d bytes, want %d, %v", path, len(got), len(content), err)
	}
}

// do sends a request, and returns its status and answer.
func (s *server) do(method, at, token string, headers map[string]string, body io.Reader) (int, map[string]any) {
	s.t.Helper()
	if strings.HasPrefix(at, "/") {
		at = s.URL + at
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, at, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Auth-Token", token)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var out map[string]any
	if len(text) > 0 {
		json.Unmarshal(text, &out) //nolint:errcheck // S3 answers in XML
	}
	return res.StatusCode, out
}

// zipped is a zip of members, names and contents in turn.
func zipped(t testing.TB, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.Create(members[i])
		if err == nil {
			_, err = io.WriteString(w, members[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// form is a form with a file.
func form(t testing.TB, field, file string, content []byte) (contentType string, body *bytes.Buffer) {
	t.Helper()
	body = &bytes.Buffer{}
	m := multipart.NewWriter(body)
	var w io.Writer
	var err error
	if file == "" {
		w, err = m.CreateFormField(field)
	} else {
		w, err = m.CreateFormFile(field, file)
	}
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return m.FormDataContentType(), body
}

func (s *server) postZip(at, token string, members ...string) (int, map[string]any) {
	s.t.Helper()
	contentType, body := form(s.t, "symbols", "symbols.zip", zipped(s.t, members...))
	return s.do(http.MethodPost, at, token, map[string]string{"Content-Type": contentType}, body)
}

func sum(content string) string {
	h := sha256.Sum256([]byte(content))
	return hex.EncodeToString(h[:])
}

func md5Of(content string) string {
	h := md5.Sum([]byte(content))
	return hex.EncodeToString(h[:])
}

func gzipped(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// files are those of an answer, each as "key status".
func files(answer map[string]any) (out []string) {
	u, _ := answer["upload"].(map[string]any)
	if u == nil {
		u = answer
	}
	list, _ := u["files"].([]any)
	for _, f := range list {
		f := f.(map[string]any)
		out = append(out, fmt.Sprint(f["key"], " ", f["status"]))
	}
	return out
}

// message is an answer's error.
func message(answer map[string]any) string { return fmt.Sprint(answer["error"]) }

// A file is kept, recognized when it comes again, and never silently replaced.
func TestFilesAreKeptOnce(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	one, two, less := sym("app", 20), sym("app", 30), sym("app", 3)
	expect := func(at, content string, wantStatus int, wantFile, wantMessage, holds string, told ...string) {
		t.Helper()
		s.mu.Lock()
		s.arrived = nil
		s.mu.Unlock()
		status, answer := s.postZip(at, s.token, path("app"), content)
		if got := files(answer); status != wantStatus || !slices.Equal(got, []string{path("app") + " " + wantFile}) || wantMessage != "" && !strings.Contains(message(answer), wantMessage) {
			t.Errorf("%d %v", status, answer)
		}
		s.holds(path("app"), holds)
		if got := s.told(); !slices.Equal(got, told) {
			t.Errorf("told %q, want %q", got, told)
		}
	}
	line := func(sha256, replaces, worse string) string {
		return fmt.Sprintf("%s %.8s %.8s %s 0 builds", path("app"), sha256, replaces, worse)
	}
	expect("/upload/", one, 201, "kept", "", one, line(sum(one), "", "false"))
	expect("/upload/", one, 201, "same", "", one, line(sum(one), "", "false")) // its uploader may have got no answer
	expect("/upload/", two, 400, "error", "sha256 "+sum(one), one)
	expect("/upload/", two, 400, "error", "this one is "+sum(two), one)
	expect("/upload/?replace=1", two, 201, "replaced", "", two, line(sum(two), sum(one), "false"))
	expect("/upload/?replace=1", less, 201, "replaced", "", less, line(sum(less), sum(two), "true"))
	status, answer := s.postZip("/upload/?replace", s.token, path("app"), strings.ReplaceAll(two, "STACK", "STUCK"))
	if warnings := fmt.Sprint(answer); status != 201 || !strings.Contains(warnings, "nothing to unwind with") || !strings.Contains(warnings, "1 lines make no sense") {
		t.Errorf("%d %s", status, warnings)
	}
	// Put there by other hands, packed otherwise.
	if err := s.store.Put(t.Context(), store.Object{Path: path("lib")}, strings.NewReader(sym("lib", 5))); err != nil {
		t.Fatal(err)
	}
	if status, answer := s.postZip("/upload/", s.token, path("lib"), sym("lib", 5)); status != 201 || !slices.Equal(files(answer), []string{path("lib") + " same"}) {
		t.Errorf("%d %v", status, answer)
	}
	if p, err := store.LookupCode(t.Context(), s.store, false, "app", "E532985A7228C141838ED98914E9B7FF"); err != nil || p.String() != path("app") {
		t.Errorf("by code id: %v, %v", p, err)
	}
}

// What expires by its time is put again when it comes again, and what an upstream had gives
// way to who builds the module.
func TestFilesThatExpireArePutAgain(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	modified := func(path string) time.Time {
		t.Helper()
		o, err := s.store.Stat(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return o.Modified
	}
	for range 2 {
		if status, _ := s.postZip("/upload/?try=1", s.token, path("app"), sym("app", 3)); status != 201 {
			t.Fatal(status)
		}
	}
	first := modified("try/" + path("app"))
	if status, answer := s.postZip("/upload/?try=1", s.token, path("app"), sym("app", 3)); status != 201 || !modified("try/"+path("app")).After(first) {
		t.Errorf("%d %v", status, answer)
	}
	status, answer := s.list("/upload/v2/?try=1", s.token, listed(path("app"), sym("app", 3)))
	if got, _ := answer["files"].([]any); status != 201 || len(got) != 1 || !strings.Contains(fmt.Sprint(got[0]), "type:upload") {
		t.Errorf("a list: %d %v", status, answer)
	}
	for n, content := range []string{sym("lib", 5), sym("lib", 6)} { // the same, and another
		key := path("lib")
		if err := s.store.Put(t.Context(), store.Object{Path: key, SHA256: sum(sym("lib", 5)), By: store.ByUpstream + "symbols.example"}, strings.NewReader(sym("lib", 5))); err != nil {
			t.Fatal(err)
		}
		status, answer := s.list("/upload/v2/", s.token, listed(key, content))
		if got, _ := answer["files"].([]any); status != 201 || len(got) != 1 || !strings.Contains(fmt.Sprint(got[0]), "type:upload") {
			t.Errorf("a list: %d %v", status, answer)
		}
		status, answer = s.postZip("/upload/", s.token, key, content)
		o, err := s.store.Stat(t.Context(), key)
		if want := []string{key + " " + []string{"same", "replaced"}[n]}; status != 201 || !slices.Equal(files(answer), want) || err != nil || o.By != "builds" || o.SHA256 != sum(content) {
			t.Errorf("%d %v %+v %v", status, answer, o, err)
		}
	}
}

// Who uploads files of which nobody can be told is told to send them again, and then they are
// told of.
func TestNothingIsKeptThatNobodyIsToldOf(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	s.deaf = true
	if status, answer := s.postZip("/upload/", s.token, path("app"), sym("app", 3)); status != 503 {
		t.Errorf("%d %v", status, answer)
	}
	s.mu.Lock()
	s.deaf = false
	s.mu.Unlock()
	if status, answer := s.postZip("/upload/", s.token, path("app"), sym("app", 3)); status != 201 || len(s.told()) != 1 {
		t.Errorf("%d %v, told %q", status, answer, s.told())
	}
}

// What a file is is looked at: it must be what its key says.
func TestFilesThatAreNotWhatTheySay(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	for name, content := range map[string]string{
		"another module": strings.Replace(sym("app", 3), "app\n", "other\n", 1),
		"another id":     strings.Replace(sym("app", 3), id, id[1:]+"2", 1),
		"a page":         "<html>404</html>",
		"empty":          "",
		"noise":          "MODULE Linux x86_64 " + id + " app\n" + strings.Repeat("zzz\n", 100),
		"torn":           string(gzipped(t, sym("app", 3000))[:400]),
	} {
		status, answer := s.postZip("/upload/", s.token, path("app"), content, path("good"+strings.ReplaceAll(name, " ", "")), sym("good"+strings.ReplaceAll(name, " ", ""), 2))
		if status != 400 || !strings.Contains(message(answer), "1 of 2 files were refused") {
			t.Errorf("%s: %d %v", name, status, answer)
		}
		s.holds(path("app"), "")
		s.holds(path("good"+strings.ReplaceAll(name, " ", "")), sym("good"+strings.ReplaceAll(name, " ", ""), 2))
	}
	// Packed symbol files, and modules' own files.
	elf := "\x7fELF own file"
	status, answer := s.postZip("/upload/", s.token, path("app"), string(gzipped(t, sym("app", 3))), "buildid/00ff/executable", elf, "app.exe/651C9AF9924100a/app.exe", "MZ")
	if status != 201 {
		t.Errorf("%d %v", status, answer)
	}
	s.holds(path("app"), sym("app", 3))
	s.holds("buildid/00ff/executable", elf)
	if told := s.told(); len(told) != 7 {
		t.Errorf("told %q", told)
	}
}

// The tier of tried builds is apart, and has tokens that can nothing else.
func TestTriedBuilds(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	if status, answer := s.postZip("/upload/", s.try, path("app"), sym("app", 3)); status != 201 || !slices.Equal(files(answer), []string{"try/" + path("app") + " kept"}) {
		t.Errorf("%d %v", status, answer)
	}
	s.holds(path("app"), "")
	s.holds("try/"+path("app"), sym("app", 3))
	if status, _ := s.postZip("/upload/?try=1", s.token, path("app"), sym("app", 3)); status != 201 {
		t.Errorf("%d", status)
	}
	if status, _ := s.postZip("/upload/", s.token, path("app"), sym("app", 4)); status != 201 {
		t.Errorf("%d", status)
	}
	s.holds(path("app"), sym("app", 4))
	status, info := s.do(http.MethodPost, "/upload/auth_info/", s.try, nil, nil)
	if status != 200 || info["user"] != "tries" || info["try_symbols"] != true || info["token_expires_at"] == nil {
		t.Errorf("%d %v", status, info)
	}
}
