package collector_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/collector"
	"aftershock/collector/throttle"
	"aftershock/schema"
)

const pingID = "5bf3b2d0-7c4e-4c0a-9a51-3b1d2f6e7a90"

// pingRequest is the bytes of a request with a ping.
func pingRequest(body, headers string) []byte {
	return fmt.Appendf(nil, "POST /ping HTTP/1.1\r\nHost: door\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s", len(body), headers, body)
}

func zipped(t *testing.T, text string) string {
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

// storedPing is what a test says of an event.
type storedPing struct {
	Annotations map[string]string
	Stack       string
	Notes       []string
}

func (d *door) storedPing(t *testing.T, raw *schema.RawCrash) storedPing {
	t.Helper()
	out := storedPing{Annotations: raw.Annotations, Notes: raw.Notes}
	if main := raw.Main(); main != nil {
		out.Stack = string(d.dumpBytes(t, *main))
	}
	if raw.Kind != schema.KindPing || raw.Payload.Kind != "ping" || raw.Throttle.Rule != "accept_pings" || raw.Throttle.Rate != 1 {
		t.Errorf("kind %s, payload %s, %+v", raw.Kind, raw.Payload.Kind, raw.Throttle)
	}
	return out
}

// Requests with pings as raw bytes, and what becomes of them.
func TestPings(t *testing.T) {
	accepted := `^CrashID=bp-c6948e13-1936-422d-92a2-4eb390` + received.Format("060102") + "\n$"
	anyID := `^CrashID=bp-[0-9a-f-]{36}\n$`
	id := `"document_id":"` + pingID + `"`
	type stored = *storedPing
	m := func(pairs ...string) map[string]string {
		out := map[string]string{}
		for pair := range slices.Chunk(pairs, 2) {
			out[pair[0]] = pair[1]
		}
		return out
	}
	notes := func(codes ...string) []string { return codes }
	utf16 := func(s string) string {
		b := []byte{0xff, 0xfe}
		for _, c := range s {
			b = append(b, byte(c), byte(c>>8))
		}
		return string(b)
	}
	deep := strings.Repeat("[", 1001) + strings.Repeat("]", 1001)
	for name, tc := range map[string]struct {
		body, headers string
		status        int
		answer        string
		stored        stored
	}{
		"a stack as an object":  {`{` + id + `, "stack_traces": {"threads": []} }`, "", 200, accepted, &storedPing{m(), `{"threads": []}`, nil}},
		"a stack with an error": {`{` + id + `, "stack_traces": {"threads" []}, "os":"Mac"}`, "", 200, accepted, &storedPing{m("os", "Mac"), `{"threads" []}`, nil}},
		"a stack as a text":     {`{` + id + `,"stack_traces":"{\"threads\": []}"}`, "", 200, accepted, &storedPing{m(), `{"threads": []}`, nil}},
		"with a type":           {`{` + id + `,"stack_traces":{}}`, "Content-Type: application/json; charset=utf-8\r\n", 200, accepted, &storedPing{m(), `{}`, nil}},
		"with another type":     {`{` + id + `,"stack_traces":{}}`, "Content-Type: text/plain\r\n", 200, accepted, &storedPing{m(), `{}`, nil}},
		"gzip":                  {zipped(t, `{`+id+`,"stack_traces":{}}`), "Content-Encoding: gzip\r\n", 200, accepted, &storedPing{m(), `{}`, nil}},
		"gzip with more behind": {
			zipped(t, `{`+id+`,"stack_traces":{}}`) + "more", "Content-Encoding: gzip\r\n", 200, accepted,
			&storedPing{m(), `{}`, notes(schema.NoteBodyExtra)},
		},
		"gzip that is none":     {`{` + id + `}`, "Content-Encoding: gzip\r\n", 400, `^Discarded=malformed_bad_gzip$`, nil},
		"gzip that is cut":      {zipped(t, `{`+id+`,"stack_traces":{}}`)[:30], "Content-Encoding: gzip\r\n", 400, `^Discarded=malformed_truncated_body$`, nil},
		"a byte order mark":     {"\ufeff{" + id + `,"stack_traces":{}}`, "", 200, accepted, &storedPing{m(), `{}`, nil}},
		"UTF-16":                {utf16(`{` + id + `,"os":"Linux"}`), "", 200, accepted, &storedPing{m("os", "Linux"), "", nil}},
		"blanks":                {" \r\n\t{" + id + ",\n\"os\" : \"Mac\"}\n ", "", 200, accepted, &storedPing{m("os", "Mac"), "", nil}},
		"numbers that are none": {`{` + id + `,"oom_size":NaN,"x":-Infinity}`, "", 200, accepted, &storedPing{m("OOMAllocationSize", "NaN", "x", "-Infinity"), "", nil}},
		"the words of reports": {
			`{` + id + `,"moz_crash_reason":"r","oom_size":5,"hang":true,"js_large_allocation_failure":"Reporting","async_shutdown_timeout":{"phase":"p"},` +
				`"java_exception":{"exception":{}},"ipc_channel_error":"e","channel":"beta","version":"130.0","process_type":"gpu","utility_actors_name":["a","b",1],"product":"Firefox","build_id":"20260901"}`, "", 200, accepted,
			&storedPing{m("MozCrashReason", "r", "OOMAllocationSize", "5", "Hang", "true", "JSLargeAllocationFailure", "Reporting", "AsyncShutdownTimeout", `{"phase":"p"}`,
				"JavaException", `{"exception":{}}`, "ipc_channel_error", "e", "ReleaseChannel", "beta", "Version", "130.0", "ProcessType", "gpu", "UtilityActorsName", "a,b", "ProductName", "Firefox", "BuildID", "20260901"), "", nil},
		},
		"other members":        {`{` + id + `,"os":"Windows","submission_timestamp":"2026-11-30 00:00:00 UTC","more":{"a":1},"list":[1],"none":null,"empty":""}`, "", 200, accepted, &storedPing{m("os", "Windows", "submission_timestamp", "2026-11-30 00:00:00 UTC"), "", notes(schema.NotePingMember)}},
		"who sent it":          {`{` + id + `,"os":"Windows","client_id":"c","clientID":"c","client_info":{"client_id":"c"},"environment":{"a":1},"ProfileGroupId":"c","payload":{"metadata":{"GleanClientId":"c","profileGroupId":"c"}}}`, "", 200, accepted, &storedPing{m("os", "Windows"), "", notes(schema.NoteNeverStoreRemoved)}},
		"what is never kept":   {`{` + id + `,"os":"Windows","Email":"a@b.c"}`, "", 200, accepted, &storedPing{m("os", "Windows"), "", notes(schema.NoteNeverStoreRemoved)}},
		"a legacy ping":        {`{"id":"` + pingID + `","type":"crash","clientId":"c","application":{"name":"Firefox","version":"100.0","channel":"esr","buildId":"2022","vendor":"v"},"version":4,"payload":{"stackTraces":{"status":"OK"},"processType":"main","metadata":{"MozCrashReason":"m","OOMAllocationSize":7},"crashDate":"x"}}`, "", 200, accepted, &storedPing{m("type", "crash", "ProductName", "Firefox", "Version", "100.0", "ReleaseChannel", "esr", "BuildID", "2022", "ProcessType", "main", "MozCrashReason", "m", "OOMAllocationSize", "7"), `{"status":"OK"}`, notes(schema.NoteNeverStoreRemoved)}},
		"a payload of a kind":  {`{` + id + `,"os":"Mac","payload":7}`, "", 200, accepted, &storedPing{m("os", "Mac"), "", notes(schema.NotePingMember)}},
		"a stack that is none": {`{` + id + `,"stack_traces":"no JSON"}`, "", 200, accepted, &storedPing{m(), "no JSON", nil}},
		"a stack twice":        {`{` + id + `,"stack_traces":{"a":1},"stack_traces":{}}`, "", 200, accepted, &storedPing{m(), "{}", notes(schema.NoteAnnotationTwice)}},
		"an annotation twice":  {`{` + id + `,"os":"Mac","os":"Linux"}`, "", 200, accepted, &storedPing{m("os", "Linux"), "", notes(schema.NoteAnnotationTwice)}},
		"no id":                {`{"stack_traces":{}}`, "", 200, anyID, &storedPing{m(), "{}", notes(schema.NotePingID)}},
		"an id that is none":   {`{"document_id":"../../x","stack_traces":{}}`, "", 200, anyID, &storedPing{m(), "{}", notes(schema.NotePingID)}},
		"an id in capitals":    {`{"document_id":"` + strings.ToUpper(pingID) + `","stack_traces":{}}`, "", 200, accepted, &storedPing{m(), "{}", nil}},
		"nothing":              {`{` + id + `}`, "", 400, `^Discarded=malformed_no_annotations$`, nil},
		"an empty object":      {`{}`, "", 400, `^Discarded=malformed_no_annotations$`, nil},
		"an empty body":        {"", "", 400, `^Discarded=malformed_no_content_length$`, nil},
		"no JSON":              {"ping", "", 400, `^Discarded=malformed_invalid_json$`, nil},
		"a list":               {`[{` + id + `}]`, "", 400, `^Discarded=malformed_invalid_json_value$`, nil},
		"JSON that is cut":     {`{` + id + `,"stack_traces":{"threads":[`, "", 400, `^Discarded=malformed_invalid_json$`, nil},
		"two objects":          {`{` + id + `,"os":"Mac"}{}`, "", 400, `^Discarded=malformed_invalid_json$`, nil},
		"nested too deep":      {`{` + id + `,"stack_traces":` + deep + `}`, "", 400, `^Discarded=malformed_invalid_json$`, nil},
		"a report":             {"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n", "Content-Type: multipart/form-data; boundary=b\r\n", 400, `^Discarded=malformed_invalid_json$`, nil},
		"9 MiB of JSON":        {`{` + id + `,"stack_traces":"` + strings.Repeat("x", 9<<20) + `"}`, "", 413, `^Discarded=malformed_too_large$`, nil},
		"a bomb":               {zipped(t, `{"a":"`+strings.Repeat("x", 101<<20)+`"}`), "Content-Encoding: gzip\r\n", 413, `^Discarded=malformed_too_large$`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1})
			status, answer := d.sendRaw(t, pingRequest(tc.body, tc.headers), false)
			if status != tc.status || !regexp.MustCompile(tc.answer).MatchString(answer) {
				t.Errorf("%d %q, want %d %s", status, answer, tc.status, tc.answer)
			}
			if want := 0; tc.stored == nil && len(d.raw) != want || tc.stored != nil && len(d.raw) != 1 {
				t.Fatalf("%d events", len(d.raw))
			}
			if tc.stored == nil {
				return
			}
			if diff := cmp.Diff(*tc.stored, d.storedPing(t, d.raw[0])); diff != "" {
				t.Error(diff)
			}
			if id := d.raw[0].CrashID; "CrashID=bp-"+id+"\n" != answer {
				t.Errorf("the event is %s, the answer %q", id, answer)
			}
		})
	}
	for name, request := range map[string]string{
		"GET": "GET /ping HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n", "PUT": "PUT /ping HTTP/1.1\r\nHost: door\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
	} {
		d := open(t, collector.Options{})
		if status, _ := d.sendRaw(t, []byte(request), false); status != 405 {
			t.Errorf("%s: %d", name, status)
		}
	}
	for _, path := range []string{"/ping/", "//ping"} {
		d := open(t, collector.Options{InlineMax: -1})
		request := bytes.Replace(pingRequest(`{"os":"Mac"}`, ""), []byte("/ping"), []byte(path), 1)
		if status, _ := d.sendRaw(t, request, false); status != 200 || len(d.raw) != 1 {
			t.Errorf("%s: %d, %d events", path, status, len(d.raw))
		}
	}
}

