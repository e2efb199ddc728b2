package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/stream/streamtest"
)

// A plan tells of reports, or of pings, and of how large the sample was for both.
func TestReplayPlanIsOfReportsOrPings(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	for n, row := range []sinks.Row{autumnRow(0, 1, 0, "not what the rules give"), asPing(autumnRow(1, 1, 0, "")), asPing(autumnRow(2, 1, 0, ""))} {
		value, err := schema.Encode(row.Processed)
		if err != nil {
			t.Fatal(err)
		}
		streamtest.Put(t, p.kafka, &kgo.Record{Topic: schema.ProcessedTopic(1), Partition: int32(n % 2), Key: []byte(row.Processed.CrashID), Value: value})
	}
	plan := []string{"replay", "plan", "--ruleset", "default"}
	for flag, want := range map[string]string{"": " of 1 crashes change their signature, of a sample of 3 in 0", "--pings": " of 2 pings change their signature, of a sample of 3 in 0"} {
		args := plan
		if flag != "" {
			args = append(args, flag)
		}
		if out, errs, code := p.run(args...); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%q: exit code %d, %s%s", flag, code, out, errs)
		}
	}
	if out, errs, code := p.run(append(plan, "--format", "markdown")...); code != 0 || !strings.HasPrefix(out, "### Signatures under these rules\n\n**0 of 1** sampled crashes (0 %)") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "prefix_signature_re.txt"), []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plan[len(plan)-1] = other
	for n := range 3 { // two are no reason to warn
		if out, errs, code := p.run(append(plan, "--strict")...); code != 0 || strings.Contains(out, "warning") {
			t.Errorf("exit code %d, %s%s", code, out, errs)
		}
		row := autumnRow(3+n, 1, 0, "abort | helper").Processed
		row.DumpStatus, row.System.OS, row.Crash.CrashingThread = schema.DumpOK, "Linux", new(int32(0))
		row.Threads = []schema.Thread{{Frames: []schema.Frame{{Module: "app", Function: "abort"}, {Module: "app", Function: "helper"}}}}
		value, err := schema.Encode(row)
		if err != nil {
			t.Fatal(err)
		}
		streamtest.Put(t, p.kafka, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(row.CrashID), Value: value})
	}
	if out, errs, code := p.run(append(plan, "--strict")...); code != exitFailed || !strings.Contains(out, "warning: 75 % of ") || !strings.Contains(errs, "--strict: 1 warnings") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
}
