package symbolicate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"aftershock/symbolcache"
	"aftershock/symbolserver/symbolicate"
)

// answerJSON posts and answers what came, without the sums of files.
func answerJSON(t *testing.T, h http.Handler, path, body string) string {
	t.Helper()
	w := post(t, h, path, body)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", body, w.Code, w.Body)
	}
	return w.Body.String()
}

func equalJSON(t *testing.T, want, got string) {
	t.Helper()
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v: %s", err, want)
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("%s\n%s", got, diff)
	}
}

func TestV6SaysHowGoodAnAnswerIs(t *testing.T) {
	const lossy, otherID = "MODULE Linux x86_64 " + appID + " lossy\nFUNC zzz\nFUNC 10 10 0 g\n", "99999999999999999999999999999999A"
	h := symbolicate.New(openCache(t, memory{
		appPath: appText, "lossy/" + appID + "/lossy.sym": lossy, "app.pdb/" + otherID + "/app.sym": appText,
		"xul.dll/62A0F4C96F000/xul.sym": appText, "bad/" + appID + "/bad.sym": "<html>",
	}), symbolicate.Options{})
	body := `{"jobs":[{"modules":[
		{"debug_file":"C:\\b\\app.pdb","debug_id":"` + appID + `","base":"0x400000","size":65536},
		{"debug_file":"lossy","debug_id":"` + appID + `"},
		{"debug_file":"app.pdb","debug_id":"` + otherID + `"},
		{"code_file":"xul.dll","code_id":"62a0f4c96f000","base":"0xfffffffffffff000","size":"0xffff"},
		{"debug_file":"gone","debug_id":"` + appID + `"}, {"debug_file":"bad","debug_id":"` + appID + `"}, {"debug_file":"fail","debug_id":"` + appID + `"},
		{"debug_file":"gone","debug_id":"` + otherID + `"}, {}],
	"stacks":[[{"address":"0x401000"},{"address":4198400},{"address":"0xdead"},{"module":0,"offset":"0x3000"},{"module":1,"offset":16},{"module":2,"offset":4096},
		{"module":3,"offset":8193},{"address":"0xffffffffffffffff"},{"module":4,"offset":1},{"module":5,"offset":1},{"module":6,"offset":1},{"module":8,"offset":1}],[]]}]}`
	got := answerJSON(t, h, "/symbolicate/v6", body)
	sum := `"sha256":"` + sha(appText) + `","bad_lines":0,"debug_file":"app.pdb","debug_id":"` + appID + `","code_file":"app.exe","code_id":"5F0E9E2A1000"`
	f := `"function":"f","function_offset":"0x0","file":"c:\\a/b.c","line":7`
	equalJSON(t, `{"results":[{"modules":[{"outcome":"found",`+sum+`},{"outcome":"found_lossy","sha256":"`+sha(lossy)+`","bad_lines":1,"debug_file":"lossy","debug_id":"`+appID+`"},
		{"outcome":"found",`+sum+`},{"outcome":"found",`+sum+`},{"outcome":"missing"},{"outcome":"malformed"},{"outcome":"error"},{"outcome":"unused"},{"outcome":"missing"}],
	"stacks":[[{"module":0,"offset":"0x1000",`+f+`},{"module":0,"offset":"0x1000",`+f+`},{"module":null,"address":"0xdead"},{"module":0,"offset":"0x3000","function":"p","function_offset":"0x1000","doubt":["public"]},
		{"module":1,"offset":"0x10","function":"g","function_offset":"0x0","doubt":["lossy"]},{"module":2,"offset":"0x1000",`+f+`,"doubt":["other_debug_id"]},
		{"module":3,"offset":"0x2001","function":"p","function_offset":"0x1","doubt":["public"]},{"module":3,"offset":"0xfff"},
		{"module":4,"offset":"0x1"},{"module":5,"offset":"0x1"},{"module":6,"offset":"0x1"},{"module":8,"offset":"0x1"}],[]]}]}`, got)

	// v5 has three values for the same modules, and no names of another build.
	v5 := answerJSON(t, h, "/symbolicate/v5", `{"memoryMap":[["app.pdb","`+appID+`"],["lossy","`+appID+`"],["app.pdb","`+otherID+`"],["fail","`+appID+`"],["gone","`+appID+`"]],"stacks":[[[1,16],[2,4096],[3,1],[4,1]]]}`)
	equalJSON(t, `{"results":[{"stacks":[[{"frame":0,"module":"lossy","module_offset":"0x10","function":"g","function_offset":"0x0"},{"frame":1,"module":"app.pdb","module_offset":"0x1000"},
		{"frame":2,"module":"fail","module_offset":"0x1"},{"frame":3,"module":"gone","module_offset":"0x1"}]],
		"found_modules":{"app.pdb/`+appID+`":null,"lossy/`+appID+`":true,"app.pdb/`+otherID+`":false,"fail/`+appID+`":false,"gone/`+appID+`":false}}]}`, v5)
}

