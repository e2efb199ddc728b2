package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// The lag is that of every version that is stored, and of archived ones together: of one that
// has ended nothing is asked.
func TestTheLagOfTheTables(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	if err := stream.CreateTopics(t.Context(), p.kafka, 1, schema.Processed(3, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Operate(t.Context(), p.kafka, func(state *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := state.Clone()
		for n, state := range map[int32]string{2: schema.StateEnded, 3: schema.StateLive} {
			v := next.Versions[0]
			v.Number, v.State = n, state
			next.Versions = append(next.Versions, v)
		}
		return next, nil
	}); err != nil {
		t.Fatal(err)
	}
	stored := &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte("a")}
	streamtest.Put(t, p.kafka, stored,
		&kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte("b")}, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte("c")}, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte("a")},
		&kgo.Record{Topic: schema.ProcessedTopic(schema.Archived), Key: []byte("a")})
	commit(t, p.kafka, schema.SinkGroup(clickhouse.Name, 1), stored)
	got, err := tablesLag(t.Context(), p.kafka)
	if err != nil {
		t.Fatal(err)
	}
	behind := map[string]int64{}
	oldest := time.Time{}
	for _, g := range got.Groups {
		behind[g.Group+" "+g.Topic] = g.Records
		if oldest.IsZero() || !g.Oldest.IsZero() && g.Oldest.Before(oldest) {
			oldest = g.Oldest
		}
	}
	want := map[string]int64{"sink.clickhouse.v1 crash.processed.v1": 3, "sink.clickhouse.v3 crash.processed.v3": 0, "sink.clickhouse.archived crash.processed.archived": 1}
	for place, n := range want {
		if is, there := behind[place]; !there || is != n {
			t.Errorf("%s: %d behind, want %d", place, is, n)
		}
	}
	if len(behind) != len(want) || got.Records != 4 || time.Since(got.Oldest) > time.Hour || !got.Oldest.Equal(oldest) {
		t.Errorf("%+v", got)
	}
}

// What people read of it.
func TestHowALagIsPrinted(t *testing.T) {
	t.Parallel()
	now := autumn
	var all lag
	for _, of := range []groupLag{
		{"sink.clickhouse.v1", "crash.processed.v1", stream.Lag{Records: 1200, Oldest: now.Add(-90 * time.Second)}},
		{"sink.clickhouse.v2", "crash.processed.v2", stream.Lag{Records: 2000}},
		{"sink.clickhouse.archived", "crash.processed.archived", stream.Lag{}},
	} {
		all.Groups = append(all.Groups, of)
		all.Add(of.Lag)
	}
	var out bytes.Buffer
	if err := all.print(&out, now); err != nil {
		t.Fatal(err)
	}
	const want = `
                     group                     topic  behind  oldest
        sink.clickhouse.v1        crash.processed.v1    1200   1m30s
        sink.clickhouse.v2        crash.processed.v2    2000
  sink.clickhouse.archived  crash.processed.archived       0

The tables are 3200 records behind, ends of transactions among them.
The oldest was processed 1m30s ago.
`
	var got strings.Builder
	for line := range strings.Lines(out.String()) {
		got.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	if got.String() != want {
		t.Errorf("%s", &got)
	}
}
