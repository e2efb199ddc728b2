package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// passed lets process.v1 have come to the end, with nothing processed.
func (p *plant) passed(records []*kgo.Record) {
	p.t.Helper()
	cl, err := kgo.NewClient(p.kafka.Options()...)
	if err != nil {
		p.t.Fatal(err)
	}
	defer cl.Close()
	var offsets kadm.Offsets
	for _, r := range records {
		offsets.AddOffset(r.Topic, r.Partition, r.Offset+1, -1)
	}
	if err := kadm.NewClient(cl).CommitAllOffsets(p.t.Context(), schema.ProcessGroup(1), offsets); err != nil {
		p.t.Fatal(err)
	}
}

func TestVerifyTellsAndAsksForWhatIsMissing(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	if out, errs, code := p.run("verify"); code != exitFailed || !strings.Contains(errs, "nothing was looked at: crash.raw has no record") {
		t.Errorf("nothing to verify: exit code %d, %s%s", code, out, errs)
	}
	records := p.put(0, 1, 2, 3, 4)
	if out, errs, code := p.run("verify"); code != exitFailed || !strings.Contains(errs, "nothing was looked at: group process.v1 is") {
		t.Errorf("a group that never was: exit code %d, %s%s", code, out, errs)
	}
	p.passed(records)
	buried := stream.DeadLetter(records[4], schema.DeadPanic, "process", 1)
	streamtest.Put(t, p.kafka, buried)

	out, errs, code := p.run("verify", "--json")
	if code != exitFailed || !strings.Contains(errs, "4 of 5 raw records lack something") || strings.Contains(out+errs, secret) {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	var missing, dead int64
	for _, line := range lines(out) {
		var found struct {
			SignatureVersion int32 `json:"signature_version"`
			stream.Verified
			Whole bool `json:"whole"`
		}
		if err := json.Unmarshal([]byte(line), &found); err != nil || found.SignatureVersion != 1 || found.Whole != (found.Missing.Count == 0) {
			t.Errorf("%v: %s", err, line)
		}
		missing, dead = missing+found.Missing.Count, dead+found.Dead
	}
	if missing != 4 || dead != 1 {
		t.Errorf("%d missing, %d dead: %s", missing, dead, out)
	}
	if _, errs, code := p.run("verify", "--to", "2026-11-22"); code != exitFailed || !strings.Contains(errs, "nothing was looked at") {
		t.Errorf("before they were received: exit code %d, %s", code, errs)
	}
	out, errs, code = p.run("verify", "--repair")
	if code != 0 || !strings.Contains(out, "asked for 4 raw records to be processed again") || len(p.requests()) != 4 {
		t.Errorf("repair: exit code %d, %s%s", code, out, errs)
	}
	for n, q := range p.requests() {
		if want := fmt.Sprintf("%08x %d/%d [1] attempt 0 verify", n, records[n].Partition, records[n].Offset); q != want {
			t.Errorf("%s, want %s", q, want)
		}
	}
}

func TestVerifyRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a version that is none": {[]string{"--version", "7"}, exitUsage, "no signature version 7"},
		"no time":                {[]string{"--from", "2026-11-22", "--to", "2026-11-22"}, exitUsage, "before --to"},
		"a time that is none":    {[]string{"--from", "yesterday"}, exitUsage, "want a time like"},
		"no ClickHouse":          {[]string{"--clickhouse-url", "http://user:pa55@127.0.0.1:1"}, exitFailed, "the right --clickhouse-url"},
	} {
		if _, errs, code := p.run(append([]string{"verify"}, tc.args...)...); code != tc.code || !strings.Contains(errs, tc.want) || strings.Contains(errs, "pa55") {
			t.Errorf("%s: exit code %d, %s", name, code, errs)
		}
	}
	if _, err := stream.Operate(t.Context(), p.kafka, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := *now
		next.Versions = []schema.SignatureVersion{now.Versions[0]}
		next.Versions[0].State = schema.StateEnded
		return &next, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := p.run("verify"); code != exitFailed || !strings.Contains(errs, "--version") {
		t.Errorf("no live version: exit code %d, %s", code, errs)
	}
	if _, errs, code := p.run("verify", "--version", "1"); code != exitFailed || !strings.Contains(errs, "nothing was looked at") {
		t.Errorf("an ended version: exit code %d, %s", code, errs)
	}
	if _, errs, code := p.run("verify", "--version", "1", "--repair"); code != exitUsage || !strings.Contains(errs, "is not live") {
		t.Errorf("repair of an ended version: exit code %d, %s", code, errs)
	}
}
