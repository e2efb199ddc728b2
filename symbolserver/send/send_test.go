package send_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/rs/zerolog"

	"aftershock/internal/bucket/buckettest"
	"aftershock/symbolserver/send"
	"aftershock/symbolserver/store"
	"aftershock/symbolserver/upload"
)

const id = "5A9832E5287241C1838ED98914E9B7FF1"

func sym(name string) string {
	return "MODULE Linux x86_64 " + id + " " + name + "\nFUNC 10 10 0 f\n10 10 7 0\nSTACK CFI INIT 10 10 .cfa: $rsp 8 +\n"
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func gzipped(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, content) //nolint:errcheck // into memory
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tree is a directory as builds leave it.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "app.sym"), []byte(sym("app")))
	write(t, filepath.Join(dir, "deep/er/lib with space.sym.gz"), gzipped(t, sym("lib with space.so")))
	write(t, filepath.Join(dir, "win/core.pdb.sym"), []byte(sym("core.pdb")))
	write(t, filepath.Join(dir, "README"), []byte("no symbols"))
	write(t, filepath.Join(dir, "empty"), nil)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func find(t *testing.T, names ...string) (files []send.File, skipped int) {
	t.Helper()
	err := send.Find(names, func(f send.File) error { files = append(files, f); return nil }, func(string, error) { skipped++ })
	if err != nil {
		t.Fatal(err)
	}
	return files, skipped
}

func paths(files []send.File) (out []string) {
	for _, f := range files {
		out = append(out, f.Path.String())
	}
	slices.Sort(out)
	return out
}

func TestFilesAreFound(t *testing.T) {
	dir := tree(t)
	files, skipped := find(t, dir)
	want := []string{"app/" + id + "/app.sym", "core.pdb/" + id + "/core.sym", "lib with space.so/" + id + "/lib with space.so.sym"}
	if got := paths(files); !slices.Equal(got, want) || skipped != 2 {
		t.Errorf("%q, %d skipped", got, skipped)
	}
	if err := send.Find([]string{filepath.Join(dir, "README")}, nil, nil); !errors.Is(err, send.ErrUnknown) {
		t.Errorf("what was named itself: %v", err)
	}
}

// Modules' own files: what a compiler makes, and what others' tools say of it.
func TestModulesAreIdentified(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("gcc is missing")
	}
	dir := t.TempDir()
	source := write(t, filepath.Join(dir, "a.c"), []byte("int main(void) { return 0; }\n"))
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	app, debug := filepath.Join(dir, "app"), filepath.Join(dir, "app.debug")
	run(gcc, "-g", "-Wl,--build-id=0x00ff10", "-o", app, source)
	run("objcopy", "--only-keep-debug", app, debug)
	for name, want := range map[string]string{app: "buildid/00ff10/executable", debug: "buildid/00ff10/debuginfo"} {
		f, err := send.Identify(name)
		if err != nil || f.Path.String() != want {
			t.Errorf("%s: %v, %v", name, f.Path, err)
		}
	}
	run(gcc, "-Wl,--build-id=none", "-o", app, source)
	if f, err := send.Identify(app); !errors.Is(err, send.ErrUnknown) {
		t.Errorf("without an id: %v, %v", f.Path, err)
	}
	for n := range 64 { // torn ones
		whole, err := os.ReadFile(debug)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := send.Identify(write(t, filepath.Join(dir, "torn"), whole[:len(whole)*n/64])); err != nil && !errors.Is(err, send.ErrUnknown) {
			t.Errorf("torn at %d: %v", n, err)
		}
	}
}

