package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"aftershock/internal/embedded"
	"aftershock/replay"
	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// newStore starts a ClickHouse, and returns its URL and its migrated database.
func newStore(t *testing.T) (string, *clickhouse.DB) {
	t.Helper()
	library, err := embedded.FindLibrary("")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	dir := t.TempDir()
	token, err := embedded.Token(dir)
	if err != nil {
		t.Fatal(err)
	}
	url := "http://aftershock:" + token + "@" + addr
	child, err := embedded.Start(t.Context(), embedded.ChildOptions{
		Name: "clickhouse", Exe: os.Args[0], Env: []string{asProgram + "=1"},
		Args:  []string{"embedded", "clickhouse", "--dir", dir, "--listen", addr, "--library", library},
		Ready: embedded.ClickHouseReady("http://" + addr), Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := child.Stop(context.Background()); err != nil {
			t.Log(err)
		}
	})
	db, err := openClickHouse(url)
	if err == nil {
		err = migrate(t.Context(), db, url, zerolog.Nop())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return url, db
}

// second announces signature version 2, with other rules, and 3, which is dropped.
func (p *plant) second() {
	p.t.Helper()
	var text []schema.RulesetFile // of the shipped rules, under another hash
	for _, f := range signature.Default().Files() {
		text = append(text, schema.RulesetFile{Name: f.Name, Text: f.Text})
	}
	if _, err := stream.Operate(p.t.Context(), p.kafka, func(now *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := now.Clone()
		for n, state := range map[int32]string{2: schema.StateLive, 3: schema.StateDropped} {
			v := next.Versions[0]
			v.Number, v.State, v.RulesetHash, v.Ruleset = n, state, "other", text
			next.Versions = append(next.Versions, v)
		}
		return next, nil
	}); err != nil {
		p.t.Fatal(err)
	}
}

// autumnRow is what a version made of a crash.
func autumnRow(n int, version int32, revision int64, signature string) sinks.Row {
	return sinks.Row{
		Processed: &schema.ProcessedCrash{
			CrashID: autumnID(n), ReceivedAt: autumn, SignatureVersion: version, Revision: revision, Signature: signature,
			Raw:     schema.Position{Topic: schema.TopicRaw, Offset: int64(n)},
			Modules: []schema.Module{{Filename: "app", Symbols: "missing"}},
		},
		Position: schema.Position{Topic: schema.ProcessedTopic(version), Offset: int64(n)},
	}
}

// asPing is the same row of a ping.
func asPing(r sinks.Row) sinks.Row {
	r.Processed.Kind = schema.KindPing
	return r
}

func TestReplayDiffReportsInEveryForm(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.second()
	url, db := newStore(t)
	if err := db.Write(t.Context(), []sinks.Row{
		autumnRow(1, 1, 0, "f"), autumnRow(2, 1, 0, "f"), autumnRow(3, 1, 0, "h"), autumnRow(4, 1, 0, "only here"),
		autumnRow(1, 2, 0, "f | a"), autumnRow(2, 2, 0, "f | <b>"), autumnRow(3, 2, 0, "h"), autumnRow(3, 2, 9, "h"),
		asPing(autumnRow(5, 1, 0, "f")), asPing(autumnRow(5, 2, 0, "of a ping")),
	}); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(t.TempDir(), "diff.html")
	args := []string{"replay", "diff", "1", "2", "--clickhouse-url", url}
	out, errs, code := p.run(append(args, "--html", page)...)
	if code != 0 || !strings.Contains(out, `split "f": 2 crashes`) || !strings.Contains(out, "is gone from crash.processed.v1") || !strings.Contains(out, "2 of 3 crashes change their signature (67 %)") || strings.Contains(out, "ping") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "f | &lt;b&gt;") || !strings.Contains(string(html), "<svg") {
		t.Errorf("%s", html)
	}
	out, errs, code = p.run(append(args, "--json")...)
	var d replay.Diff
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != 0 || d.Totals != (replay.Totals{A: 4, B: 3, Both: 3, OnlyA: 1, Moved: 2, SignaturesA: 3, SignaturesB: 3}) {
		t.Errorf("exit code %d, %v, %s%s", code, err, out, errs)
	}
	if out, errs, code = p.run(append(args, "--csv", "--limit", "1")...); code != 0 || len(lines(out)) != 3 || !strings.Contains(out, "others,1,2,,,1") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if out, errs, code = p.run(append(args, "--html", "-", "--to", "2026-11-22")...); code != 0 || !strings.HasPrefix(out, "<!DOCTYPE html>") || !strings.Contains(out, "Nothing changed") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if out, errs, code = p.run(append(args, "--pings")...); code != 0 || !strings.Contains(out, `moved "f": 1 pings`) || !strings.Contains(out, "1 of 1 pings change their signature") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if out, errs, code = p.run("replay", "diff", "--revisions", "2", "--clickhouse-url", url); code != 0 || !strings.Contains(out, "0 of 1 crashes change their signature") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
}

func TestReplayDiffRefusesWhatItCannotCompare(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.second()
	for name, tc := range map[string]struct {
		args string
		code int
		want string
	}{
		"one version":              {"1", exitUsage, "want two signature versions"},
		"a version with itself":    {"1 1", exitUsage, "that differ"},
		"versions and revisions":   {"1 2 --revisions 1", exitUsage, "not both"},
		"a version that is none":   {"1 7", exitUsage, "no signature version 7"},
		"a dropped version":        {"1 3", exitUsage, "version 3 is dropped"},
		"revisions of none":        {"--revisions 7", exitUsage, "no signature version 7"},
		"two forms":                {"1 2 --json --csv", exitUsage, "not both"},
		"two reports in one":       {"1 2 --json --html -", exitUsage, "give --html a file"},
		"no rows":                  {"1 2 --limit 0", exitUsage, "want 1 to 10000"},
		"one row too many":         {"1 2 --limit 10001", exitUsage, "want 1 to 10000"},
		"too little memory":        {"1 2 --max-memory 67108863", exitUsage, "want at least 67108864"},
		"no time":                  {"1 2 --from 2026-11-22 --to 2026-11-22", exitUsage, "before --to"},
		"no ClickHouse":            {"1 2 --limit 10000 --max-memory 67108864", exitFailed, "the right --clickhouse-url"},
		"revisions, no ClickHouse": {"--revisions 2", exitFailed, "the right --clickhouse-url"},
	} {
		args := append([]string{"replay", "diff", "--clickhouse-url", "http://user:pa55@127.0.0.1:1"}, strings.Fields(tc.args)...)
		if _, errs, code := p.run(args...); code != tc.code || !strings.Contains(errs, tc.want) || strings.Contains(errs, "pa55") {
			t.Errorf("%s: exit code %d, %s", name, code, errs)
		}
	}
}