// A ping that is sent again is one crash; two pings of one stack are two.
func TestAPingIsKnownByItsID(t *testing.T) {
	for name, tc := range map[string]struct {
		first, second string
		events        int
		same          bool
	}{
		"sent again":     {`{"document_id":"` + pingID + `","stack_traces":{}}`, `{"document_id":"` + pingID + `","stack_traces":{}}`, 1, true},
		"another one":    {`{"document_id":"` + pingID + `","stack_traces":{}}`, `{"document_id":"0` + pingID[1:] + `","stack_traces":{}}`, 2, false},
		"without an id":  {`{"stack_traces":{}}`, `{"stack_traces":{}}`, 2, false},
		"without stacks": {`{"document_id":"` + pingID + `","os":"Mac"}`, `{"document_id":"` + pingID + `","os":"Mac"}`, 2, true}, // the second record of a crash id is none
	} {
		d := open(t, collector.Options{InlineMax: -1, Repeats: time.Minute})
		_, first := d.sendRaw(t, pingRequest(tc.first, ""), false)
		_, second := d.sendRaw(t, pingRequest(tc.second, ""), false)
		if len(d.raw) != tc.events || (first == second) != tc.same {
			t.Errorf("%s: %d events, %q and %q", name, len(d.raw), first, second)
		}
	}
}

