package symbolicate_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/internal/reference"
	"aftershock/symbolcache"
	"aftershock/symbolserver/symbolicate"
)

var update = flag.Bool("update", false, "write testdata/differences.json anew")

// vector is a request and what Eliot answers.
type vector struct {
	Name, Method, Path string
	Headers            map[string]string
	Body               *string
	Expect             struct {
		Status      int
		ContentType string `json:"content_type"`
		Headers     map[string]string
		JSON        any
		Text        *string
	}
	Symbols map[string]string // by path in the source
}

// difference is a vector that we answer otherwise, on purpose.
type difference struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	// Differs tells by place what Eliot answers and what we do.
	Differs map[string][2]any `json:"differs"`
}

const differencesFile = "testdata/differences.json"

// TestVectors sends what Eliot was sent. An answer is that of Eliot, or as
// testdata/differences.json tells, which is reviewed.
func TestVectors(t *testing.T) {
	vectors := readVectors(t)
	symbols := memory{}
	for _, v := range vectors {
		for path, text := range v.Symbols {
			symbols[path] = text
		}
	}
	folder := filepath.Join(corpus(t), "linux_inline", "BBA6FA10B8AAB33D00000000000000000")
	inlines, err := os.ReadFile(filepath.Join(folder, "linux_inline.new.sym")) // there are two, none by the name
	if err != nil {
		t.Fatal(err)
	}
	symbols["linux_inline/BBA6FA10B8AAB33D00000000000000000/linux_inline.sym"] = string(inlines)
	cache := openCache(t, symbols, symbolcache.Dir(corpus(t)))
	server := httptest.NewServer(symbolicate.New(cache, symbolicate.Options{}))
	defer server.Close()

	listed := readDifferences(t)
	equal := 0
	var now []difference
	for _, v := range vectors {
		differs := v.compare(t, server.URL)
		was := listed[v.Name]
		delete(listed, v.Name)
		if len(differs) == 0 {
			equal++
		} else {
			now = append(now, difference{v.Name, was.Reason, differs})
		}
		if diff := cmp.Diff(was.Differs, differs); diff != "" && !*update {
			t.Errorf("%s: other differences from Eliot than the reviewed ones\n%s", v.Name, diff)
		}
		if was.Reason == "" && len(differs) > 0 {
			t.Errorf("%s differs without a reason", v.Name)
		}
	}
	for name := range listed {
		t.Errorf("%s is no vector", name)
	}
	t.Logf("%d vectors: %d equal, %d differ on purpose", len(vectors), equal, len(vectors)-equal)
	if *update {
		b, err := json.MarshalIndent(now, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(differencesFile, append(b, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(reference.Path(t, "vectors", "symbolicate"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var out []vector
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func readDifferences(t *testing.T) map[string]difference {
	t.Helper()
	b, err := os.ReadFile(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	var list []difference
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]difference{}
	for _, d := range list {
		out[d.Name] = d
	}
	return out
}

// compare sends the request and answers what differs.
func (v *vector) compare(t *testing.T, url string) map[string][2]any {
	t.Helper()
	status, header, body := v.send(t, url)
	if v.Headers["Debug"] != "" { // what was recorded is the second time
		status, header, body = v.send(t, url)
	}
	d := differing{}
	d.add("status", float64(v.Expect.Status), float64(status))
	d.add("content type", v.Expect.ContentType, header.Get("Content-Type"))
	for name, value := range v.Expect.Headers {
		d.add("header "+name, value, header.Get(name))
	}
	if v.Expect.Text != nil {
		d.add("text", *v.Expect.Text, string(body))
	}
	if v.Expect.JSON != nil {
		var got any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%s: %v: %q", v.Name, err, body)
		}
		zeroTimes(got)
		d.addJSON("", v.Expect.JSON, got)
	}
	if len(d) == 0 {
		return nil
	}
	return d
}

func (v *vector) send(t *testing.T, url string) (int, http.Header, []byte) {
	t.Helper()
	var body io.Reader
	if v.Body != nil {
		body = strings.NewReader(*v.Body)
	}
	r, err := http.NewRequestWithContext(t.Context(), v.Method, url+v.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range v.Headers {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, b
}

// differing is by place what was wanted and what came.
type differing map[string][2]any

func (d differing) add(place string, want, got any) {
	if !cmp.Equal(want, got) {
		d[place] = [2]any{want, got}
	}
}

func (d differing) addJSON(place string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, key := range slices.Concat(keys(w), keys(g)) {
			d.addJSON(place+"/"+key, w[key], g[key])
			if _, both := g[key]; !both && w[key] == nil {
				d[place+"/"+key] = [2]any{nil, "absent"}
			}
		}
		return
	case []any:
		g, ok := got.([]any)
		if !ok || len(w) != len(g) {
			break
		}
		for i := range w {
			d.addJSON(fmt.Sprintf("%s/%d", place, i), w[i], g[i])
		}
		return
	}
	d.add(place, want, got)
}

func keys(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

// zeroTimes makes what varies of a debug answer what was recorded.
func zeroTimes(v any) {
	m, _ := v.(map[string]any)
	debug, _ := m["debug"].(map[string]any)
	var zero func(map[string]any)
	zero = func(m map[string]any) {
		for key, value := range m {
			if group, ok := value.(map[string]any); ok {
				zero(group)
			} else if key == "time" {
				m[key] = float64(0)
			}
		}
	}
	zero(debug)
}
