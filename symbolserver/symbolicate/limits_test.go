package symbolicate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"aftershock/symbolserver/symbolicate"
)

const (
	appID   = "5A9832E5287241C1838ED98914E9B7FF1"
	appPath = "app.pdb/" + appID + "/app.sym"
	appText = "MODULE windows x86_64 " + appID + " app.pdb\nINFO CODE_ID 5F0E9E2A1000 app.exe\nFILE 0 c:\\a/b.c\nFUNC 1000 10 0 f\n1000 10 7 0\nPUBLIC 2000 0 p\n"
)

// post sends a request without a network.
func post(t testing.TB, h http.Handler, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func title(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var answer struct{ Title string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return answer.Title
}

func repeat(n int, element string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
}

func TestLimits(t *testing.T) {
	cache := openCache(t, memory{appPath: appText})
	const module5, job5 = `["app.pdb","` + appID + `"]`, `{"memoryMap":[],"stacks":[[]]}`
	const frame6 = `{"address":1}`
	for name, tc := range map[string]struct {
		limits symbolicate.Limits
		path   string
		body   func(n int) string
		limit  int
		title  string
	}{
		"jobs of v5, as Eliot": {symbolicate.Limits{}, "/symbolicate/v5", func(n int) string { return `{"jobs":` + repeat(n, job5) + `}` }, 10, "please limit number of jobs in a single request to <= 10"},
		"jobs of v5":           {symbolicate.Limits{Jobs: 3}, "/symbolicate/v5", func(n int) string { return `{"jobs":` + repeat(n, job5) + `}` }, 3, "please limit number of jobs in a single request to <= 3"},
		"jobs of v6":           {symbolicate.Limits{BatchJobs: 12}, "/symbolicate/v6", func(n int) string { return `{"jobs":` + repeat(n, `{"modules":[],"stacks":[]}`) + `}` }, 12, "please limit number of jobs in a single request to <= 12"},
		"stacks":               {symbolicate.Limits{Stacks: 4}, "/symbolicate/v4", func(n int) string { return `{"memoryMap":[],"stacks":` + repeat(n, "[]") + `}` }, 4, "please limit number of stacks in a single request to <= 4"},
		"stacks of v6":         {symbolicate.Limits{Stacks: 4}, "/symbolicate/v6", func(n int) string { return `{"jobs":` + repeat(n, `{"modules":[],"stacks":[[]]}`) + `}` }, 4, "please limit number of stacks in a single request to <= 4"},
		"frames":               {symbolicate.Limits{Frames: 5}, "/symbolicate/v5", func(n int) string { return `{"memoryMap":[],"stacks":[` + repeat(n, "[-1,1]") + `]}` }, 5, "please limit number of frames in a single request to <= 5"},
		"frames of v6":         {symbolicate.Limits{Frames: 5}, "/symbolicate/v6", func(n int) string { return `{"jobs":[{"modules":[],"stacks":` + repeat(n, "["+frame6+"]") + `}]}` }, 5, "please limit number of frames in a single request to <= 5"},
		"modules":              {symbolicate.Limits{Modules: 6}, "/symbolicate/v5", func(n int) string { return `{"memoryMap":` + repeat(n, module5) + `,"stacks":[[]]}` }, 6, "please limit number of modules in a single request to <= 6"},
		"modules of v6":        {symbolicate.Limits{Modules: 6}, "/symbolicate/v6", func(n int) string { return `{"jobs":[{"modules":` + repeat(n, "{}") + `,"stacks":[]}]}` }, 6, "please limit number of modules in a single request to <= 6"},
		"a long name": {symbolicate.Limits{}, "/symbolicate/v6", func(n int) string {
			return `{"jobs":[{"modules":[{"debug_file":"` + strings.Repeat("a", n) + `"}],"stacks":[]}]}`
		}, 4096, "job 0: module 0: invalid debug_file"},
	} {
		t.Run(name, func(t *testing.T) {
			h := symbolicate.New(cache, symbolicate.Options{Limits: tc.limits})
			if w := post(t, h, tc.path, tc.body(tc.limit)); w.Code != http.StatusOK {
				t.Errorf("at the limit: %d %s", w.Code, w.Body)
			}
			if w := post(t, h, tc.path, tc.body(tc.limit+1)); w.Code != http.StatusBadRequest || title(t, w) != tc.title {
				t.Errorf("one past it: %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	const limit = 1000
	h := symbolicate.New(openCache(t, memory{appPath: appText}), symbolicate.Options{Limits: symbolicate.Limits{BodyBytes: limit}})
	sized := func(n int) string {
		body := `{"memoryMap":[],"stacks":[[]]}`
		return body + strings.Repeat(" ", n-len(body))
	}
	const large = "please limit the body of a single request to <= 1000 bytes"
	for name, tc := range map[string]struct {
		body, encoding string
		status         int
		title          string
	}{
		"at the limit":           {sized(limit), "", http.StatusOK, ""},
		"one past it":            {sized(limit + 1), "", http.StatusRequestEntityTooLarge, large},
		"gzip at the limit":      {gzipped(t, sized(limit)), "gzip", http.StatusOK, ""},
		"gzip one past it":       {gzipped(t, sized(limit+1)), " GZIP ", http.StatusRequestEntityTooLarge, large},
		"a bomb":                 {gzipped(t, sized(900_000)), "gzip", http.StatusRequestEntityTooLarge, large},
		"zstd at the limit":      {zstded(t, sized(limit)), "zstd", http.StatusOK, ""},
		"zstd one past it":       {zstded(t, sized(limit+1)), "zstd", http.StatusRequestEntityTooLarge, large},
		"no gzip":                {sized(100), "gzip", http.StatusBadRequest, "the body is not gzip"},
		"no zstd":                {sized(100), "zstd", http.StatusBadRequest, "the body cannot be read"},
		"gzip that is cut":       {gzipped(t, sized(900))[:30], "gzip", http.StatusBadRequest, "the body cannot be read"},
		"an encoding of nobody":  {sized(100), "br", http.StatusUnsupportedMediaType, "Content-Encoding is none of gzip and zstd"},
		"an encoding that is no": {sized(100), "identity", http.StatusOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := post(t, h, "/symbolicate/v5", tc.body, "Content-Encoding", tc.encoding)
			if w.Code != tc.status || tc.title != "" && title(t, w) != tc.title {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	// What was held has been given back: as much fits again, many times.
	small := symbolicate.New(openCache(t), symbolicate.Options{Limits: symbolicate.Limits{BodyBytes: limit, HeldBytes: limit + limit/2}})
	for range 10 {
		for _, body := range []string{sized(limit), sized(limit + 1), gzipped(t, sized(limit+1)), "{"} {
			if w := post(t, small, "/symbolicate/v5", body); w.Code == http.StatusServiceUnavailable {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
	}
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstded(t testing.TB, text string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(z.EncodeAll([]byte(text), nil))
}

// TestOddRequestsAreMistakesOfTheClient: whatever comes, the answer is 200 or 4xx, and JSON.
func TestOddRequestsAreMistakesOfTheClient(t *testing.T) {
	h := symbolicate.New(openCache(t, memory{appPath: appText}), symbolicate.Options{})
	values := []string{
		"null", "true", "5", "-1", "-0", "1e400", "-1e-400", "NaN", "-Infinity", "18446744073709551616", "-18446744073709551615", strings.Repeat("9", 10_000), `""`, `"jobs"`, `"\ud800"`, `"\u0000"`,
		"[]", "{}", "[[]]", "[[[]]]", "[[[0,1]]]", "[null]", `{"jobs":null}`, `["jobs"]`, strings.Repeat("[", 500_000), strings.Repeat(`{"a":`, 500_000), "\xff", "[\"\xc3\x28\"]", "\x00", "{\"a\":1,}",
	}
	seen := map[int]int{}
	for _, v := range values {
		for _, shape := range []string{
			"%s", `{"jobs":%s}`, `{"jobs":[%s]}`, `{"memoryMap":%s,"stacks":[[]]}`, `{"memoryMap":[%s],"stacks":[[]]}`, `{"memoryMap":[[%s,"1"]],"stacks":[[]]}`, `{"memoryMap":[["a",%s]],"stacks":[[]]}`,
			`{"memoryMap":[["app.pdb","` + appID + `"]],"stacks":%s}`, `{"memoryMap":[["app.pdb","` + appID + `"]],"stacks":[%s]}`, `{"memoryMap":[["app.pdb","` + appID + `"]],"stacks":[[%s]]}`,
			`{"memoryMap":[["app.pdb","` + appID + `"]],"stacks":[[[%s,1]]]}`, `{"memoryMap":[["app.pdb","` + appID + `"]],"stacks":[[[0,%s]]]}`, `{"x":%s,"memoryMap":[],"stacks":[[]]}`,
			`{"jobs":[{"modules":%s,"stacks":[]}]}`, `{"jobs":[{"modules":[%s],"stacks":[]}]}`, `{"jobs":[{"modules":[{"debug_id":%s,"base":%[1]s,"size":%[1]s}],"stacks":[[{"address":1}]]}]}`,
			`{"jobs":[{"modules":[],"stacks":%s}]}`, `{"jobs":[{"modules":[],"stacks":[%s]}]}`, `{"jobs":[{"modules":[],"stacks":[[%s]]}]}`, `{"jobs":[{"modules":[{}],"stacks":[[{"address":%s}]]}]}`,
			`{"jobs":[{"modules":[{}],"stacks":[[{"module":%s,"offset":1}]]}]}`, `{"jobs":[{"modules":[{}],"stacks":[[{"module":0,"offset":%s}]]}]}`,
		} {
			body := fmt.Sprintf(shape, v)
			for _, path := range []string{"/symbolicate/v4", "/symbolicate/v5", "/symbolicate/v6"} {
				w := post(t, h, path, body, "Debug", "1")
				if w.Code != http.StatusOK && w.Code != http.StatusBadRequest || !json.Valid(w.Body.Bytes()) {
					t.Fatalf("%s %.200s: %d %.200s", path, body, w.Code, w.Body)
				}
				seen[w.Code]++
			}
		}
	}
	if seen[http.StatusOK] < 50 || seen[http.StatusBadRequest] < 100 {
		t.Error(seen)
	}
}
