package upload_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/internal/bucket/buckettest"
	"aftershock/symbolserver/store"
	"aftershock/symbolserver/upload"
)

// stores are where uploads go: addresses of a server's own, and presigned ones of S3.
func stores(t *testing.T, test func(t *testing.T, name string)) {
	t.Helper()
	t.Run("directory", func(t *testing.T) { test(t, t.TempDir()) })
	t.Run("S3", func(t *testing.T) { test(t, buckettest.Start(t).Name(buckettest.Bucket+"/symbols")) })
}

// list posts a list of files, each as key, content, and the digest that is told.
func (s *server) list(at, token string, list ...map[string]any) (int, map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(map[string]any{"files": append([]map[string]any{}, list...)})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(http.MethodPost, at, token, nil, bytes.NewReader(text))
}

func listed(key, content string) map[string]any {
	return map[string]any{"key": key, "size": len(content), "md5_hash": md5Of(content), "sha256": sum(content)}
}

// send puts a file where an answer says.
func (s *server) send(f any, content []byte) int {
	s.t.Helper()
	a := f.(map[string]any)["action"].(map[string]any)
	if a["type"] != "upload" {
		s.t.Fatalf("%v", f)
	}
	headers := map[string]string{}
	if e, ok := a["content_encoding"].(string); ok {
		headers["Content-Encoding"] = e
	}
	more, _ := a["headers"].(map[string]any)
	for name, value := range more {
		headers[name] = value.(string)
	}
	status, _ := s.do(http.MethodPut, a["url"].(string), "", headers, bytes.NewReader(content))
	return status
}

// results waits until all files of an upload have come.
func (s *server) results(id any) (out []string) {
	s.t.Helper()
	for range 10 {
		status, answer := s.do(http.MethodGet, fmt.Sprintf("/upload/v2/%v?wait=1", id), s.token, nil, nil)
		if status != 200 {
			s.t.Fatalf("%d %v", status, answer)
		}
		if answer["done"] == true {
			return files(answer)
		}
	}
	s.t.Fatal("it does not come to an end")
	return nil
}

// A list of files is answered with what is to be done with each, and those that are put where it
// says are looked at and kept, whoever tells.
func TestListsOfFiles(t *testing.T) {
	stores(t, func(t *testing.T, name string) {
		s := serve(t, name, nil)
		there, app, bad := sym("there", 4), sym("app", 9), sym("other", 9)
		if status, _ := s.postZip("/upload/", s.token, path("there"), there); status != 201 {
			t.Fatal(status)
		}
		status, answer := s.list("/upload/v2/", s.token, listed(path("there"), there), listed(path("there"), app), listed(path("app"), app), listed(path("bad"), bad),
			listed("../x", app), map[string]any{"key": path("x"), "size": 1, "md5_hash": strings.Repeat("A", 32)}, map[string]any{"key": path("x"), "size": 1, "md5_hash": strings.Repeat("a", 31)},
			map[string]any{"key": path("x"), "size": 1}, map[string]any{"key": path("x"), "size": -1, "md5_hash": md5Of("")}, listed("buildid/00ff/debuginfo", "\x7fELF"))
		got, _ := answer["files"].([]any)
		if status != 201 || len(got) != 10 {
			t.Fatalf("%d %v", status, answer)
		}
		want := []string{"skip ", "error another file is there", "upload ", "upload ", "error invalid key", "error invalid MD5 hex digest", "error invalid MD5 hex digest", "error want md5_hash or sha256", "error invalid size", "upload "}
		for i, f := range got {
			a := f.(map[string]any)["action"].(map[string]any)
			text, _ := a["msg"].(string)
			if !strings.HasPrefix(fmt.Sprint(a["type"], " ", text), want[i]) {
				t.Errorf("%d: %v, want %s", i, a, want[i])
			}
		}
		if status := s.send(got[2], gzipped(t, app)); status != 200 {
			t.Errorf("%d", status)
		}
		s.send(got[3], gzipped(t, bad))
		s.send(got[9], []byte("\x7fELF"))
		if got, want := s.results(answer["id"]), []string{path("app") + " kept", path("bad") + " error", "buildid/00ff/debuginfo kept"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		s.holds(path("app"), app)
		s.holds(path("bad"), "")
		s.holds("buildid/00ff/debuginfo", "\x7fELF")
		if told := s.told(); len(told) != 2 || !strings.HasPrefix(told[0], path("app")) {
			t.Errorf("told %q", told)
		}
		// Not the bytes that were listed.
		status, answer = s.list("/upload/v2/", s.token, map[string]any{"key": path("lib"), "size": 3, "md5_hash": md5Of("another")})
		if status != 201 {
			t.Fatal(status)
		}
		s.send(answer["files"].([]any)[0], gzipped(t, sym("lib", 3)))
		if got := s.results(answer["id"]); !slices.Equal(got, []string{path("lib") + " error"}) {
			t.Errorf("%q", got)
		}
		s.holds(path("lib"), "")
		if status, _ := s.do(http.MethodGet, fmt.Sprintf("/upload/v2/%v", answer["id"]), s.try, nil, nil); status != 404 {
			t.Errorf("another's upload: %d", status)
		}
		if status, _ := s.do(http.MethodPut, fmt.Sprintf("/upload/v2/%v/7", answer["id"]), "", nil, strings.NewReader("x")); status != 404 {
			t.Errorf("a file that was not listed: %d", status)
		}
		left := 0
		eventually(t, func() bool { // what lay aside goes
			left = 0
			err := s.store.List(t.Context(), store.IncomingFolder, func(store.Object) error { left++; return nil })
			return err == nil && left == 0
		})
	})
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 30 s")
		}
	}
}

