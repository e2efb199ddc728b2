package sinks

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// writer is a Sink that is one function.
type writer func(ctx context.Context, rows []Row) error

func (w writer) Write(ctx context.Context, rows []Row) error { return w(ctx, rows) }

// refusing is a Sink that takes nothing.
var refusing = writer(func(context.Context, []Row) error {
	return &RefusedError{Code: "poison", Err: errors.New("not that")}
})

// value is that of the sink's counter or gauge, or how many times it was measured.
func value(t *testing.T, r prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "aftershock_sinks_"+name && m.GetLabel()[0].GetValue() == "test" {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func holds(t *testing.T, r prometheus.Gatherer, want map[string]float64) {
	t.Helper()
	for name, n := range want {
		if got := value(t, r, name); got != n {
			t.Errorf("%s is %v, want %v", name, got, n)
		}
	}
}

// crash is a record of the processed topic.
func crash(t *testing.T, id string) *kgo.Record {
	t.Helper()
	value, err := schema.Encode(&schema.ProcessedCrash{CrashID: id, SignatureVersion: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Topic: schema.ProcessedTopic(1), Partition: 3, Offset: 7, Key: []byte(id), Value: value}
}

const someCrash = "00000001-0000-4000-8000-000000261122"

func TestAWriteThatFailsIsTriedAgainLaterAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r, began := prometheus.NewRegistry(), time.Now()
		var tries []time.Duration
		var ready []error
		o := Options{
			Name: "test", Metrics: NewMetrics(r), Log: zerolog.New(&log), Ready: func(err error) { ready = append(ready, err) },
			Sink: writer(func(context.Context, []Row) error {
				if tries = append(tries, time.Since(began)); len(tries) < 8 {
					return errors.New("the table is away")
				}
				return nil
			}),
		}
		var b batch
		b.add(crash(t, someCrash), (&Options{Version: 1}).source(), 1)
		b.add(crash(t, someCrash), (&Options{Version: 1}).source(), 1)
		if err := o.write(t.Context(), nil, &b, new(stream.Watch)); err != nil {
			t.Fatal(err)
		}
		const ms = time.Millisecond
		if want := []time.Duration{0, 200 * ms, 600 * ms, 1400 * ms, 3000 * ms, 6200 * ms, 11200 * ms, 16200 * ms}; !slices.Equal(tries, want) {
			t.Errorf("tries after %v, want %v", tries, want)
		}
		holds(t, r, map[string]float64{"rows_total": 2, "dead_letters_total": 0, "write_failures_total": 7, "guard_tripped": 0, "write_seconds": 1})
		if n := strings.Count(log.String(), "rows not stored, trying again"); n != 7 {
			t.Errorf("logged %d times: %s", n, &log)
		}
		if len(ready) != 8 || ready[6] == nil || ready[7] != nil {
			t.Errorf("ready: %v", ready)
		}
	})
}

func TestAWriteEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	away := errors.New("the table is away")
	o := Options{Name: "test", Sink: writer(func(context.Context, []Row) error { cancel(); return away })}
	var b batch
	b.add(crash(t, someCrash), (&Options{Version: 1}).source(), 1)
	if err := o.write(ctx, nil, &b, new(stream.Watch)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// What is refused adds up from batch to batch.
func TestTheGuardCountsFromBatchToBatch(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]*kgo.Record{
		"refused rows": crash(t, someCrash), "no crashes": {Topic: schema.ProcessedTopic(1), Value: []byte("none")}, "no crash id": crash(t, "1"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, _ := streamtest.Broker(t, 1, schema.TopicDeadLetter)
			cl, err := k.Producer()
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			var log bytes.Buffer
			r := prometheus.NewRegistry()
			o := Options{Name: "test", Version: 1, Sink: refusing, Metrics: NewMetrics(r), Log: zerolog.New(&log)}
			watch := stream.Watch{Guard: stream.Guard{InARow: 2, SelfTest: o.selfTest}}
			for n := range 3 {
				var b batch
				b.add(record, (&Options{Version: 1}).source(), 1)
				if err := o.write(t.Context(), cl, &b, &watch); errors.Is(err, stream.ErrGuard) != (n == 2) {
					t.Fatalf("batch %d: %v", n, err)
				}
			}
			holds(t, r, map[string]float64{"rows_total": 0, "dead_letters_total": 2, "write_failures_total": 0, "write_seconds": 2})
			want, told := schema.DeadProcessedBad, 0
			if name == "refused rows" {
				want, told = schema.DeadRowRefused, 3
			}
			if n := strings.Count(log.String(), "row refused and dead-lettered"); n != told {
				t.Errorf("told %d times of a row: %s", n, &log)
			}
			for _, letter := range streamtest.Committed(t, k, schema.TopicDeadLetter, 2) {
				if l, err := stream.ReadLetter(letter); err != nil || l.Class != want {
					t.Errorf("%+v, %v", l, err)
				}
			}
		})
	}
}