func TestMistakesOfV6(t *testing.T) {
	h := symbolicate.New(openCache(t), symbolicate.Options{})
	for body, want := range map[string]string{
		`[]`:                                     "the request must be an object",
		`{}`:                                     "jobs must be a list",
		`{"jobs":[{},5]}`:                        "job 0: modules must be a list",
		`{"jobs":[5]}`:                           "job 0: must be an object",
		`{"jobs":[{"modules":[]}]}`:              "job 0: stacks must be a list",
		`{"jobs":[{"modules":[5],"stacks":[]}]}`: "job 0: module 0: must be an object",
		`{"jobs":[{"modules":[{},{"base":"16"}],"stacks":[]}]}`:                                 "job 0: module 1: invalid base",
		`{"jobs":[{"modules":[{"size":-1}],"stacks":[]}]}`:                                      "job 0: module 0: invalid size",
		`{"jobs":[{"modules":[{"code_id":1}],"stacks":[]}]}`:                                    "job 0: module 0: invalid code_id",
		`{"jobs":[{"modules":[],"stacks":[5]}]}`:                                                "job 0: stack 0 must be a list",
		`{"jobs":[{"modules":[],"stacks":[[5]]}]}`:                                              "job 0: stack 0: frame 0: must be an object",
		`{"jobs":[{"modules":[],"stacks":[[{"address":"0x10000000000000000"}]]}]}`:              "job 0: stack 0: frame 0: invalid address",
		`{"jobs":[{"modules":[],"stacks":[[{"address":true}]]}]}`:                               "job 0: stack 0: frame 0: invalid address",
		`{"jobs":[{"modules":[{}],"stacks":[[{"module":true,"offset":1}]]}]}`:                   "job 0: stack 0: frame 0: invalid module",
		`{"jobs":[{"modules":[{}],"stacks":[[{"module":1,"offset":1}]]}]}`:                      "job 0: stack 0: frame 0: module is not one of the job's",
		`{"jobs":[{"modules":[{}],"stacks":[[{"module":0,"offset":1,"address":1}]]}]}`:          "job 0: stack 0: frame 0: want either a module and an offset or an address",
		`{"jobs":[{"modules":[{}],"stacks":[[{"module":0}]]}]}`:                                 "job 0: stack 0: frame 0: want either a module and an offset or an address",
		`{"jobs":[{"modules":[{}],"stacks":[[{"module":null,"offset":null,"address":null}]]}]}`: "job 0: stack 0: frame 0: want either a module and an offset or an address",
	} {
		if w := post(t, h, "/symbolicate/v6", body); w.Code != http.StatusBadRequest || title(t, w) != want {
			t.Errorf("%s: %d %s, want %q", body, w.Code, w.Body, want)
		}
	}
}

// hanging is a source that answers for one module only when it is let go.
type hanging struct {
	memory
	asked chan struct{} // gets one when the module is asked for
}

