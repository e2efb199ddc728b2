package main

import (
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
}