func TestASinkThatStoppedIsMarkedAndStays(t *testing.T) {
	r := prometheus.NewRegistry()
	var ready error
	o := Options{Name: "test", Metrics: NewMetrics(r), Ready: func(err error) { ready = err }}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := false
		go func() { o.stopped(ctx, stream.ErrGuard); ended = true }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if ended || !errors.Is(ready, stream.ErrGuard) {
			t.Errorf("ended %v, ready %v", ended, ready)
		}
		cancel()
	})
	holds(t, r, map[string]float64{"guard_tripped": 1})
}

// Of rows that are refused together each is tried alone, unless the sink is away meanwhile.
func TestRowsAreTriedInHalves(t *testing.T) {
	away := errors.New("the table is away")
	rows := make([]Row, 5)
	for i := range rows {
		rows[i].Position.Offset = int64(i)
	}
	for name, tc := range map[string]struct {
		refused []int64
		away    int64 // the sink is, when this row is the first of fewer than all
		want    []int64
		err     error
	}{
		"none":                          {nil, -1, nil, nil},
		"one":                           {[]int64{3}, -1, []int64{3}, nil},
		"first and last":                {[]int64{0, 4}, -1, []int64{0, 4}, nil},
		"all":                           {[]int64{0, 1, 2, 3, 4}, -1, []int64{0, 1, 2, 3, 4}, nil},
		"away before the first half":    {[]int64{4}, 0, nil, away},
		"away before the second half":   {[]int64{0}, 2, nil, away},
		"away where nothing is refused": {nil, 0, nil, nil}, // all were taken at once
	} {
		t.Run(name, func(t *testing.T) {
			var taken []int64
			o := Options{Sink: writer(func(_ context.Context, rows []Row) error {
				if len(rows) < 5 && rows[0].Position.Offset == tc.away {
					return away
				}
				for _, r := range rows {
					if slices.Contains(tc.refused, r.Position.Offset) {
						return &RefusedError{Code: "poison", Err: errors.New("not that")}
					}
				}
				for _, r := range rows {
					taken = append(taken, r.Position.Offset)
				}
				return nil
			})}
			refused, err := o.store(t.Context(), rows)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if err != nil {
				return
			}
			var got []int64
			for _, no := range refused {
				if got = append(got, no.row.Position.Offset); no.code != "poison" {
					t.Errorf("code %q", no.code)
				}
			}
			slices.Sort(taken)
			if !slices.Equal(got, tc.want) || len(taken)+len(got) != len(rows) {
				t.Errorf("refused %v, want %v; taken %v", got, tc.want, taken)
			}
		})
	}
}

// The row of the self-test is one that nobody sees, of the first day.
func TestTheSelfTestWritesARowThatNobodySees(t *testing.T) {
	var wrote []Row
	o := Options{Version: 1, Sink: writer(func(_ context.Context, rows []Row) error { wrote = append(wrote, rows...); return nil })}
	if err := o.selfTest(t.Context()); err != nil || len(wrote) != 1 {
		t.Fatalf("%d rows, %v", len(wrote), err)
	}
	p := wrote[0].Processed
	if day, err := schema.CrashDay(p.CrashID); err != nil || !p.ReceivedAt.Equal(day) || day.Unix() != 0 || p.SignatureVersion != 0 || p.DumpStatus != schema.DumpOK {
		t.Errorf("%+v, %v", p, err)
	}
	o.Sink = refusing
	if err := o.selfTest(t.Context()); err == nil || !strings.Contains(err.Error(), "poison") {
		t.Errorf("a sink that refuses it: %v", err)
	}
	away := errors.New("the table is away")
	o.Sink = writer(func(context.Context, []Row) error { return away })
	if err := o.selfTest(t.Context()); !errors.Is(err, away) {
		t.Errorf("a sink that is away: %v", err)
	}
}

func TestARowKnowsWhereItLies(t *testing.T) {
	var b batch
	good, bad := crash(t, someCrash), &kgo.Record{Topic: schema.ProcessedTopic(1), Value: []byte("none")}
	b.add(good, (&Options{Version: 1}).source(), 1)
	b.add(bad, (&Options{Version: 1}).source(), 1)
	if len(b.records) != 2 || len(b.rows) != 1 || len(b.dead) != 1 || b.dead[bad] == nil || b.bytes != len(good.Value)+len(bad.Value) {
		t.Errorf("%d records of %d bytes, %d rows, %d dead", len(b.records), b.bytes, len(b.rows), len(b.dead))
	}
	if row := b.rows[0]; row.Position != (schema.Position{Topic: "crash.processed.v1", Partition: 3, Offset: 7}) || row.Processed.CrashID != someCrash || row.record != good {
		t.Errorf("%+v", row)
	}
}

// Times of writes are told from two milliseconds to half a minute.
func TestTimesOfWritesHaveTheirBuckets(t *testing.T) {
	r := prometheus.NewRegistry()
	NewMetrics(r).took("test", time.Second)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	buckets := families[0].GetMetric()[0].GetHistogram().GetBucket()
	if n := len(buckets); n != 8 || buckets[0].GetUpperBound() != 0.002 || buckets[1].GetUpperBound() != 0.008 || buckets[7].GetUpperBound() != 0.002*(1<<14) {
		t.Errorf("buckets %v", buckets)
	}
}
