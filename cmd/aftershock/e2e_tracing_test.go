package main

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"aftershock/schema"
)

// otlpReceiver keeps the spans that are sent to it.
type otlpReceiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
	bytes []byte // all of it, with what no span shows
}

func startReceiver(t *testing.T) *otlpReceiver {
	t.Helper()
	o := &otlpReceiver{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		data, err := io.ReadAll(body)
		var request collectortrace.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(data, &request)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.bytes = append(o.bytes, data...)
		for _, rs := range request.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				o.spans = append(o.spans, ss.GetSpans()...)
			}
		}
	}))
	t.Cleanup(o.Close)
	return o
}

// of are the names of the spans of a trace, with their outcome.
func (o *otlpReceiver) of(trace []byte) map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	names := map[string]string{}
	for _, s := range o.spans {
		if !bytes.Equal(s.GetTraceId(), trace) {
			continue
		}
		outcome := ""
		for _, a := range s.GetAttributes() {
			switch a.GetKey() {
			case "aftershock.outcome", "aftershock.class":
				outcome += a.GetValue().GetStringValue() + " "
			}
		}
		names[s.GetName()] = strings.TrimSpace(outcome)
	}
	return names
}

// doors are the traces that the door began.
func (o *otlpReceiver) doors() (traces [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.spans {
		if s.GetName() == "door receive" {
			traces = append(traces, s.GetTraceId())
		}
	}
	return traces
}

// sendTraced posts a report as a client that says to be part of a trace.
func sendTraced(t *testing.T, u *upProcess, dump []byte, annotations map[string]string, parent string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range annotations {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile(schema.MainDump, annotations["URL"])
	if err == nil {
		_, err = part.Write(dump)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+u.collector+"/submit?q="+annotations["URL"], &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("User-Agent", annotations["URL"])
	req.Header.Set("Baggage", "user="+annotations["URL"])
	req.Header.Set("Traceparent", "00-"+parent+"-00f067aa0ba902b7-01")
	res, err := testClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
}

// One crash is one trace, from the door to the sinks, and nothing of it is in there.
func TestACrashIsOneTrace(t *testing.T) {
	t.Parallel()
	o := startReceiver(t)
	u := startUp(t, "--otlp-endpoint", o.URL, "--trace-ratio", "1")
	dump, err := os.ReadFile(canaryDump(t, func(place string) string { return "canary-" + place }))
	if err != nil {
		t.Fatal(err)
	}
	const parent = "4bf92f3577b34da6a3ce929d0e0e4736"
	sendTraced(t, u, dump, map[string]string{"URL": "canary-url", "Comments": "canary-comment"}, parent)
	u.rows(1)
	want := map[string]string{
		"door receive":      "",
		"crash.raw publish": "", "crash.raw receive": "", "crash.raw process": "done",
		"crash.processed.v1 publish": "", "crash.processed.v1 receive": "", "crash.processed.v1 process": "done",
		"crash.telemetry publish": "",
	}
	eventually(t, time.Minute, func() error {
		traces := o.doors()
		if len(traces) != 1 {
			return fmt.Errorf("%d traces began at the door", len(traces))
		}
		if hex.EncodeToString(traces[0]) == parent {
			t.Fatal("a client decides what is traced")
		}
		have := o.of(traces[0])
		for name, outcome := range want {
			if got, ok := have[name]; !ok || got != outcome {
				return fmt.Errorf("span %s: %v, %q, want %q (there are %v)", name, ok, got, outcome, have)
			}
		}
		return nil
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	if bytes.Contains(o.bytes, []byte("canary")) {
		t.Error("a span holds what the client sent")
	}
}

func TestTraceFlagsAreLookedAtFirst(t *testing.T) {
	for name, args := range map[string][]string{
		"no URL":           {"--otlp-endpoint", "localhost:4318"},
		"another protocol": {"--otlp-endpoint", "grpc://localhost:4317"},
		"a password":       {"--otlp-endpoint", "http://u:canary@localhost:4318"},
		"a share above 1":  {"--trace-ratio", "1.01"},
		"a share below 0":  {"--trace-ratio=-0.01"},
		"no number":        {"--trace-ratio", "NaN"},
	} {
		var out, errs bytes.Buffer
		args = append([]string{"process", "--brokers", "127.0.0.1:1", "--blob", t.TempDir()}, args...)
		if code := Main(args, &out, &errs); code != exitUsage || strings.Contains(errs.String(), "canary") || !strings.Contains(errs.String(), ": want ") {
			t.Errorf("%s: exit code %d, %s", name, code, &errs)
		}
	}
	for endpoint, want := range map[string]string{
		"": "", "http://h:1": "http://h:1/v1/traces", "https://h/": "https://h/v1/traces", "http://h/x": "http://h/x",
	} {
		if got, err := (traceFlags{OTLPEndpoint: endpoint}).endpoint(); got != want || err != nil {
			t.Errorf("%q: %q, %v", endpoint, got, err)
		}
	}
}
