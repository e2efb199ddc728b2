package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/web"
)

// api asks the API and reads what it says.
func api(t *testing.T, target string) (status int, v map[string]any) {
	t.Helper()
	status, head, body := get(t, target)
	if err := json.Unmarshal([]byte(body), &v); err != nil || head.Get("Content-Type") != "application/json" || head.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%s: %v %s %.300s", target, err, head, body)
	}
	return status, v
}

// Answers have the shapes that tools of Crash Stats read.
func TestTheAPIHasTheShapesOfCrashStats(t *testing.T) {
	all := generated(t, 200)
	s, db := site(t, all...)
	c := all[0]
	said := map[string]string{}
	for _, a := range c.Annotations {
		said[a.Name] = a.Value
	}
	if _, err := db.LoadBugs(t.Context(), []clickhouse.Bug{{Signature: c.Signature, Bug: "1234567"}, {Signature: c.Signature, Bug: "AB-1"}, {Signature: "other", Bug: "AB-1"}}, true, now); err != nil {
		t.Fatal(err)
	}
	q := url.Values{"date": {">=2026-01-01", "<2026-10-01"}, "signature": {"=" + c.Signature}, "_columns": {"uuid", "date", "signature", "platform", "startup_crash", "uptime"}, "_facets": {"product", "_cardinality.version"}, "_aggs.product.version": {"_cardinality.install_time"}, "_histogram.date": {"product"}, "_histogram.uptime": {"_cardinality.product"}, "_histogram_interval.uptime": {"60"}}
	status, v := api(t, s.URL+"/api/SuperSearch/?"+q.Encode())
	if status != 200 || v["total"].(float64) < 1 {
		t.Fatalf("%d %v", status, v)
	}
	hit := v["hits"].([]any)[0].(map[string]any)
	if at, err := time.Parse("2006-01-02T15:04:05.000-07:00", hit["date"].(string)); err != nil || at.IsZero() || hit["signature"] != c.Signature || len(hit) != 6 {
		t.Errorf("%v", hit)
	}
	facets := v["facets"].(map[string]any)
	product := facets["product"].([]any)[0].(map[string]any)
	version := product["facets"].(map[string]any)["version"].([]any)[0].(map[string]any)
	installs := version["facets"].(map[string]any)["cardinality_install_time"].(map[string]any)["value"]
	day := facets["histogram_date"].([]any)[0].(map[string]any)
	if product["term"] != said["ProductName"] || product["count"].(float64) < 1 || installs.(float64) < 1 || facets["cardinality_version"].(map[string]any)["value"].(float64) < 1 ||
		!strings.HasSuffix(day["term"].(string), "T00:00:00+00:00") || day["facets"].(map[string]any)["product"] == nil || len(facets) != 4 {
		t.Errorf("%v", facets)
	}
	status, v = api(t, s.URL+"/api/SuperSearch/?_results_number=0&_return_query=1")
	if query := v["query"].([]any); status != 200 || len(query) != 2 || !strings.HasPrefix(query[0].(map[string]any)["sql"].(string), "SELECT count()") {
		t.Errorf("%d %v", status, v)
	}
	status, v = api(t, s.URL+"/api/SuperSearchFields/")
	if f := v["platform"].(map[string]any); status != 200 || f["column"] != "os" || v["url"] != nil || len(v) < 150 {
		t.Errorf("%d %v", status, f)
	}
	status, v = api(t, s.URL+"/api/ProcessedCrash/?crash_id=bp-"+c.CrashID)
	thread := v["json_dump"].(map[string]any)["threads"].([]any)[int(v["crashing_thread"].(float64))].(map[string]any)
	frames := thread["frames"].([]any)
	if status != 200 || v["uuid"] != c.CrashID || v["os_name"] != v["os"] || v["build"] == nil || v["signature"] != c.Signature || len(frames) != len(c.Threads[*c.Crash.CrashingThread].Frames) {
		t.Errorf("%d %v", status, v)
	}
	if f := frames[0].(map[string]any); f["module"] != c.Threads[*c.Crash.CrashingThread].Frames[0].Module {
		t.Errorf("%v", f)
	}
	status, v = api(t, s.URL+"/api/RawCrash/?crash_id="+c.CrashID)
	if status != 200 || v["ProductName"] != said["ProductName"] || v["URL"] != nil {
		t.Errorf("%d %v", status, v)
	}
	status, v = api(t, s.URL+"/api/CrashVerify/?crash_id="+c.CrashID)
	if status != 200 || v["processed_crash"] != true || v["uuid"] != c.CrashID {
		t.Errorf("%d %v", status, v)
	}
	status, v = api(t, s.URL+"/api/Bugs/?signatures="+url.QueryEscape(c.Signature)+"&signatures=x")
	if hits := v["hits"].([]any); status != 200 || v["total"] != 3.0 || hits[0].(map[string]any)["id"] != 1234567.0 || hits[1].(map[string]any)["id"] != "AB-1" {
		t.Errorf("%d %v", status, v)
	}
	if status, v = api(t, s.URL+"/api/SignaturesByBugs/?bug_ids=1234567&bug_ids=2"); status != 200 || v["hits"].([]any)[0].(map[string]any)["signature"] != c.Signature {
		t.Errorf("%d %v", status, v)
	}
	if status, v = api(t, s.URL+"/api/SignatureFirstDate/?signatures="+url.QueryEscape(c.Signature)); status != 200 || v["total"] != 1.0 || !strings.HasPrefix(v["hits"].([]any)[0].(map[string]any)["first_date"].(string), "2026-") {
		t.Errorf("%d %v", status, v)
	}
	_, v = api(t, s.URL+"/api/SuperSearch/?_columns=product,channel,build_id,version&date=%3E%3D90d&uuid="+c.CrashID)
	hit = v["hits"].([]any)[0].(map[string]any)
	if status, v = api(t, s.URL+"/api/VersionString/?"+url.Values{"product": {hit["product"].(string)}, "channel": {hit["channel"].(string)}, "build_id": {said["BuildID"]}}.Encode()); status != 200 || v["hits"].([]any)[0].(map[string]any)["version_string"] != hit["version"] {
		t.Errorf("%d %v of %v", status, v, hit)
	}
	for at, want := range map[string]int{
		"/api/ProcessedCrash/?crash_id=x": 400, "/api/ProcessedCrash/": 400, "/api/ProcessedCrash/?crash_id=0bba929f-8721-460c-8e70-a43c90261122": 404, "/api/RawCrash/?crash_id=" + c.CrashID + "&format=raw": 403, "/api/RawCrash/?crash_id=" + c.CrashID + "&name=upload_file_minidump": 403,
		"/api/SuperSearch/?x=1": 400, "/api/Bugs/": 400, "/api/Bugs/?x=1&signatures=a": 400, "/api/ProcessedCrash/?crash_id=a&crash_id=b": 400,
	} {
		if status, v := api(t, s.URL+at); status != want || len(v) != 1 || v["error"].(string) == "" {
			t.Errorf("%s: %d %v", at, status, v)
		}
	}
	if _, v := api(t, s.URL+"/api/RawCrash/?format=raw&crash_id="+c.CrashID); !strings.Contains(v["error"].(string), "dumps") {
		t.Errorf("%v", v)
	}
	for at, want := range map[string]int{"/api/Nothing/": 404, "/api/Reprocessing/": 405, "/api/SuperSearch?product=a": 307} {
		if status, _, body := get(t, s.URL+at); status != want {
			t.Errorf("%s: %d %s", at, status, body)
		}
	}
}