// Nobody makes a crash id of another crash with a ping, and all of a ping's id counts. Rules
// that have changed make no second one of it.
func TestACrashIDOfAPingIsItsOwn(t *testing.T) {
	rules := throttle.AcceptAll()
	d := open(t, collector.Options{InlineMax: -1, Repeats: time.Minute, Rules: func() *throttle.Rules { return rules }})
	send := func(id, more string) string {
		_, text := d.sendRaw(t, pingRequest(`{"document_id":"`+id+`"`+more+`,"stack_traces":{}}`, ""), false)
		return strings.TrimSpace(strings.TrimPrefix(text, "CrashID=bp-"))
	}
	report := schema.NewCrashID(received, 0)
	if got := send(report, ""); got == report || len(got) != len(report) {
		t.Errorf("the ping %s is the crash %s", report, got)
	}
	if one, other := send(pingID, ""), send(pingID[:35]+"1", ""); one == other {
		t.Errorf("two pings are %s", one)
	}
	first := send(pingID, "")
	var err error
	if rules, err = throttle.Parse([]byte("rules: [{name: all, result: accept}]\npings: [{name: later, result: defer}]")); err != nil {
		t.Fatal(err)
	}
	if again := send(pingID, `,"os":"Mac"`); again != first || !d.raw[len(d.raw)-1].Deferred() {
		t.Errorf("it is %s, and then %s", first, again)
	}
}

