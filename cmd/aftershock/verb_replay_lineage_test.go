package main

import (
	"encoding/json"
	"strings"
	"testing"

	"aftershock/replay"
	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

func TestReplayLineageFollowsASignature(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	url, db := newStore(t)
	if err := db.Write(t.Context(), []sinks.Row{
		autumnRow(1, 1, 0, "f"), autumnRow(2, 1, 0, "f"), autumnRow(1, 2, 0, "f | a"), autumnRow(2, 2, 0, "f | b"),
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(t.Context(), clickhouse.Limits{}, `INSERT INTO aftershock.signature_lineage
		(epoch, batch, from_version, to_version, old_signature, new_signature, crashes, majority, first_seen, complete) VALUES
		(2, 1, 1, 2, 'f', 'f | a', 1, 1, '2026-11-22 12:00:00', 0), (2, 1, 1, 2, 'f', 'f | b', 1, 0, '2026-11-22 12:00:00', 0), (2, 1, 0, 0, '', '', 0, 0, 0, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Activate(t.Context(), schema.Activation{Epoch: 2}); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (out, errs string, code int) {
		return p.runAlone(append([]string{"replay", "lineage", "--clickhouse-url", url}, args...)...)
	}
	if out, errs, code := run("f | a"); code != 0 || !strings.Contains(out, `50 % of "f" → "f | a" (most of it)`) || !strings.Contains(out, "first seen 2026-11-22T12:00:00Z") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	out, errs, code := run("f", "--json")
	var l replay.Lineage
	if err := json.Unmarshal([]byte(out), &l); err != nil || code != 0 || len(l.Became) != 2 || l.Became[0].New != "f | a" {
		t.Errorf("exit code %d, %v, %s%s", code, err, out, errs)
	}
	if out, errs, code := run("\x1b[2J"); code != 0 || !strings.HasPrefix(out, `"\x1b[2J"`+"\nno crash has this signature") {
		t.Errorf("exit code %d, %q%s", code, out, errs)
	}
	if _, errs, code := run(); code != exitUsage {
		t.Errorf("no signature: exit code %d, %s", code, errs)
	}
	if _, errs, code := p.runAlone("replay", "lineage", "f", "--clickhouse-url", "http://user:pa55@127.0.0.1:1"); code != exitFailed || strings.Contains(errs, "pa55") {
		t.Errorf("no ClickHouse: exit code %d, %s", code, errs)
	}
}
