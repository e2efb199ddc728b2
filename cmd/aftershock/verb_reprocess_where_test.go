package main

import (
	"strings"
	"testing"

	"aftershock/schema"
	"aftershock/sinks"
)

func TestReprocessWhereAsksOnlyWithConsent(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	url, db := newStore(t)
	if err := db.Activate(t.Context(), schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 1}}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), []sinks.Row{autumnRow(1, 1, 0, "f"), autumnRow(2, 1, 0, "g"), autumnRow(3, 1, 0, "f"), asPing(autumnRow(4, 1, 0, "f"))}); err != nil {
		t.Fatal(err)
	}
	const missing = "arrayExists(s -> s = 'missing', modules.symbols) AND signature = 'f'"
	args := []string{"reprocess", "--clickhouse-url", url, "--where"}
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no consent":         {[]string{missing}, exitUsage, "selects 2 crashes: want --yes"},
		"a dry run":          {[]string{missing, "--dry-run"}, 0, "crash.raw/0/3 would be asked for"},
		"of pings":           {[]string{missing, "--dry-run", "--pings"}, 0, "crash.raw/0/4 would be asked for\n--where selects 1 pings\n"},
		"pings, no consent":  {[]string{missing, "--pings"}, exitUsage, "selects 1 pings: want --yes"},
		"more than wanted":   {[]string{missing, "--yes", "--limit", "1"}, exitFailed, "selects 2 crashes, more than --limit 1"},
		"none":               {[]string{"0"}, 0, "selects 0 crashes"},
		"ids as well":        {[]string{missing, autumnID(1), "--yes"}, exitUsage, "not both"},
		"a statement":        {[]string{"1; DROP TABLE aftershock.crash_rows", "--yes"}, exitUsage, "not a condition"},
		"no such column":     {[]string{"nothing = 1", "--yes"}, exitFailed, "nothing"},
		"no limit":           {[]string{"1", "--limit", "0"}, exitUsage, "want 1 to 1000000"},
		"too high a limit":   {[]string{"1", "--limit", "1000001"}, exitUsage, "want 1 to 1000000"},
		"too little memory":  {[]string{"1", "--max-memory", "67108863"}, exitUsage, "want at least 67108864"},
		"no such version":    {[]string{missing, "--yes", "--versions", "9"}, exitUsage, "version 9 is not live"},
		"the tables of none": {[]string{missing, "--clickhouse-url", ""}, exitUsage, "want --clickhouse-url"},
	} {
		out, errs, code := p.run(append(args, tc.args...)...)
		if code != tc.code || !strings.Contains(out+errs, tc.want) || len(p.requests()) != 0 {
			t.Errorf("%s: exit code %d, %d requests, %s%s", name, code, len(p.requests()), out, errs)
		}
	}
	if _, errs, code := p.run("reprocess", autumnID(1), "--pings"); code != exitUsage || !strings.Contains(errs, "--pings: want --where") {
		t.Errorf("ids of pings: exit code %d, %s", code, errs)
	}
	out, errs, code := p.run(append(args, missing, "--yes", "--reason", "new symbols")...)
	if code != 0 || strings.Count(out, " asked for") != 2 {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if got, want := strings.Join(p.requests(), "\n"), "00000001 0/1 [] attempt 0 new symbols\n00000003 0/3 [] attempt 0 new symbols"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestOnlyAYesIsAYes(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "Yes\r\n": true, " yes": true, "\n": false, "": false, "n\n": false, "yes please\n": false, strings.Repeat(" ", 100) + "y\n": false} {
		if got := saysYes(strings.NewReader(answer)); got != want {
			t.Errorf("%q: %v", answer, got)
		}
	}
}