// Rules of pings are their own; those of reports do not ask of them.
func TestPingsHaveRulesOfTheirOwn(t *testing.T) {
	rules, err := throttle.Parse([]byte(`
rules:
  - {name: no_report, result: reject}
pings:
  - {name: no_stack, when: '!dump.present', result: reject}
  - {name: half, when: 'annotation.ReleaseChannel == "release" && dump.kind == "stack" && dump.size > 1', percent: 50, result: continue, else: fake-accept}
  - {name: later, when: 'annotation.ReleaseChannel == "beta"', result: defer}
  - {name: all_pings, result: accept}
`))
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, collector.Options{InlineMax: -1, Rules: func() *throttle.Rules { return rules }})
	if status, text := d.sendRaw(t, pingRequest(`{"os":"Mac"}`, ""), false); status != 200 || text != "Discarded=rule_no_stack" {
		t.Errorf("%d %q", status, text)
	}
	kept := 0
	for i := range 200 {
		body, err := json.Marshal(map[string]any{"document_id": fmt.Sprintf("%08x-7c4e-4c0a-9a51-3b1d2f6e7a90", i), "channel": "release", "stack_traces": map[string]any{}})
		if err != nil {
			t.Fatal(err)
		}
		_, text := d.sendRaw(t, pingRequest(string(body), ""), false)
		digit := text[len("CrashID=bp-")+schema.CrashIDDigit]
		switch {
		case len(d.raw) > kept && digit == '0':
			kept++
		case digit != '3':
			t.Errorf("%q of one that is not stored", text)
		}
	}
	if kept < 70 || kept > 130 { // 4 sigma of 200 coins, and always the same ones
		t.Errorf("%d of 200 are kept", kept)
	}
	if th := d.raw[0].Throttle; th.Rate != 0.5 || th.Rule != "all_pings" {
		t.Errorf("%+v", th)
	}
	_, text := d.sendRaw(t, pingRequest(`{"document_id":"`+pingID+`","channel":"beta","stack_traces":{}}`, ""), false)
	if last := d.raw[len(d.raw)-1]; !last.Deferred() || text[len("CrashID=bp-")+schema.CrashIDDigit] != '0' {
		t.Errorf("%q %+v", text, last.Throttle)
	}
}