// A protected field is refused in every parameter of the API as an unknown one is.
func TestTheAPIRefusesProtectedFields(t *testing.T) {
	db, err := clickhouse.Open("http://127.0.0.1:1", schema.DefaultRegistry) // it is never asked
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h := withLogin(t, web.Options{DB: db, Protected: db, Audit: &ledger{}, Now: func() time.Time { return now }, Log: zerolog.Nop()})
	public := map[string]bool{}
	for _, f := range ask.Public().Fields() {
		public[f.Name] = true
	}
	var viewer *access.Viewer
	asked := func(at string) (int, string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, at, nil)
		if viewer != nil {
			r = r.WithContext(access.With(r.Context(), viewer))
		}
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	others := &access.Viewer{Name: "joe", Roles: slices.DeleteFunc(slices.Clone(access.Roles), func(r access.Role) bool { return r == access.Protected })}
	checked := 0
	for _, c := range clickhouse.Columns(schema.ClassProtected) {
		if public[c.Name] || strings.Contains(c.Name, ".") {
			continue
		}
		for _, pattern := range []string{"%s=x", "%s=!__null__", "_columns=%s", "_sort=-%s", "_facets=%s", "_facets=_cardinality.%s", "_facets=_histogram.%s", "_aggs.%s=product", "_aggs.product=%s", "_histogram.date=%s", "_histogram.%s=product", "_cardinality.%s=1", "_histogram_interval.%s=1"} {
			for _, at := range []string{"/api/SuperSearch/?", "/search.json?", "/search.csv?", "/search.parquet?", "/search.md?", "/search?"} {
				viewer = nil
				if checked%2 == 1 { // who has every other role is told the same
					viewer = others
				}
				status, body := asked(at + fmt.Sprintf(pattern, c.Name))
				_, unknown := asked(at + fmt.Sprintf(pattern, "nothing"))
				if checked++; status != http.StatusBadRequest || body != strings.ReplaceAll(unknown, "nothing", c.Name) {
					t.Errorf("%s%s of %s: %d %.200s", at, pattern, c.Name, status, body)
				}
			}
		}
	}
	if checked < 2000 {
		t.Errorf("%d checked", checked)
	}
}

