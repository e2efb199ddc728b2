package clickhouse_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

func TestVerifyLooksAtTheRowsThatCount(t *testing.T) {
	for _, of := range clickhouse.Populations {
		t.Run(of.View, func(t *testing.T) { verifyLooksAtTheRowsThatCount(t, of) })
	}
}

func verifyLooksAtTheRowsThatCount(t *testing.T, of clickhouse.Population) {
	db, conn := open(t)
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	other := row(id(9, "261122"), 1, 0, 14, noon, "another partition's")
	other.Processed.Raw.Partition = 1
	for _, batch := range [][]sinks.Row{
		{row(id(1, "261122"), 1, 0, 10, noon, "a"), row(id(2, "261122"), 1, 0, 11, noon, "b"), other},
		{row(id(1, "261122"), 1, 0, 13, noon, "a again")},           // a later raw record
		{row(id(2, "261122"), 1, 5, 11, noon, "b reprocessed")},     // a newer result
		{row(id(3, "261122"), 1, 0, 12, noon, "c")},                 // outside of the span
		{row(id(1, "261122"), 2, 0, 10, noon, "another version's")}, // not seen
	} {
		if of == clickhouse.Pings {
			batch = asPings(batch)
		}
		if err := db.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	rows := func(table stream.Table, from, end int64) (got []string) {
		t.Helper()
		if err := table.Rows(t.Context(), 0, from, end, func(r stream.StoredRow) error {
			got = append(got, fmt.Sprintf("%d revision %d from %d", r.RawOffset, r.Revision, r.ProcessedOffset))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		return got
	}
	tables := db.Tables(1)
	if len(tables) != 3 {
		t.Fatalf("%d tables", len(tables))
	}
	for _, table := range tables {
		if got, want := rows(table, 0, 12), []string{"10 revision 0 from 110", "11 revision 5 from 111"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", table.Name, got, want)
		}
		if got := rows(table, 13, 100); len(got) != 0 {
			t.Errorf("%s: the row of a duplicate: %q", table.Name, got)
		}
		seen := 0
		if table.Seen == nil {
			continue
		}
		if err := table.Seen(t.Context(), 0, 0, 12, func(int64) error { seen++; return nil }); err != nil || seen != 2 {
			t.Errorf("%s: %d seen, %v", table.Name, seen, err)
		}
		stop := errors.New("stop")
		if err := table.Rows(t.Context(), 0, 0, 100, func(stream.StoredRow) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("%s: %v", table.Name, err)
		}
	}
	if got := rows(db.Tables(2)[0], 0, 100); len(got) != 1 {
		t.Errorf("version 2: %q", got)
	}
	// A narrow row that is not there, and one of another revision.
	if err := conn.Exec(t.Context(), of.SQL("ALTER TABLE aftershock.$signatures DELETE WHERE signature_version = 1 AND (crash = ? OR revision = 5) SETTINGS mutations_sync = 2"), id(3, "261122")); err != nil {
		t.Fatal(err)
	}
	if got, want := rows(tables[2], 0, 100), []string{"10 revision 0 from 110"}; !slices.Equal(got, want) {
		t.Errorf("narrow rows: %q, want %q", got, want)
	}
	// Both versions are seen at once: a mistake that only the views show.
	both := activation(2, all(1), all(2))
	if err := db.Activate(t.Context(), both); err != nil {
		t.Fatal(err)
	}
	var offsets []int64
	if err := tables[0].Seen(t.Context(), 0, 0, 12, func(o int64) error { offsets = append(offsets, o); return nil }); err != nil {
		t.Fatal(err)
	}
	if slices.Sort(offsets); !slices.Equal(offsets, []int64{10, 10, 11}) {
		t.Errorf("seen: %v", offsets)
	}
	if err := conn.Exec(t.Context(), of.SQL("DROP TABLE aftershock_protected.$rows")); err != nil {
		t.Fatal(err)
	}
	if err := tables[1].Rows(t.Context(), 0, 0, 1, nil); err == nil || !strings.Contains(err.Error(), "the sink of this release makes the tables") {
		t.Errorf("a table that is gone: %v", err)
	}
}

// A ping without its row is found as a crash is, and asked for again.
func TestVerifyFindsAndMendsAMissingPing(t *testing.T) {
	db, conn := open(t)
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.TopicReprocess, schema.ProcessedTopic(1), schema.TopicTelemetry, schema.TopicDeadLetter)
	rows := []sinks.Row{
		row(id(1, "261122"), 1, 0, 0, noon, "a"), row(id(2, "261122"), 1, 0, 1, noon, "a"),
		row(id(3, "261122"), 1, 0, 2, noon, "a"), row(id(4, "261122"), 1, 0, 3, noon, "a"),
	}
	copy(rows[1:3], asPings(rows[1:3]))
	var offsets kadm.Offsets
	for i := range rows {
		p := rows[i].Processed
		value, err := schema.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(p.CrashID), Value: []byte("raw"), Timestamp: noon})
		processed := &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(p.CrashID), Value: value}
		streamtest.Put(t, k, processed)
		rows[i].Position.Offset = processed.Offset
		offsets.AddOffset(schema.TopicRaw, 0, int64(i+1), -1)
		offsets.AddOffset(schema.ProcessedTopic(1), 0, processed.Offset+1, -1)
	}
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, group := range []string{schema.ProcessGroup(1), schema.SinkGroup(clickhouse.Name, 1)} {
		if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), group, offsets); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	// Nothing is published yet: crash.telemetry is not what this is about.
	if err := db.Activate(t.Context(), activation(1, all(1))); err != nil {
		t.Fatal(err)
	}
	verifier := stream.Verifier{Kafka: k, Version: 1, Sink: clickhouse.Name, Tables: db.Tables(1), Activation: schema.Activation{Epoch: 1}}
	verify := func() (found *stream.Verified, holes []string) {
		t.Helper()
		if err := verifier.Run(t.Context(), func(v *stream.Verified) error { found = v; return nil }); err != nil {
			t.Fatal(err)
		}
		for _, table := range found.Tables {
			if table.Missing.Count > 0 {
				holes = append(holes, fmt.Sprintf("%s: %s", table.Name, table.Missing))
			}
		}
		return found, holes
	}
	if found, holes := verify(); !found.Whole() || found.Raw != 4 || len(holes) > 0 {
		t.Fatalf("%+v", found)
	}
	for table, want := range map[string][]string{
		"aftershock_protected.ping_rows": {"rows of aftershock_protected: 1"},
		"aftershock.ping_signatures":     {"signatures of aftershock: 1"},
		"aftershock.ping_rows":           {"rows of aftershock: 1", "signatures of aftershock: 1"}, // narrow rows are those of rows
	} {
		column := "crash_id"
		if strings.HasSuffix(table, "signatures") {
			column = "toString(crash)"
		}
		if err := conn.Exec(t.Context(), "ALTER TABLE "+table+" DELETE WHERE "+column+" = ? SETTINGS mutations_sync = 2", id(2, "261122")); err != nil {
			t.Fatal(err)
		}
		found, holes := verify()
		if !slices.Equal(holes, want) || found.Holes() != 1 || !found.Mendable() {
			t.Errorf("%s: %q, want %q", table, holes, want)
		}
		if n, err := verifier.Repair(t.Context(), found, 10); err != nil || n != 1 {
			t.Errorf("%s: %d are asked for, %v", table, n, err)
		}
		if err := db.Write(t.Context(), rows); err != nil { // what comes of it
			t.Fatal(err)
		}
		if _, holes := verify(); len(holes) > 0 {
			t.Errorf("%s, mended: %q", table, holes)
		}
	}
	for _, r := range streamtest.Committed(t, k, schema.TopicReprocess, 3) {
		if request, err := schema.Decode[schema.ReprocessRequest](r.Value); err != nil || request.CrashID != id(2, "261122") || request.Raw.Offset != 1 {
			t.Errorf("%+v, %v", request, err)
		}
	}
	// A ping that somebody counts as a crash as well.
	if err := conn.Exec(t.Context(), "INSERT INTO aftershock.crash_rows SELECT * FROM aftershock.ping_rows"); err != nil {
		t.Fatal(err)
	}
	found, _ := verify()
	if found.Mendable() || !slices.ContainsFunc(found.Tables, func(s stream.VerifiedSink) bool { return s.Name == "rows of aftershock" && s.Twice.Count == 2 }) {
		t.Errorf("%+v", found.Tables)
	}
}

// The views may be made to show something else than what was projected.
func TestShowsTellsALostOrOtherProjection(t *testing.T) {
	db, conn := open(t)
	want := activation(3, all(1))
	check := func(name string, right bool) {
		t.Helper()
		if err := db.Shows(t.Context(), want); right != (err == nil) || !right && !errors.Is(err, clickhouse.ErrProjection) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("nothing", false)
	for _, a := range []struct {
		name string
		a    schema.Activation
		want bool
	}{{"an older one", activation(2, all(1)), false}, {"this one", want, true}, {"a newer one", activation(4, all(1)), false}} {
		if err := db.Activate(t.Context(), a.a); err != nil {
			t.Fatal(err)
		}
		check(a.name, a.want)
	}
	for _, statement := range []string{"TRUNCATE TABLE aftershock.activation", "INSERT INTO aftershock.activation VALUES (3, [('1970-01-01', '2200-01-01', 2)])"} {
		if err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		check(statement, false)
	}
}
