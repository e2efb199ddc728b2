package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

var dayOfCrashes = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// world is what a version has made of some raw crashes, by hand.
type world struct {
	t    *testing.T
	k    stream.Kafka
	rows map[int64]stream.StoredRow // by raw offset, in both tables
	seen []int64                    // raw offsets, besides those of the rows
	hide map[int64]bool             // rows that are not seen
}

// newWorld has n raw crashes at the raw offsets 0 to n-1, each processed and stored;
// those for which without holds are raw crashes only.
func newWorld(t *testing.T, n int, without ...int) *world {
	t.Helper()
	k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.TopicReprocess, schema.ProcessedTopic(1), schema.TopicTelemetry, schema.TopicDeadLetter)
	w := &world{t: t, k: k, rows: map[int64]stream.StoredRow{}}
	for i := range n {
		w.raw(i)
	}
	for i := range n {
		if !slices.Contains(without, i) {
			w.process(i, int64(i), 0)
			w.publish(i, 1, 0)
		}
	}
	return w
}

func crashID(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000261122", n) }

func received(n int) time.Time { return dayOfCrashes.Add(time.Duration(n) * time.Minute) }

// raw appends a raw record of crash n.
func (w *world) raw(n int) {
	streamtest.Put(w.t, w.k, &kgo.Record{Topic: schema.TopicRaw, Key: []byte(crashID(n)), Value: []byte("raw"), Timestamp: received(n)})
}

// process appends a result of crash n, and stores its rows.
func (w *world) process(n int, rawOffset, revision int64) *kgo.Record {
	r := w.append(n, rawOffset, revision)
	if old, ok := w.rows[rawOffset]; !ok || old.Revision <= revision {
		w.rows[rawOffset] = stream.StoredRow{RawOffset: rawOffset, Revision: revision, ProcessedOffset: r.Offset}
	}
	return r
}

// append appends a result that no sink has stored.
func (w *world) append(n int, rawOffset, revision int64) *kgo.Record {
	w.t.Helper()
	value, err := schema.Encode(&schema.ProcessedCrash{
		CrashID: crashID(n), ReceivedAt: received(n), SignatureVersion: 1, Revision: revision,
		Raw: schema.Position{Topic: schema.TopicRaw, Offset: rawOffset},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	r := &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(crashID(n)), Value: value}
	streamtest.Put(w.t, w.k, r)
	return r
}

func (w *world) publish(n int, version int32, revision int64) {
	w.publishSince(1, n, version, revision)
}

// publishSince publishes what is shown since an epoch.
func (w *world) publishSince(epoch int64, n int, version int32, revision int64) {
	r := &kgo.Record{Topic: schema.TopicTelemetry, Key: []byte(crashID(n)), Value: []byte("public"), Timestamp: received(n)}
	streamtest.Put(w.t, w.k, stream.Identify(r, fmt.Sprintf("%s/%d/%d/%d", crashID(n), version, revision, epoch)))
}

func (w *world) bury(topic string, offset int64, stage string, version int32) {
	in := &kgo.Record{Topic: topic, Offset: offset, Value: []byte("x")}
	streamtest.Put(w.t, w.k, stream.DeadLetter(in, schema.DeadDeadline, stage, version))
}

// at sets how far a group has come.
func (w *world) at(group, topic string, offset int64) {
	w.t.Helper()
	cl, err := kgo.NewClient(w.k.Options()...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 0, offset, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(w.t.Context(), group, offsets); err != nil {
		w.t.Fatal(err)
	}
}

// done sets every group to the end.
func (w *world) done() {
	w.t.Helper()
	w.at(schema.ProcessGroup(1), schema.TopicRaw, w.end(schema.TopicRaw))
	for _, group := range []string{schema.SinkGroup("clickhouse", 1), schema.TelemetryGroup(1, 1)} {
		w.at(group, schema.ProcessedTopic(1), w.end(schema.ProcessedTopic(1)))
	}
}

func (w *world) end(topic string) int64 {
	w.t.Helper()
	cl, err := kgo.NewClient(w.k.Options()...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(w.t.Context(), topic)
	if err != nil {
		w.t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	return end.Offset
}

func (w *world) verifier() *stream.Verifier {
	table := stream.Table{
		Name: "rows",
		Rows: func(_ context.Context, _ int32, from, end int64, each func(stream.StoredRow) error) error {
			for _, r := range w.rows {
				if from <= r.RawOffset && r.RawOffset < end {
					if err := each(r); err != nil {
						return err
					}
				}
			}
			return nil
		},
		Seen: func(_ context.Context, _ int32, _, _ int64, each func(int64) error) error {
			seen := slices.Clone(w.seen)
			for offset := range w.rows {
				if !w.hide[offset] {
					seen = append(seen, offset)
				}
			}
			for _, offset := range seen {
				if err := each(offset); err != nil {
					return err
				}
			}
			return nil
		},
	}
	return &stream.Verifier{
		Kafka: w.k, Version: 1, Sink: "clickhouse", Tables: []stream.Table{table},
		Activation: schema.Activation{Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 1, Epoch: 1}}},
	}
}

// run verifies the only partition.
func (w *world) run(v *stream.Verifier) *stream.Verified {
	w.t.Helper()
	var out *stream.Verified
	if err := v.Run(w.t.Context(), func(found *stream.Verified) error { out = found; return nil }); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// told is what was found wrong.
func told(v *stream.Verified) string {
	text := fmt.Sprintf("missing %s twice %s", v.Missing, v.Twice)
	for _, s := range v.Tables {
		text += fmt.Sprintf(", %s missing %s surplus %s twice %s", s.Name, s.Missing, s.Surplus, s.Twice)
		if s.Unseen.Count > 0 {
			text += fmt.Sprintf(" unseen %s", s.Unseen)
		}
	}
	return text
}

const (
	goodTelemetry = ", crash.telemetry missing none surplus none twice none"
	goodRows      = ", rows missing none surplus none twice none"
	good          = "missing none twice none" + goodTelemetry + goodRows
)

func TestVerifyFindsWhatIsMissingAndWhatIsTwice(t *testing.T) {
	t.Parallel()
	const crashes = 6
	for name, tc := range map[string]struct {
		without []int
		change  func(w *world)
		want    string
		left    int64 // not processed, dead or duplicates
	}{
		"nothing is wrong": {nil, func(*world) {}, good, 0},
		"a result of another version that could not be signed again": {
			[]int{2},
			func(w *world) {
				value, err := schema.Encode(&schema.ProcessedCrash{CrashID: crashID(2), Raw: schema.Position{Topic: schema.TopicRaw, Offset: 2}, SignatureVersion: 7})
				if err != nil {
					w.t.Fatal(err)
				}
				in := &kgo.Record{Topic: schema.ProcessedTopic(7), Offset: 40, Value: value}
				streamtest.Put(w.t, w.k, stream.DeadLetter(in, schema.DeadProcess, "resign", 1))
			}, good, 0,
		},
		"raw records that nothing came of": {
			[]int{2, 3, 5},
			func(*world) {},
			"missing 2-3,5 twice none" + goodTelemetry + goodRows, 3,
		},
		"a dead letter is an answer": {
			[]int{2},
			func(w *world) { w.bury(schema.TopicRaw, 2, "process", 1) }, good, 0,
		},
		"a dead letter of another version is none": {
			[]int{2},
			func(w *world) { w.bury(schema.TopicRaw, 2, "process", 2) }, "missing 2 twice none" + goodTelemetry + goodRows, 1,
		},
		"a dead letter that was retried": {
			[]int{2},
			func(w *world) { w.bury(schema.TopicRaw, 2, "process", 1); w.process(2, 2, 1); w.publish(2, 1, 1) }, good, 0,
		},
		"a duplicate that was left out": {nil, func(w *world) { w.raw(3) }, good, 0},
		"a duplicate that was processed": {
			nil, func(w *world) { w.raw(3); w.append(3, crashes, 0) },
			"missing none twice 6" + goodTelemetry + goodRows, 0,
		},
		"a duplicate that came long after and was processed": {
			nil, func(w *world) {
				var between []*kgo.Record // dead ones
				for n := range stream.RecentTail {
					r := kgo.Record{Topic: schema.TopicRaw, Key: []byte("no id"), Value: []byte("raw"), Timestamp: received(0)}
					lies := r
					lies.Offset = int64(crashes + n)
					between = append(between, &r, stream.DeadLetter(&lies, schema.DeadDeadline, "process", 1))
				}
				streamtest.Put(w.t, w.k, between...)
				w.raw(3)
				w.append(3, crashes+stream.RecentTail, 0)
			}, good, 0,
		},
		"a raw record that was processed twice": {
			nil, func(w *world) { w.append(4, 4, 0) },
			"missing none twice 4" + goodTelemetry + goodRows, 0,
		},
		"a crash that was processed again": {nil, func(w *world) { w.process(1, 1, 7); w.publish(1, 1, 7) }, good, 0},
		"rows that analysts do not see": {
			nil, func(w *world) { w.hide = map[int64]bool{1: true, 4: true} },
			good + " unseen 1,4", 0,
		},
		"a row that is not there": {
			nil, func(w *world) { delete(w.rows, 0); delete(w.rows, 4) },
			"missing none twice none" + goodTelemetry + ", rows missing 0,4 surplus none twice none", 0,
		},
		"a row of an older result": {
			nil, func(w *world) { w.append(1, 1, 7); w.publish(1, 1, 7) },
			"missing none twice none" + goodTelemetry + ", rows missing 1 surplus none twice none", 0,
		},
		"a row of nothing": {
			[]int{2},
			func(w *world) { w.bury(schema.TopicRaw, 2, "process", 1); w.rows[2] = stream.StoredRow{RawOffset: 2} },
			"missing none twice none" + goodTelemetry + ", rows missing none surplus 2 twice none", 0,
		},
		"a row of what is missing": {
			[]int{2},
			func(w *world) { w.rows[2] = stream.StoredRow{RawOffset: 2} },
			"missing 2 twice none" + goodTelemetry + goodRows, 1,
		},
		"a row of no raw record": {
			nil, func(w *world) {
				transact(w.t, w.k, kgo.TryAbort, schema.TopicRaw, crashID(9))
				w.raw(7)
				w.process(7, 8, 0)
				w.publish(7, 1, 0)
				w.rows[6] = stream.StoredRow{RawOffset: 6}
			},
			"missing none twice none" + goodTelemetry + ", rows missing none surplus 6 twice none", 0,
		},
		"a crash that is seen twice": {
			nil, func(w *world) { w.seen = []int64{2} },
			"missing none twice none" + goodTelemetry + ", rows missing none surplus none twice 2", 0,
		},
		"a row that the sink could not store": {
			[]int{2},
			func(w *world) {
				r := w.append(2, 2, 0)
				w.publish(2, 1, 0)
				w.bury(schema.ProcessedTopic(1), r.Offset, "sink", 1)
			}, good, 0,
		},
		"a crash that is not published": {
			[]int{2},
			func(w *world) { w.process(2, 2, 0) },
			"missing none twice none, crash.telemetry missing 2 surplus none twice none" + goodRows, 0,
		},
		"one whose older result is published": {
			nil, func(w *world) { w.process(2, 2, 9) },
			"missing none twice none, crash.telemetry missing 2 surplus none twice none" + goodRows, 0,
		},
		"one that another version published": {
			[]int{2},
			func(w *world) { w.process(2, 2, 0); w.publish(2, 2, 0) },
			"missing none twice none, crash.telemetry missing 2 surplus none twice none" + goodRows, 0,
		},
		"one that could not be published": {
			[]int{2},
			func(w *world) { r := w.process(2, 2, 0); w.bury(schema.ProcessedTopic(1), r.Offset, "telemetry", 1) }, good, 0,
		},
		"one that was forgotten": {
			[]int{2},
			func(w *world) {
				w.process(2, 2, 0)
				streamtest.Put(w.t, w.k, &kgo.Record{Topic: schema.TopicTelemetry, Key: []byte(crashID(2)), Timestamp: received(2)})
			}, good, 0,
		},
		"a processed record that was rolled back": {
			[]int{2},
			func(w *world) { transact(w.t, w.k, kgo.TryAbort, schema.ProcessedTopic(1), crashID(2)) },
			"missing 2 twice none" + goodTelemetry + goodRows, 1,
		},
		"a raw record that is no crash": {
			nil, func(w *world) {
				streamtest.Put(w.t, w.k, &kgo.Record{Topic: schema.TopicRaw, Value: []byte("a")}, &kgo.Record{Topic: schema.TopicRaw, Value: []byte("b")})
			},
			"missing 6-7 twice none" + goodTelemetry + goodRows, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, crashes, tc.without...)
			tc.change(w)
			w.done()
			found := w.run(w.verifier())
			if got := told(found); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if left := found.Raw - found.Processed - found.Dead - found.Duplicates; left != tc.left {
				t.Errorf("%d of %d raw records are left over, want %d: %+v", left, found.Raw, tc.left, found)
			}
			if whole := found.Whole(); whole != (tc.want == good) {
				t.Errorf("whole: %v", whole)
			}
		})
	}
}

func TestWhatIsToComeIsLagAndNoHole(t *testing.T) {
	w := newWorld(t, 6, 4, 5)
	w.append(4, 4, 0)
	transact(t, w.k, kgo.TryAbort, schema.ProcessedTopic(1), "rolled back") // counts for nothing
	w.done()
	w.at(schema.ProcessGroup(1), schema.TopicRaw, 5)
	w.at(schema.SinkGroup("clickhouse", 1), schema.ProcessedTopic(1), 4)
	w.at(schema.TelemetryGroup(1, 1), schema.ProcessedTopic(1), 3)
	found := w.run(w.verifier())
	if !found.Whole() || found.Lag != 1 || found.Raw != 5 || found.Processed != 5 {
		t.Errorf("%+v", found)
	}
	if telemetry, rows := found.Tables[0], found.Tables[1]; telemetry.Lag != 2 || telemetry.Want != 3 || rows.Lag != 1 || rows.Want != 4 {
		t.Errorf("%+v", found.Tables)
	}
}

// What the activation shows since another epoch must be published since then, and all
// groups of the version must have come past it.
func TestVerifyLooksAtEachEpoch(t *testing.T) {
	w := newWorld(t, 4)
	w.done()
	v := w.verifier()
	v.Activation.Ranges = []schema.ActiveRange{
		{From: schema.TimeBegin, To: received(2), SignatureVersion: 1, Epoch: 1},
		{From: received(2), To: schema.TimeEnd, SignatureVersion: 1, Epoch: 3},
	}
	if got := w.run(v).Tables[0]; got.Want != 0 || got.Lag != 4 {
		t.Errorf("the second epoch's group has not begun: %+v", got)
	}
	w.at(schema.TelemetryGroup(1, 3), schema.ProcessedTopic(1), w.end(schema.ProcessedTopic(1)))
	w.publishSince(3, 3, 1, 0)
	if got := w.run(v).Tables[0]; got.Missing.String() != "2" || got.Want != 4 || got.Lag != 0 {
		t.Errorf("%+v", got)
	}
	v.Activation.Ranges = nil
	if got := w.run(v).Tables[0]; got.Want != 0 || got.Lag != 0 {
		t.Errorf("nothing is shown: %+v", got)
	}
}

func TestOnlyWhatIsSeenMustBePublished(t *testing.T) {
	w := newWorld(t, 4, 2, 3)
	w.process(2, 2, 0)
	w.process(3, 3, 0)
	w.done()
	v := w.verifier()
	v.Activation.Ranges[0].To = received(3)
	if got := w.run(v).Tables[0]; got.Missing.String() != "2" || got.Want != 3 {
		t.Errorf("%+v", got)
	}
}

func TestVerifyLooksAtATime(t *testing.T) {
	w := newWorld(t, 8, 1, 4, 6)
	w.raw(4) // its first record lies before From
	w.done()
	v := w.verifier()
	v.From, v.To = received(2), received(6)
	if found := w.run(v); found.From != 2 || found.End != 6 || found.Missing.String() != "4" || found.Raw != 4 {
		t.Errorf("%+v", found)
	}
	v.From, v.To = received(6), time.Time{}
	if found := w.run(v); found.Missing.String() != "6" || found.Raw != 3 || found.Duplicates != 1 {
		t.Errorf("%+v", found)
	}
}

// A version need not have made what it is not made for, and may have before it was
// narrowed.
func TestVerifyKnowsWhatAVersionIsNotMadeFor(t *testing.T) {
	w := newWorld(t, 4, 2, 3) // 0 was made all the same
	w.done()
	v := w.verifier()
	v.Wants = func(partition int32, offset int64, received time.Time) bool {
		if partition != 0 || received.IsZero() {
			t.Errorf("asked for partition %d at %v", partition, received)
		}
		return offset != 0 && offset != 2
	}
	if found := w.run(v); found.Unwanted != 1 || found.Missing.String() != "3" || !found.Mendable() {
		t.Errorf("%+v", found)
	}
}

// What has expired of the processed topic must be in the tables.
func TestExpiredResultsAreLookedForInTheTables(t *testing.T) {
	w := newWorld(t, 6, 1)
	w.done()
	streamtest.DeleteBefore(t, w.k, schema.ProcessedTopic(1), 0, 2) // of the crashes 0 and 2
	delete(w.rows, 2)
	found := w.run(w.verifier())
	if found.Expired != 3 || found.Missing.Count != 0 || found.Tables[1].Missing.String() != "1-2" || found.Holes() != 2 {
		t.Errorf("%+v", found)
	}
	streamtest.DeleteBefore(t, w.k, schema.TopicRaw, 0, 2)
	if found := w.run(w.verifier()); found.From != 2 || found.Tables[1].Missing.String() != "2" {
		t.Errorf("after raw crashes have expired: %+v", found)
	}
}

func TestRepairAsksForTheHoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8, 2, 3)
	delete(w.rows, 6)
	w.done()
	v := w.verifier()
	found := w.run(v)
	if n, err := v.Repair(t.Context(), found, 2); n != 2 || err != nil {
		t.Fatalf("asked for %d, %v", n, err)
	}
	if n, err := v.Repair(t.Context(), found, stream.MaxRequests); n != 3 || err != nil {
		t.Fatalf("asked for %d, %v", n, err)
	}
	var got []string
	for _, r := range streamtest.Committed(t, w.k, schema.TopicReprocess, 5) {
		q, err := schema.Decode[schema.ReprocessRequest](r.Value)
		if err != nil || !slices.Equal(q.Versions, []int32{1}) || q.CrashID != string(r.Key) || q.CrashID != crashID(int(q.Raw.Offset)) {
			t.Errorf("%+v, %v", q, err)
			continue
		}
		got = append(got, fmt.Sprint(q.Raw.Offset))
	}
	if want := []string{"2", "3", "2", "3", "6"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	for i, offset := range []int64{2, 3, 6} { // what the processor makes of them
		w.process(int(offset), offset, int64(i+1))
		w.publish(int(offset), 1, int64(i+1))
	}
	w.done()
	if found := w.run(v); !found.Whole() {
		t.Errorf("after the repair: %s", told(found))
	}
	if n, err := v.Repair(t.Context(), w.run(v), 10); n != 0 || err != nil {
		t.Errorf("asked for %d although nothing is missing, %v", n, err)
	}
}

func TestVerifyWantsPartitionsThatFit(t *testing.T) {
	w := newWorld(t, 1)
	v := w.verifier()
	v.Version = 2
	if err := v.Run(t.Context(), nil); err == nil {
		t.Error("a version without a topic")
	}
	cl, err := kgo.NewClient(w.k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 3, 1, nil, schema.ProcessedTopic(2)); err != nil {
		t.Fatal(err)
	}
	if err := v.Run(t.Context(), nil); err == nil {
		t.Error("a topic with other partitions")
	}
}

func TestVerifyKeepsToItsLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8, 6, 7)
	for n := range 3 {
		w.process(n, int64(n), 5)
		w.publish(n, 1, 5)
	}
	w.bury(schema.TopicRaw, 6, "process", 1)
	w.bury(schema.TopicRaw, 7, "process", 1)
	w.done()
	for name, tc := range map[string]struct {
		span                 int64
		dead, again, waiting int
		fits                 bool
	}{
		"at the limits":              {8, 2, 3, 100, true},
		"one raw offset more":        {7, 2, 3, 100, false},
		"one dead letter more":       {8, 1, 3, 100, false},
		"one processed again more":   {8, 2, 2, 100, false},
		"some published at a time":   {8, 2, 3, 2, true},
		"each published one by one":  {8, 2, 3, 1, true},
		"all published at that time": {8, 2, 3, 6, true},
	} {
		v := w.verifier()
		v.Limit(tc.span, tc.dead, tc.again, tc.waiting)
		var found *stream.Verified
		err := v.Run(t.Context(), func(f *stream.Verified) error { found = f; return nil })
		if tc.fits && (err != nil || !found.Whole()) || !tc.fits && !errors.Is(err, stream.ErrTooMuch) {
			t.Errorf("%s: %v, %+v", name, err, found)
		}
	}
}