// withLogin is a handler where somebody can log in.
func withLogin(t *testing.T, o web.Options) *web.Handler {
	t.Helper()
	seal, err := access.OpenSeal(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	o.Login = access.NewLogin(access.LoginOptions{Seal: seal, Now: time.Now})
	h, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func sent(t *testing.T, h http.Handler, v *access.Viewer, at, kind, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, at, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(access.With(r.Context(), v)))
	return w.Code, w.Body.String()
}

// What is posted signs, or has crashes processed again for who may.
func TestWhatIsPostedToTheAPI(t *testing.T) {
	var asked []string
	o := web.Options{Now: func() time.Time { return now }, Log: zerolog.Nop(), Reprocess: func(_ context.Context, ids []string) error {
		asked = append(asked, ids...)
		return nil
	}}
	h, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	const id = "0bba929f-8721-460c-8e70-a43c90261122"
	const form = "application/x-www-form-urlencoded"
	operator := &access.Viewer{Name: "jane", Roles: []access.Role{access.Operator}}
	if status, body := sent(t, h, nil, "/api/Reprocessing/", form, "crash_ids="+id); status != 403 || !strings.Contains(body, "operator") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := sent(t, h, operator, "/api/Reprocessing/", form, "crash_ids="+id+"&crash_ids=x"); status != 400 || len(asked) > 0 {
		t.Errorf("%d %s %v", status, body, asked)
	}
	many := func(n int) string { return strings.TrimPrefix(strings.Repeat("&crash_ids="+id, n), "&") }
	if status, _ := sent(t, h, operator, "/api/Reprocessing/", form, many(1001)); status != 400 || len(asked) > 0 {
		t.Errorf("%d", status)
	}
	if status, body := sent(t, h, operator, "/api/Reprocessing/", form, many(999)+"&crash_ids=bp-"+id+":regenerate"); status != 200 || strings.TrimSpace(body) != "true" || len(asked) != 1000 || slices.Compact(asked)[0] != id {
		t.Errorf("%d %s %d", status, body, len(asked))
	}
	if status, _ := sent(t, h, nil, "/api/SuperSearch/", form, ""); status != 405 {
		t.Errorf("%d", status)
	}
	const job = `{"crashing_thread": 0, "threads": [{"frames": [{"module": "app", "function": "render"}]}]}`
	jobs := func(n int) string { return `{"jobs": [` + strings.TrimPrefix(strings.Repeat(","+job, n), ",") + `]}` }
	status, body := sent(t, h, nil, "/api/CrashSignature/", "application/json", jobs(2))
	var signed struct{ Results []struct{ Signature string } }
	if err := json.Unmarshal([]byte(body), &signed); err != nil || status != 200 || len(signed.Results) != 2 || signed.Results[1].Signature != "render" {
		t.Errorf("%d %s", status, body)
	}
	for body, want := range map[string]int{jobs(100): 200, jobs(101): 400, jobs(0): 400, `[]`: 400, `{`: 400, `{"jobs": [1]}`: 400, `{"jobs": [{}]}`: 200, `{"jobs": [{}], "x": "` + strings.Repeat("a", 8<<20) + `"}`: 413} {
		if status, answer := sent(t, h, nil, "/api/CrashSignature/", "application/json", body); status != want {
			t.Errorf("%.40s: %d %.200s", body, status, answer)
		}
	}
	o.Reprocess = nil
	if h, err = web.New(o); err != nil {
		t.Fatal(err)
	}
	if status, _ := sent(t, h, operator, "/api/Reprocessing/", form, "crash_ids="+id); status != 404 {
		t.Errorf("%d", status)
	}
}

// The API knows viewers: it leads who may to a dump, and keeps who may not.
func TestTheAPIKnowsViewers(t *testing.T) {
	h := newHouse(t, away(t))
	jane, joe := h.browser(t).login("jane"), h.browser(t).login("joe")
	h.ledger.told()
	const id = "0bba929f-8721-460c-8e70-a43c90261122"
	const raw = "/api/RawCrash/?crash_id=" + id + "&format=raw&name=upload_file_minidump"
	if a := jane.get(raw); a.status != http.StatusSeeOther || a.head.Get("Location") != "/crash/"+id+"/dump?name=upload_file_minidump" || a.head.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%+v", a)
	}
	if a := jane.get("/api/RawCrash/?format=raw&crash_id=//evil.test"); a.status != http.StatusBadRequest {
		t.Errorf("%+v", a)
	}
	if a, told := joe.get(raw), h.ledger.told(); a.status != http.StatusForbidden || !strings.Contains(a.body, `"error":"this needs the role dumps"`) || strings.Join(told, " ") != "denied joe /api/RawCrash/" {
		t.Errorf("%+v %v", a, told)
	}
	if a, told := joe.post("/api/Reprocessing/", url.Values{"crash_ids": {id}}), h.ledger.told(); a.status != http.StatusForbidden || strings.Join(told, " ") != "denied joe /api/Reprocessing/" {
		t.Errorf("%+v %v", a, told)
	}
	if a := jane.post("/api/Reprocessing/", url.Values{"crash_ids": {id}}, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden || !strings.HasPrefix(a.body, `{"error":`) {
		t.Errorf("%+v", a)
	}
	if a := h.browser(t).get("/api/SuperSearchFields/", "Auth-Token", "none"); a.status != http.StatusUnauthorized || !strings.HasPrefix(a.body, `{"error":`) {
		t.Errorf("%+v", a)
	}
}

// A client that asks too often is told when to come again; others are not kept waiting.
func TestTheAPIHasARate(t *testing.T) {
	const passed = http.StatusBadRequest // it lacks a parameter
	clock := now
	h, err := web.New(web.Options{Now: func() time.Time { return clock }, Log: zerolog.Nop(), APIRate: web.Rate{PerMinute: 3}})
	if err != nil {
		t.Fatal(err)
	}
	asked := func(address string, v *access.Viewer) (int, string) {
		r := httptest.NewRequest(http.MethodGet, "/api/Bugs/", nil)
		r.RemoteAddr = address
		if v != nil {
			r = r.WithContext(access.With(r.Context(), v))
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Header().Get("Retry-After")
	}
	for i, want := range []int{passed, passed, passed, 429, 429} {
		status, again := asked("192.0.2.1:1234", nil)
		if status != want || (again == "20") != (want == 429) {
			t.Errorf("%d: %d, again after %q", i, status, again)
		}
	}
	for _, other := range []string{"192.0.2.2:1234", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:0:1::3]:1"} {
		if status, _ := asked(other, nil); status != passed {
			t.Errorf("%s: %d", other, status)
		}
	}
	if status, _ := asked("[2001:db8::4]:1", nil); status != 429 { // the fourth of a network
		t.Errorf("%d", status)
	}
	if status, _ := asked("192.0.2.1:1", &access.Viewer{Name: "jane"}); status != passed {
		t.Errorf("%d", status)
	}
	clock = clock.Add(20 * time.Second)
	if status, _ := asked("192.0.2.1:9", nil); status != passed {
		t.Errorf("%d after a while", status)
	}
	served := map[int]int{}
	many := func(network int) {
		for i := range 10_010 {
			status, _ := asked(fmt.Sprintf("10.%d.%d.%d:1", network, i/250, i%250), nil)
			served[status]++
		}
	}
	if many(1); served[passed] < 9990 || served[429] == 0 { // the table has an end: those beyond share a bucket
		t.Errorf("%v", served)
	}
	clock = clock.Add(time.Minute)
	served = map[int]int{}
	if many(2); served[passed] < 9990 { // all of before are forgotten
		t.Errorf("%v after a minute", served)
	}
}

// The OpenAPI document has each endpoint, with parameters that it takes.
func TestTheDocumentIsOfTheAPI(t *testing.T) {
	db, err := clickhouse.Open("http://127.0.0.1:1", schema.DefaultRegistry) // nothing is there
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	h, err := web.New(web.Options{DB: db, Now: func() time.Time { return now }, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	_, doc := api(t, s.URL+"/api/openapi.json")
	if doc["openapi"] != "3.1.0" {
		t.Errorf("%v", doc["openapi"])
	}
	_, _, page := get(t, s.URL+"/api/")
	paths := doc["paths"].(map[string]any)
	for at, v := range paths {
		for method, op := range v.(map[string]any) {
			name := strings.Trim(strings.TrimPrefix(at, "/api/"), "/")
			if !strings.Contains(page, strings.ToUpper(method)+" "+at) || op.(map[string]any)["operationId"] != name {
				t.Errorf("%s %s is not on the page", method, at)
			}
			req, _ := http.NewRequest(strings.ToUpper(method), s.URL+at, nil)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %s", method, at, res.Status)
			}
			params, _ := op.(map[string]any)["parameters"].([]any)
			if name == "SuperSearch" && len(params) < 150 {
				t.Errorf("%d parameters of SuperSearch", len(params))
			}
			seen := map[string]bool{}
			for _, p := range params {
				if n := p.(map[string]any)["name"].(string); seen[n] {
					t.Errorf("%s has %s twice", name, n)
				} else {
					seen[n] = true
				}
			}
		}
	}
	if len(paths) != 13 {
		t.Errorf("%d endpoints", len(paths))
	}
}