// What was begun at one server is gone on with by the next.
func TestUploadsOutliveTheServer(t *testing.T) {
	name := buckettest.Start(t).Name(buckettest.Bucket)
	s := serve(t, name, nil)
	status, answer := s.list("/upload/v2/", s.token, listed(path("app"), sym("app", 9)))
	if status != 201 {
		t.Fatalf("%d %v", status, answer)
	}
	f := answer["files"].([]any)[0]
	s.Close()
	s.send(f, gzipped(t, sym("app", 9)))
	next := serve(t, name, func(o *upload.Options) { o.Tokens = s.tokens })
	eventually(t, func() bool { return len(next.told()) == 1 })
	next.holds(path("app"), sym("app", 9))
}

// Limits of a list.
func TestHostileLists(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	many := func(n int) (out []map[string]any) {
		for i := range n {
			out = append(out, map[string]any{"key": fmt.Sprintf("a/%x%s/a.sym", i+1, strings.Repeat("0", 32)), "size": 1, "md5_hash": md5Of("")})
		}
		return out
	}
	if status, answer := s.list("/upload/v2/", s.token, many(upload.MaxManifest)...); status != 201 {
		t.Errorf("%d %v", status, answer)
	}
	if status, answer := s.list("/upload/v2/", s.token, many(upload.MaxManifest+1)...); status != 400 || message(answer) != "too many files: want at most 1024" {
		t.Errorf("%d %v", status, answer)
	}
	if status, answer := s.list("/upload/v2/", s.token, many(100_000)...); status != 400 || !strings.HasPrefix(message(answer), "too many files") {
		t.Errorf("%d %v", status, answer)
	}
	for _, body := range []string{"", "x", "[]", `{"files":3}`, "{}", `{"files":null}`, `{"files":[3]}`, `{"files":[{"key":3}]}`, strings.Repeat("[", 100_000)} {
		if status, answer := s.do(http.MethodPost, "/upload/v2/", s.token, nil, strings.NewReader(body)); status != 400 || message(answer) != "malformed JSON request body" {
			t.Errorf("%.20q: %d %v", body, status, answer)
		}
	}
	if status, _ := s.list("/upload/v2/", ""); status != 403 {
		t.Errorf("%d", status)
	}
	if status, _ := s.list("/upload/v2/?try=0", s.try); status != 201 { // such a token's files are tried ones, whatever it says
		t.Errorf("%d", status)
	}
}