// server is a symbol server over a store, at which a handler of the test's may fail.
func server(t *testing.T, name string, fails func(w http.ResponseWriter, r *http.Request) bool) (*httptest.Server, store.Store, string) {
	t.Helper()
	st, err := store.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := upload.OpenTokens(filepath.Join(t.TempDir(), "tokens"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	token, err := tokens.Add("ci", []string{upload.CanUpload}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	h := upload.New(upload.Options{Store: st, Tokens: tokens, Encoding: store.Gzip, Log: zerolog.Nop()})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fails == nil || !fails(w, r) {
			h.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { s.Close(); h.Close() })
	return s, st, token
}

// sent sends files and returns what became of each.
func sent(t *testing.T, s *send.Sender, files []send.File) (out []string, err error) {
	t.Helper()
	s.Client, s.Parallel = http.DefaultClient, 4
	s.Done = func(f send.File, o send.Outcome) {
		out = append(out, strings.TrimSpace(fmt.Sprint(f.Path.File, " ", o.Status, " ", o.Message)))
	}
	err = s.Send(t.Context(), files)
	slices.Sort(out)
	return out, err
}

// What is there is not sent, and what fails for a while is sent again.
func TestOnlyWhatIsLackingIsSent(t *testing.T) {
	for kind, name := range map[string]func() string{
		"directory": t.TempDir,
		"S3":        func() string { return buckettest.Start(t).Name(buckettest.Bucket + "/symbols") },
	} {
		t.Run(kind, func(t *testing.T) {
			var puts, fails atomic.Int64
			s, st, token := server(t, name(), func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasPrefix(r.URL.Path, "/upload/v2/") && r.URL.Path != "/upload/v2/" {
					puts.Add(1)
					if fails.Add(1)%2 == 1 {
						w.WriteHeader(http.StatusServiceUnavailable)
						return true
					}
				}
				return false
			})
			files, _ := find(t, tree(t))
			sender := send.Sender{URL: s.URL + "/", Token: token}
			got, err := sent(t, &sender, files)
			if want := []string{"app kept", "core.pdb kept", "lib with space.so kept"}; err != nil || !slices.Equal(got, want) {
				t.Fatalf("%q, %v", got, err)
			}
			before := puts.Load()
			got, err = sent(t, &sender, files)
			if want := []string{"app same", "core.pdb same", "lib with space.so same"}; err != nil || !slices.Equal(got, want) || puts.Load() != before {
				t.Errorf("%q, %v, sent %d", got, err, puts.Load()-before)
			}
			for _, f := range files {
				o, err := st.Stat(t.Context(), f.Path.String())
				if err != nil || o.SHA256 != f.SHA256 || o.By != "ci" {
					t.Errorf("%+v, %v", o, err)
				}
			}
			// Another file at the key.
			dir := t.TempDir()
			write(t, filepath.Join(dir, "app.sym"), []byte(sym("app")+"FUNC 40 10 0 g\n"))
			files, _ = find(t, dir)
			if got, err := sent(t, &sender, files); err != nil || len(got) != 1 || !strings.HasPrefix(got[0], "app error another file is there: sha256") {
				t.Errorf("%q, %v", got, err)
			}
			if got, err := sent(t, &send.Sender{URL: s.URL, Token: token, Replace: true}, files); err != nil || !slices.Equal(got, []string{"app replaced"}) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestWhatIsWrongWithTheServerIsSaid(t *testing.T) {
	s, _, _ := server(t, t.TempDir(), nil)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere/upload/v2/" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		io.WriteString(w, "<html>") //nolint:errcheck // to a client
	}))
	defer other.Close()
	files, _ := find(t, tree(t))
	for at, want := range map[string]string{
		s.URL: "Forbidden", other.URL: "the answer is no JSON: is it a symbol server?",
	} {
		got, err := sent(t, &send.Sender{URL: at, Token: strings.Repeat("0", 32)}, files)
		if err == nil || !strings.Contains(err.Error(), want) || len(got) > 0 {
			t.Errorf("%v %q", err, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sender := send.Sender{URL: "http://127.0.0.1:1", Client: http.DefaultClient, Parallel: 1, Done: func(send.File, send.Outcome) {}}
	if err := sender.Send(ctx, files); err == nil {
		t.Error("a server that is none")
	}
}

// A server that sends us elsewhere does not send the token there.
func TestTokensStayWithTheirServer(t *testing.T) {
	var got atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got.Add(1) }))
	defer other.Close()
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) }))
		files, _ := find(t, tree(t))
		s := send.Sender{URL: server.URL, Token: "secret", Parallel: 1, Client: &http.Client{}, Done: func(send.File, send.Outcome) {}}
		if err := s.Send(t.Context(), files); err == nil || !strings.Contains(err.Error(), "sends us elsewhere") {
			t.Errorf("%d: %v", status, err)
		}
		server.Close()
	}
	if n := got.Load(); n > 0 {
		t.Errorf("asked %d times", n)
	}
}

// Who is no symbol server, or knows nothing of the token, is told apart.
func TestWhatIsWrongWithAServer(t *testing.T) {
	files, _ := find(t, tree(t))
	for want, answer := range map[string]http.HandlerFunc{
		"405 Method Not Allowed: \"Method Not Allowed\\n\": is it a symbol server that takes uploads": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		},
		"does not take the token: Forbidden": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error": "Forbidden"}`, http.StatusForbidden)
		},
	} {
		server := httptest.NewServer(answer)
		s := send.Sender{URL: server.URL, Token: "x", Parallel: 1, Client: &http.Client{}, Done: func(send.File, send.Outcome) {}}
		if err := s.Send(t.Context(), files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		server.Close()
	}
}