func (h hanging) Open(ctx context.Context, path string) (symbolcache.Body, error) {
	if strings.HasPrefix(path, "hangs/") {
		select {
		case h.asked <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return symbolcache.Body{}, ctx.Err()
	}
	return h.memory.Open(ctx, path)
}

const hangs = `["hangs","` + appID + `"]`

// TestAHangingSourceDelaysNobodyElse: while a request waits for a module, others of other
// modules are answered, and a batch sends the jobs before the one that waits.
func TestAHangingSourceDelaysNobodyElse(t *testing.T) {
	source := hanging{memory{appPath: appText}, make(chan struct{}, 1)}
	h := symbolicate.New(openCache(t, source), symbolicate.Options{Deadline: time.Hour})
	server := httptest.NewServer(h)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/symbolicate/v6", strings.NewReader(`{"jobs":[
		{"modules":[{"debug_file":"app.pdb","debug_id":"`+appID+`"}],"stacks":[[{"module":0,"offset":4096}]]},
		{"modules":[{"debug_file":"hangs","debug_id":"`+appID+`"}],"stacks":[[{"module":0,"offset":4096}]]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	first, err := bufio.NewReader(answer.Body).ReadString(']')
	if err != nil || !strings.Contains(first, `"outcome":"found"`) {
		t.Fatalf("%q %v", first, err)
	}
	<-source.asked
	for range 64 {
		answerJSON(t, h, "/symbolicate/v5", `{"memoryMap":[["app.pdb","`+appID+`"],`+hangs+`],"stacks":[[[0,4096]]]}`)
	}
	cancel() // it leaves: its work ends, else the server could not be closed
}

// TestTheDeadlineEndsWaiting tells what is not there then.
func TestTheDeadlineEndsWaiting(t *testing.T) {
	source := hanging{memory{appPath: appText}, make(chan struct{}, 1)}
	cache := openCache(t, source)
	app := `["app.pdb","` + appID + `"]`
	h := symbolicate.New(cache, symbolicate.Options{Deadline: time.Hour})
	answerJSON(t, h, "/symbolicate/v5", `{"memoryMap":[`+app+`],"stacks":[[[0,4096]]]}`) // now it is in memory
	h = symbolicate.New(cache, symbolicate.Options{Deadline: time.Nanosecond})
	equalJSON(t, `{"symbolicatedStacks":[["f (in app.exe)","0x1 (in hangs)"]],"knownModules":[true,false]}`,
		answerJSON(t, h, "/symbolicate/v4", `{"memoryMap":[`+app+`,`+hangs+`],"stacks":[[[0,4096],[1,1]]]}`))
	equalJSON(t, `{"results":[{"modules":[{"outcome":"timeout"}],"stacks":[[{"module":0,"offset":"0x1"}]]}]}`,
		answerJSON(t, h, "/symbolicate/v6", `{"jobs":[{"modules":[{"debug_file":"hangs","debug_id":"`+appID+`"}],"stacks":[[{"module":0,"offset":1}]]}]}`))
}

// TestManyModulesThatHangLeaveRoomForOthers: a module that is on disk is found although more
// modules than are asked for at a time hang before it.
func TestManyModulesThatHangLeaveRoomForOthers(t *testing.T) {
	t.Parallel() // it waits
	source := hanging{memory{appPath: appText}, make(chan struct{}, 1)}
	dir := t.TempDir()
	open := func() *symbolcache.Cache {
		c, err := symbolcache.New(symbolcache.Options{Dir: dir, Sources: []symbolcache.Source{source}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const app = `["app.pdb","` + appID + `"]`
	c := open()
	answerJSON(t, symbolicate.New(c, symbolicate.Options{}), "/symbolicate/v4", `{"memoryMap":[`+app+`],"stacks":[[[0,1]]]}`)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open()
	defer c.Close()
	var modules, frames []string
	for i := range 120 { // four rounds of places: each begins when the one before has had its patience
		modules = append(modules, fmt.Sprintf(`["hangs","%s%d"]`, appID, i))
		frames = append(frames, fmt.Sprintf("[%d,1]", i))
	}
	modules[60], frames[60] = app, "[60,4096]"
	h := symbolicate.New(c, symbolicate.Options{Deadline: 10 * time.Second})
	got := answerJSON(t, h, "/symbolicate/v4", `{"memoryMap":[`+strings.Join(modules, ",")+`],"stacks":[[`+strings.Join(frames, ",")+`]]}`)
	if !strings.Contains(got, "false,true,false") || !strings.Contains(got, "f (in app.exe)") {
		t.Error(got)
	}
}

// TestLargeAnswersAreSentInParts counts the writes, and finds the answer whole.
func TestLargeAnswersAreSentInParts(t *testing.T) {
	registry := prometheus.NewRegistry()
	h := symbolicate.New(openCache(t, memory{appPath: appText}), symbolicate.Options{Metrics: registry})
	frames := repeat(3000, `{"module":0,"offset":4096}`)
	jobs := repeat(5, `{"modules":[{"debug_file":"app.pdb","debug_id":"`+appID+`"}],"stacks":[`+frames+`]}`)
	w := &writes{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/symbolicate/v6", strings.NewReader(`{"jobs":`+jobs+`}`)))
	var answer struct {
		Results []struct{ Stacks [][]struct{ Function string } }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Results) != 5 || len(answer.Results[4].Stacks[0]) != 3000 || answer.Results[4].Stacks[0][2999].Function != "f" {
		t.Error("not all is there")
	}
	if w.count < 5 || w.largest > 128<<10 || w.Header().Get("Content-Length") != "" {
		t.Errorf("%d writes, of %d bytes at most", w.count, w.largest)
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 4 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
}

type writes struct {
	*httptest.ResponseRecorder
	count, largest int
}

func (w *writes) Write(p []byte) (int, error) {
	w.count, w.largest = w.count+1, max(w.largest, len(p))
	return w.ResponseRecorder.Write(p)
}

// TestAClientThatLeavesEndsItsWork: nothing is written for one that has left.
func TestAClientThatLeavesEndsItsWork(t *testing.T) {
	h := symbolicate.New(openCache(t, hanging{memory{}, make(chan struct{}, 1)}), symbolicate.Options{Deadline: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := &writes{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodPost, "/symbolicate/v5", strings.NewReader(`{"memoryMap":[`+hangs+`],"stacks":[[[0,1]]]}`))
	h.ServeHTTP(w, r.WithContext(ctx))
	if w.count > 0 {
		t.Errorf("%s", w.Body)
	}
}

func TestOtherOrigins(t *testing.T) {
	h := symbolicate.New(openCache(t), symbolicate.Options{})
	r := httptest.NewRequest(http.MethodOptions, "/symbolicate/v5", http.NoBody)
	r.Header.Set("Origin", "https://a.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "content-type,x-y")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got := map[string]string{}
	for _, name := range []string{"Origin", "Methods", "Headers"} {
		got[name] = w.Header().Get("Access-Control-Allow-" + name)
	}
	if diff := cmp.Diff(map[string]string{"Origin": "*", "Methods": "POST", "Headers": "content-type,x-y"}, got); diff != "" || w.Code != http.StatusOK || w.Header().Get("Access-Control-Max-Age") != "86400" {
		t.Error(w.Code, diff)
	}
	if w := post(t, h, "/symbolicate/v5", "{"); w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error("a mistake is not shown to scripts of other origins")
	}
}

func TestPathsForLoadBalancers(t *testing.T) {
	h := symbolicate.New(openCache(t), symbolicate.Options{Version: "v1.2"})
	for request, want := range map[string]string{
		"GET /__heartbeat__": "200 ", "GET /__lbheartbeat__": "200 ", "GET /__version__": `200 {"version": "v1.2"}`, "POST /__version__": `405 {"title": "405 Method Not Allowed"}`,
		"GET /": `404 {"title": "404 Not Found"}`, "POST /symbolicate/v5/": `404 {"title": "404 Not Found"}`, "GET /symbolicate/v5": `405 {"title": "405 Method Not Allowed"}`, "OPTIONS /__version__": "200 ",
	} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
		if got := fmt.Sprintf("%d %s", w.Code, w.Body); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}

// TestABodyThatFails is told as what it is.
func TestABodyThatFails(t *testing.T) {
	h := symbolicate.New(openCache(t), symbolicate.Options{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/symbolicate/v5", io.MultiReader(strings.NewReader("{"), failing{})))
	if w.Code != http.StatusBadRequest || title(t, w) != "the body cannot be read" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