// Breakpad's sym_upload, call by call.
func TestBreakpadsProtocol(t *testing.T) {
	stores(t, func(t *testing.T, name string) {
		s := serve(t, name, nil)
		key := "?key=" + s.token
		call := func(method, at, body string) (int, string) {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), method, s.URL+at, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
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
		check := func(want string) {
			t.Helper()
			if status, text := call(http.MethodGet, "/v1/symbols/app.pdb/"+id+":checkStatus"+key, ""); status != 200 || !strings.Contains(text, `"status": "`+want+`"`) {
				t.Errorf("%d %s", status, text)
			}
		}
		upload := func(content, debugID string) (int, string) {
			t.Helper()
			status, raw := call(http.MethodPost, "/v1/uploads:create"+key, "")
			if status != 200 {
				t.Fatalf("%d %v", status, raw)
			}
			answer := map[string]string{} // read as that client reads it
			for _, m := range regexp.MustCompile(`"(uploadUrl|uploadKey)": "([^"]+)"`).FindAllStringSubmatch(raw, -1) {
				answer[m[1]] = m[2]
			}
			done := func() (int, string) {
				return call(http.MethodPost, fmt.Sprintf("/v1/uploads/%v:complete%s", answer["uploadKey"], key),
					`{ "symbol_id": { "debug_file": "app.pdb", "debug_id": "`+debugID+`" }, "symbol_upload_type": "BREAKPAD", "use_async_processing": true }`)
			}
			if status, text := done(); debugID == id && (status != 400 || !strings.Contains(text, "nothing has come")) {
				t.Errorf("before it is there: %d %s", status, text)
			}
			if status, _ := s.do(http.MethodPut, fmt.Sprint(answer["uploadUrl"]), "", nil, strings.NewReader(content)); status != 200 {
				t.Errorf("PUT: %d", status)
			}
			return done()
		}
		check("MISSING")
		content := strings.Replace(sym("app", 7), " app\n", " app.pdb\n", 1)
		if status, text := upload(content, id); status != 200 || !strings.Contains(text, `"result": "OK"`) {
			t.Errorf("%d %s", status, text)
		}
		check("FOUND")
		s.holds("app.pdb/"+id+"/app.sym", content)
		if status, text := upload(content, id); status != 200 || !strings.Contains(text, `"result": "DUPLICATE_DATA"`) {
			t.Errorf("%d %s", status, text)
		}
		if status, text := upload("noise", id); status != 400 || !strings.Contains(text, "not a symbol file") {
			t.Errorf("%d %s", status, text)
		}
		if status, text := upload(content, "../.."); status != 400 || !strings.Contains(text, "invalid debug file or debug id") {
			t.Errorf("%d %s", status, text)
		}
		for at, want := range map[string]int{"/v1/symbols/app.pdb/" + id + ":checkStatus": 403, "/v1/uploads:create": 405, "/v1/x": 404, "/v1/uploads/x:complete" + key: 405, "/v1/symbols/a/b:checkStatus" + key: 400} {
			if status, text := call(http.MethodGet, at, ""); status != want {
				t.Errorf("%s: %d %s", at, status, text)
			}
		}
	})
}

// Tokens are looked up as the file has them now; what is sent is nowhere.
func TestTokens(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "tokens.json")
	open := func() *upload.Tokens {
		t.Helper()
		tokens, err := upload.OpenTokens(file, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	server, operator := open(), open()
	secret, err := operator.Add("ci", []string{upload.CanUpload, upload.CanTry}, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	find := func(sent, want string) {
		t.Helper()
		now = now.Add(2 * time.Second)
		got, err := server.Find(sent)
		if err != nil || got == nil && want != "" || got != nil && got.Name != want {
			t.Errorf("%+v, %v, want %q", got, err, want)
		}
	}
	find(secret, "ci")
	find(secret+"-the label of a builder", "ci")
	find(secret[1:], "")
	find(strings.Repeat("0", 32), "")
	find("", "")
	if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte(secret)) {
		t.Errorf("the secret is in the file, %v", err)
	}
	for name, can := range map[string][]string{"ci": {upload.CanTry}, "": {upload.CanTry}, "a\nb": {upload.CanTry}, "none": nil, "other": {"everything"}, strings.Repeat("x", 101): {upload.CanTry}} {
		if _, err := operator.Add(name, can, time.Time{}); err == nil {
			t.Errorf("%q %q is a token", name, can)
		}
	}
	if _, err := operator.Add(strings.Repeat("x", 100), []string{upload.CanTry}, time.Time{}); err != nil {
		t.Error(err)
	}
	soon, err := operator.Add("soon", []string{upload.CanTry}, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	find(soon, "soon")
	now = now.Add(time.Minute)
	find(soon, "") // expired
	find(secret, "ci")
	if err := operator.Revoke("ci"); err != nil {
		t.Fatal(err)
	}
	find(secret, "")
	if err := operator.Revoke("ci"); err == nil {
		t.Error("revoked twice")
	}
	if list, err := server.List(); err != nil || len(list) != 2 {
		t.Errorf("%v %v", list, err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if _, err := server.Find(secret); err == nil {
		t.Error("a damaged file is read")
	}
}
