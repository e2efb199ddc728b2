package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"

	"aftershock/schema"
)

// canaries are values that nobody may see who has no grant: in every protected annotation,
// and in texts that public forms are made of.
func canaries() map[string]string {
	out := map[string]string{}
	for _, name := range schema.DefaultRegistry.Names() {
		if e := schema.DefaultRegistry.Lookup(name); e.Class != schema.ClassPublic {
			out[name] = "canary-" + name
		}
	}
	const said = `assertion failed: canaryname at /home/canaryname/x.cc:12 "canary quoted" 'canary single' canary@example.org token=canaryvalue Y2FuYXJ5Y2FuYXJ5 0xcanary canary1234`
	for _, name := range []string{"MozCrashReason", "AbortMessage", "panic", "assertion", "LOG_FATAL"} {
		out[name] = said
	}
	out["AsyncShutdownTimeout"] = `{"phase":"canary phase","conditions":[{"name":"canary condition","state":"canary"}]}`
	out["JavaException"] = `{"exception":{"values":[{"value":"canary","stacktrace":{"type":"E","module":"a.b","value":"canary","frames":[{"module":"canary here","function":"canary!","filename":"canary"}]}}]}}`
	out["JavaStackTrace"] = "java.lang.Error: canary\n\tat a.B.c(B.java:1)\nCaused by: java.lang.Error: canary"
	out["Breadcrumbs"] = `[{"message":"canary"}]`
	out["Add-ons"] = "canary%40example.org:1.0"
	out["ModuleSignatureInfo"] = `{"canary":["canary.dll"]}`
	out["TelemetryEnvironment"] = `{"partner":{"distributionId":"canary"}}`
	out["UtilityActorsName"] = "canary-actor, canary"
	out["unknown-annotation"] = "canary"
	for name, value := range map[string]string{"AdapterVendorID": "canary", "CPUMicrocodeVersion": "canary", "Android_Model": "canary@x", "SubmittedFrom": "canary 1", "CrashTime": "canary"} {
		out[name] = value // public by name, and not of their type
	}
	return out
}

// report sends a report whose dump names a thread.
func (u *upProcess) report(annotations map[string]string, dumps map[string][]byte) {
	u.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range annotations {
		if err := w.WriteField(name, value); err != nil {
			u.t.Fatal(err)
		}
	}
	for name, data := range dumps {
		part, err := w.CreateFormFile(name, name)
		if err == nil {
			_, err = part.Write(data)
		}
		if err != nil {
			u.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		u.t.Fatal(err)
	}
	res, err := testClient.Post("http://"+u.collector+"/submit", w.FormDataContentType(), &body)
	if err != nil {
		u.t.Fatal(err)
	}
	defer res.Body.Close()
	if answer, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		u.t.Fatalf("%d %s %v", res.StatusCode, answer, err)
	}
}

// Analysts ask at an address of their own: they get facts, and nothing that is private, from
// any table that they can name.
func TestAnalystsAskOnUp(t *testing.T) {
	t.Parallel()
	u := startUp(t)
	dump, err := os.ReadFile(samples(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	var memory bytes.Buffer
	z := gzip.NewWriter(&memory)
	if _, err := fmt.Fprint(z, `{"reports":[{"process":"canary (pid 1)","path":"canary","kind":1,"amount":1}]}`); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	annotations := canaries()
	annotations["ProductName"], annotations["Version"], annotations["StartupCrash"] = "orchard", "2.1.0", "1"
	u.report(annotations, map[string][]byte{schema.MainDump: dump, "upload_file_minidump_canary": dump, schema.MemoryReport: memory.Bytes()})
	u.rows(1)

	ask := func(sql string) string {
		t.Helper()
		res, err := testClient.Post("http://"+u.analysts+"/", "text/plain", strings.NewReader(sql))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s %v", sql, res.StatusCode, text, err)
		}
		return string(text)
	}
	row := ask("SELECT * FROM crashes FORMAT JSONEachRow")
	var fields map[string]any
	if err := json.Unmarshal([]byte(row), &fields); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"product": "orchard", "process_type": "parent", "major_version": 2.0, "startup_crash": true, "report_type": "hang", "additional_dump_count": 1.0, "address_kind": nil, "java_exception_class": "a.b.E", "crash_time": nil,
		"moz_crash_reason": "assertion failed: … at …",
	} {
		if got := fields[name]; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	// Everything that this address can name, as text.
	tables := lines(ask("SELECT concat('`', database, '`.`', name, '`') FROM system.tables WHERE database = 'aftershock'"))
	if len(tables) < 14 {
		t.Fatalf("%q", tables)
	}
	for _, table := range append(tables, "system.tables", "system.columns", "system.settings", "system.functions") {
		if text := strings.ToLower(ask("SELECT * FROM " + table + " FORMAT TSVWithNames")); strings.Contains(text, "canary") {
			at := strings.Index(text, "canary")
			t.Errorf("%s: …%s…", table, text[max(0, at-100):min(len(text), at+100)])
		}
	}
	// And the rest of what is public.
	for _, c := range u.telemetry() {
		if text, err := json.Marshal(c); err != nil || strings.Contains(strings.ToLower(string(text)), "canary") {
			t.Errorf("the public topic: %s, %v", text, err)
		}
	}
	// It is all there, with a grant.
	text, err := u.query("SELECT * FROM aftershock_protected.crashes FORMAT JSONEachRow")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"url":"canary-URL"`, `"comments":"canary-Comments"`, "canary quoted", `"addons":["canary@example.org:1.0"]`, "upload_file_minidump_canary", `"breadcrumbs.message":["canary"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("not in the protected database: %s\n%.3000s", want, text)
		}
	}
	if strings.Contains(text, "canary-Email") {
		t.Error("what is never stored is there")
	}
}
