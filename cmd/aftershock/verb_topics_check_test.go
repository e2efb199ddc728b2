package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"aftershock/stream"
	"aftershock/stream/streamtest"
)

func TestTopicsCheckSaysWhatCreateLeftOut(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1)
	verb := func(wantCode int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := Main(append(args, "--brokers", k.Brokers[0]), &out, &errs); code != wantCode {
			t.Fatalf("%q: exit %d, want %d: %s", args, code, wantCode, &errs)
		}
		return out.String(), errs.String()
	}
	// Nothing is there yet: a role says so instead of waiting for it.
	if _, errs := verb(exitFailed, "sink", "telemetry", "--metrics-listen", "127.0.0.1:0"); !strings.Contains(errs, "crash.telemetry: topic is missing") || !strings.Contains(errs, "aftershock topics create") {
		t.Errorf("the role says: %s", errs)
	}
	verb(0, "topics", "create", "--replication", "1")
	if out, _ := verb(0, "topics", "check", "--allow-replication-1"); out != "" {
		t.Errorf("found after create: %s", out)
	}
	out, errs := verb(exitFailed, "topics", "check")
	if !strings.Contains(out, "error: crash.raw: replication factor is 1, want 3: ") || !strings.Contains(errs, "11 errors, 0 warnings") {
		t.Errorf("one replica: %s%s", out, errs)
	}
	out, _ = verb(exitFailed, "topics", "check", "--json")
	for line := range strings.Lines(out) {
		var f stream.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil || f.Severity != stream.SeverityError || f.Setting != "replication factor" {
			t.Errorf("%s: %v", line, err)
		}
	}
}
