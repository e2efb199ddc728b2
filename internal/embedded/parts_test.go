package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

func TestParseStatement(t *testing.T) {
	for text, want := range map[string]statement{
		"SELECT 1":                             {kind: kindSelect, verb: "SELECT", text: "SELECT 1"},
		"  with x as (select 1) select 2 ; \n": {kind: kindSelect, verb: "WITH", text: "  with x as (select 1) select 2 "},
		"SELECT ';', $a$;$a$, `;` # ;\n-- ;":   {kind: kindSelect, verb: "SELECT", text: "SELECT ';', $a$;$a$, `;` # ;\n-- ;"},
		"/*;*/ SELECT 1 FORMAT JSON":           {kind: kindSelect, verb: "SELECT", text: "/*;*/ SELECT 1 FORMAT JSON", format: "JSON"},
		"(SELECT 1)":                           {kind: kindRead, text: "(SELECT 1)"},
		"describe t":                           {kind: kindRead, verb: "DESCRIBE", text: "describe t"},
		"DROP TABLE t":                         {kind: kindOther, verb: "DROP", text: "DROP TABLE t"},

		"INSERT INTO t FORMAT TSV":                              {kind: kindInsert, verb: "INSERT", text: "INSERT INTO t ", format: "TSV"},
		"INSERT INTO t FORMAT TSV \r\n\n;":                      {kind: kindInsert, verb: "INSERT", text: "INSERT INTO t ", format: "TSV", data: "\n;"},
		"insert t (a, `b)`) settings x='FORMAT Y' format csv 1": {kind: kindInsert, verb: "INSERT", text: "insert t (a, `b)`) settings x='FORMAT Y' ", format: "csv", data: "1"},
		"INSERT INTO TABLE format.values VALUES(1); x":          {kind: kindInsert, verb: "INSERT", text: "INSERT INTO TABLE format.values ", format: "Values", data: "(1); x"},
		"INSERT INTO FUNCTION f('FORMAT') VALUES (1)":           {kind: kindInsert, verb: "INSERT", text: "INSERT INTO FUNCTION f('FORMAT') ", format: "Values", data: " (1)"},
		"INSERT INTO t SELECT format FROM x;":                   {kind: kindOther, verb: "INSERT", text: "INSERT INTO t SELECT format FROM x", format: "FROM"},
		"INSERT INTO t (a) (SELECT 1)":                          {kind: kindOther, verb: "INSERT", text: "INSERT INTO t (a) (SELECT 1)"},
	} {
		got, err := parseStatement(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(statement{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for text, want := range map[string]error{
		"":                                     errEmptyQuery,
		" -- nothing":                          errEmptyQuery,
		"SELECT 1; SELECT 2":                   errMultiStatement,
		"INSERT INTO t SELECT 1; DROP TABLE t": errMultiStatement,
		"SELECT 'x\\'":                         errUnfinished,
		"SELECT /* 1":                          errUnfinished,
		"INSERT INTO t":                        errInsertSource,
		"INSERT INTO t; x":                     errInsertSource,
		"INSERT INTO t FORMAT":                 errInsertSource,
		"INSERT INTO t FORMAT TSV; 1":          errSemicolon,
		"INSERT INTO t FROM INFILE 'x' FORMAT TSV":                   errFiles,
		"SELECT 1 INTO OUTFILE 'x'":                                  errFiles,
		"INSERT INTO t SELECT * FROM input('a UInt8') FORMAT TSV\n1": errInputFunction,
	} {
		if _, err := parseStatement(text); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

// FuzzParseStatement: nothing of the text is lost or made up, and what is run
// holds no second statement.
func FuzzParseStatement(f *testing.F) {
	for _, seed := range []string{
		"SELECT 1;", "INSERT INTO t FORMAT TSV\n1", "INSERT INTO t (a) VALUES (1);", "$a$ $a$", "'\\", "/*", "INSERT INTO t (SELECT 1) ; ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseStatement(text)
		if err != nil {
			return
		}
		if !strings.HasPrefix(text, s.text) || !strings.HasSuffix(text, s.data) || len(s.text)+len(s.data) > len(text) {
			t.Fatalf("%q: text %q and data %q", text, s.text, s.data)
		}
		if s.kind == kindInsert {
			return
		}
		if again, err := parseStatement(s.text); err != nil || again.text != s.text || again.kind != s.kind {
			t.Fatalf("%q: %q is not a statement: %v", text, s.text, err)
		}
	})
}

func packFrames(t testing.TB, method compress.Method, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := newFrameWriter(&b, method)
	for _, part := range parts {
		if n, err := io.WriteString(w, part); err != nil || n != len(part) {
			t.Fatal(n, err)
		}
	}
	return b.Bytes()
}

func TestFrameReaderNoticesEveryCut(t *testing.T) {
	for _, method := range []compress.Method{compress.None, compress.LZ4, compress.ZSTD} {
		first := packFrames(t, method, "first frame")
		whole := append(bytes.Clone(first), packFrames(t, method, "second")...)
		for n := range len(whole) + 1 {
			got, err := io.ReadAll(newFrameReader(iotest.OneByteReader(bytes.NewReader(whole[:n])), maxFrameBytes))
			switch {
			case n == 0 || n == len(first) || n == len(whole):
				if want := map[int]string{len(first): "first frame", len(whole): "first framesecond"}[n]; err != nil || string(got) != want {
					t.Errorf("%v: %d bytes: %q, %v", method, n, got, err)
				}
			case !errors.Is(err, io.ErrUnexpectedEOF):
				t.Errorf("%v: cut to %d of %d bytes: %q, %v", method, n, len(whole), got, err)
			}
		}
	}
}

func TestFrameReaderLimit(t *testing.T) {
	header := func(packed, unpacked uint32) []byte {
		b := make([]byte, frameHeaderBytes)
		b[16] = 0x02
		for i := range 4 {
			b[framePackedOffset+i] = byte(packed >> (8 * i))
			b[frameUnpackOffset+i] = byte(unpacked >> (8 * i))
		}
		return b
	}
	for name, c := range map[string]struct {
		packed, unpacked uint32
		tooLarge         bool
	}{
		"at the limit":         {maxFrameBytes, maxFrameBytes, false},
		"packed beyond":        {maxFrameBytes + 1, 1, true},
		"unpacked beyond":      {10, maxFrameBytes + 1, true},
		"less than its header": {frameInnerHeader - 1, 0, true},
	} {
		_, err := io.ReadAll(newFrameReader(bytes.NewReader(header(c.packed, c.unpacked)), maxFrameBytes))
		if err == nil || strings.Contains(err.Error(), "want at most") != c.tooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFrameReader(f *testing.F) {
	for _, method := range []compress.Method{compress.None, compress.LZ4, compress.ZSTD} {
		f.Add(packFrames(f, method, "some text", "some more text"))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		if len(packed) > 20 && (packed[20] != 0 || len(packed) > 24 && packed[24] != 0) {
			return // tens of megabytes an input tell nothing more
		}
		text, err := io.ReadAll(newFrameReader(bytes.NewReader(packed), maxFrameBytes))
		if err != nil {
			return
		}
		again, err := io.ReadAll(newFrameReader(bytes.NewReader(packFrames(t, compress.LZ4, string(text))), maxFrameBytes))
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%x: %q became %q, %v", packed, text, again, err)
		}
	})
}

func TestSpoolHoldsWholeBodiesOnly(t *testing.T) {
	dir := t.TempDir()
	const memory, limit = 8, 32
	for n := range limit + 2 {
		body := strings.Repeat("x", n)
		s, err := newSpool(strings.NewReader(body), dir, memory, limit)
		if n > limit {
			if code, _ := asException(err); code != 131 {
				t.Errorf("%d bytes: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(s.reader()); err != nil || string(got) != body {
			t.Errorf("%d bytes: %q, %v", n, got, err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		cut := io.MultiReader(strings.NewReader(body), errorReader{io.ErrUnexpectedEOF})
		if _, err := newSpool(cut, dir, memory, limit); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestRequestLimits(t *testing.T) {
	query := url.Values{}
	for i := range maxSettings {
		query.Set(fmt.Sprintf("s%d", i), "1")
		query.Set(fmt.Sprintf("param_%d", i), "1")
	}
	if _, err := parseRequest(httptest.NewRequest(http.MethodPost, "/?"+query.Encode(), http.NoBody)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	for _, one := range []string{"s", "param_s"} {
		target := "/?" + one + "=1&" + query.Encode()
		if _, err := parseRequest(httptest.NewRequest(http.MethodPost, target, http.NoBody)); err == nil {
			t.Errorf("one more %s: no error", one)
		}
	}
	for seconds, ok := range map[string]bool{"3600": true, "3601": false, "-1": false, "x": false} {
		if _, err := parseRequest(httptest.NewRequest(http.MethodPost, "/?session_timeout="+seconds, http.NoBody)); (err == nil) != ok {
			t.Errorf("session_timeout=%s: %v", seconds, err)
		}
	}
}

func TestRequestPanicIsAnException(t *testing.T) {
	w := httptest.NewRecorder()
	broken := &facade{log: zerolog.Nop()} // without a pool
	broken.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("SELECT 1")))
	if w.Code != http.StatusInternalServerError || w.Header().Get("X-ClickHouse-Exception-Code") != "49" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestLockNamesTheOther(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	lock, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := lockDir(dir); !errors.As(err, &locked) || locked.PID != os.Getpid() || locked.Dir != dir {
		t.Errorf("second: %v", err)
	}
	if err := lock.release(); err != nil {
		t.Fatal(err)
	}
	if lock, err = lockDir(dir); err != nil {
		t.Fatal(err)
	}
	if err := lock.release(); err != nil {
		t.Fatal(err)
	}
}

func TestFindLibraryTakesTheFirstGiven(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv(libraryEnv, "")
	if _, err := FindLibrary(""); err == nil || !strings.Contains(err.Error(), "make libchdb") {
		t.Errorf("none: %v", err)
	}
	installed := filepath.Join(cache, "aftershock", "libchdb", LibraryVersion, "libchdb.so")
	other := filepath.Join(cache, "other.so")
	for _, path := range []string{installed, other} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := FindLibrary(""); err != nil || got != installed {
		t.Errorf("cache: %s, %v", got, err)
	}
	t.Setenv(libraryEnv, other)
	if got, err := FindLibrary(""); err != nil || got != other {
		t.Errorf("environment: %s, %v", got, err)
	}
	if got, err := FindLibrary(installed); err != nil || got != installed {
		t.Errorf("flag: %s, %v", got, err)
	}
	if _, err := FindLibrary(cache); err == nil {
		t.Error("a directory is no library")
	}
}
