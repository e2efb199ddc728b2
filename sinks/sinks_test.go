package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/sinktest"
	"aftershock/sinks/telemetry"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// broker has the topics of the sinks, of two partitions.
func broker(t *testing.T) stream.Kafka {
	t.Helper()
	k, _ := streamtest.Broker(t, 2, schema.ProcessedTopic(1), schema.TopicDeadLetter, schema.TopicTelemetry, schema.TopicVersions)
	return k
}

func crashID(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000261122", n) }

// put appends processed crashes; a negative number is a record that is none.
func put(t *testing.T, k stream.Kafka, at time.Time, numbers ...int) {
	t.Helper()
	var records []*kgo.Record
	for _, n := range numbers {
		value := []byte("no crash")
		if n >= 0 {
			var err error
			value, err = schema.Encode(&schema.ProcessedCrash{CrashID: crashID(n), ReceivedAt: at, SignatureVersion: 1, Signature: "f"})
			if err != nil {
				t.Fatal(err)
			}
		}
		records = append(records, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(crashID(n)), Value: value})
	}
	streamtest.Put(t, k, records...)
}

// table is a Sink in memory that can be made to fail.
type table struct {
	mu     sync.Mutex
	rows   map[string]int // how often a crash was written
	seen   map[string]*schema.ProcessedCrash
	fails  int
	writes int
	broken bool // it refuses everything
}

func (s *table) Write(_ context.Context, rows []sinks.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.fails > 0 {
		s.fails--
		return errors.New("the table is away")
	}
	for _, r := range rows {
		if s.broken || r.Processed.Signature == sinktest.Poison {
			return &sinks.RefusedError{Code: "poison", Err: errors.New("not that")}
		}
	}
	for _, r := range rows {
		p := r.Processed
		s.rows[p.CrashID]++
		if s.seen == nil {
			s.seen = map[string]*schema.ProcessedCrash{}
		}
		if old := s.seen[p.CrashID]; old == nil || p.Revision > old.Revision || p.Revision == old.Revision && p.Raw.Offset < old.Raw.Offset {
			s.seen[p.CrashID] = p
		}
	}
	return nil
}

func TestContract(t *testing.T) {
	sinktest.Contract(t, func(*testing.T) sinktest.Subject {
		s := &table{rows: map[string]int{}}
		return sinktest.Subject{Sink: s, Seen: func(*testing.T) map[string]string {
			seen := map[string]string{}
			for id, p := range s.seen {
				seen[id] = p.Signature
			}
			return seen
		}}
	})
}

// Rows that the sink refuses are dead-lettered with its code; the others of their
// batch go in.
func TestRefusedRowsAreDeadLettered(t *testing.T) {
	t.Parallel()
	k := broker(t)
	var records []*kgo.Record
	for n := range 30 {
		p := sinktest.Row(n, 0, int64(n), "f").Processed
		if n%10 == 7 {
			p.Signature = sinktest.Poison
		}
		value, err := schema.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(p.CrashID), Value: value})
	}
	streamtest.Put(t, k, records...)
	s := &table{rows: map[string]int{}}
	run(t, k, s)
	eventually(t, "27 rows", func() bool { return s.count() == 27 })
	dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 3)
	for _, r := range dead {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		if headers[stream.HeaderClass] != schema.DeadRowRefused || headers[stream.HeaderError] != "poison" {
			t.Errorf("headers %v", headers)
		}
	}
	if len(dead) != 3 {
		t.Errorf("%d dead letters", len(dead))
	}
	eventually(t, "offsets committed", func() bool { return lag(t, k) == 0 })
}

// A sink that refuses everything stops, and the rows wait for the next build. One that
// refuses what somebody sends goes on.
func TestGuardStopsASinkThatRefusesEverything(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]bool{"everything": true, "what somebody sends": false} {
		t.Run(name, func(t *testing.T) {
			k := broker(t)
			for n := range 20 {
				p := sinktest.Row(n, 0, int64(n), sinktest.Poison).Processed
				value, err := schema.Encode(p)
				if err != nil {
					t.Fatal(err)
				}
				streamtest.Put(t, k, &kgo.Record{Topic: schema.ProcessedTopic(1), Key: []byte(p.CrashID), Value: value})
			}
			put(t, k, time.Now(), 100)
			tripped := make(chan struct{})
			var once sync.Once
			s, registry := &table{rows: map[string]int{}, broken: broken}, prometheus.NewRegistry()
			metrics := sinks.NewMetrics(registry)
			streamtest.Run(t, func(ctx context.Context) error {
				return sinks.Run(ctx, sinks.Options{
					Kafka: k, Name: "test", Version: 1, Instance: "0", Sink: s, Guard: stream.Guard{InARow: 10}, Log: zerolog.Nop(), Metrics: metrics,
					Ready: func(err error) {
						if errors.Is(err, stream.ErrGuard) {
							once.Do(func() { close(tripped) })
						}
					},
				})
			})
			if !broken {
				if dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 20); len(dead) != 20 || s.times(crashID(100)) != 1 {
					t.Errorf("%d dead letters, the good row was written %d times", len(dead), s.times(crashID(100)))
				}
				return
			}
			select {
			case <-tripped:
			case <-time.After(20 * time.Second):
				t.Fatal("the guard does not trip")
			}
			eventually(t, "the stop is told", func() bool { // and the sink waits for somebody to look
				families, err := registry.Gather()
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range families {
					if f.GetName() == "aftershock_sinks_guard_tripped" {
						return f.GetMetric()[0].GetGauge().GetValue() == 1
					}
				}
				return false
			})
			dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 0)
			if len(dead) > 10 {
				t.Errorf("%d dead letters", len(dead))
			}
			g, err := stream.NewGroups(k)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			offsets, err := g.Offsets(t.Context(), schema.SinkGroup("test", 1), schema.ProcessedTopic(1))
			passed := int64(0)
			for _, offset := range offsets {
				passed += offset
			}
			if err != nil || passed != int64(len(dead)) {
				t.Errorf("%d records were passed over, %d are dead letters, %v", passed, len(dead), err)
			}
		})
	}
}

func (s *table) times(crash string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows[crash]
}

func (s *table) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows)
}

// run starts the sink and returns what stops it.
func run(t *testing.T, k stream.Kafka, s sinks.Sink) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- sinks.Run(ctx, sinks.Options{Kafka: k, Name: "test", Version: 1, Instance: "0", Sink: s, Log: zerolog.New(zerolog.NewTestWriter(t))})
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// lag is how many records of the processed topic the group has not committed.
func lag(t *testing.T, k stream.Kafka) int64 {
	t.Helper()
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	lags, err := kadm.NewClient(cl).Lag(t.Context(), schema.SinkGroup("test", 1))
	if err != nil {
		t.Fatal(err)
	}
	group := lags[schema.SinkGroup("test", 1)]
	return group.Lag.Total()
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestOffsetsAreCommittedAfterTheWrite(t *testing.T) {
	t.Parallel()
	k := broker(t)
	put(t, k, noon, 1, 2, 3)
	s := &table{rows: map[string]int{}, fails: 1 << 30}
	stop := run(t, k, s)
	eventually(t, "a second try", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.writes >= 2 })
	stop()
	if s.count() != 0 || committedAny(t, k) {
		t.Error("offsets were committed although nothing was written")
	}
	s.fails = 0
	run(t, k, s)
	eventually(t, "three rows", func() bool { return s.count() == 3 })
	eventually(t, "offsets committed", func() bool { return committedAny(t, k) && lag(t, k) == 0 })
}

// committedAny tells whether the group has committed an offset at all.
func committedAny(t *testing.T, k stream.Kafka) bool {
	t.Helper()
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	offsets, err := kadm.NewClient(cl).FetchOffsets(t.Context(), schema.SinkGroup("test", 1))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	offsets.Each(func(o kadm.OffsetResponse) { found = found || o.At > 0 })
	return found
}

func TestSinkOutlastsATableThatIsAway(t *testing.T) {
	t.Parallel()
	k := broker(t)
	s := &table{rows: map[string]int{}, fails: 3}
	run(t, k, s)
	put(t, k, noon, 1, 2)
	eventually(t, "two rows", func() bool { return s.count() == 2 })
	put(t, k, noon, 3)
	eventually(t, "three rows", func() bool { return s.count() == 3 })
}

func TestRecordsThatAreNoCrashesAreDeadLettered(t *testing.T) {
	t.Parallel()
	k := broker(t)
	s := &table{rows: map[string]int{}}
	run(t, k, s)
	put(t, k, noon, 1, -1, 2)
	eventually(t, "two rows", func() bool { return s.count() == 2 })
	dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 1)
	if len(dead) != 1 || string(dead[0].Value) != "no crash" {
		t.Errorf("%d dead letters", len(dead))
	}
}

// A dead letter that could not be appended at first is not passed over.
func TestDeadLettersAreTriedAgain(t *testing.T) {
	t.Parallel()
	k, c := streamtest.Broker(t, 1, schema.ProcessedTopic(1), schema.TopicDeadLetter)
	put(t, k, noon, -1)
	refused := 0
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if refused == 2 {
			return nil, nil, false
		}
		refused++
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, rt := range req.(*kmsg.ProduceRequest).Topics {
			st := kmsg.NewProduceResponseTopic()
			st.Topic, st.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				sp := kmsg.NewProduceResponseTopicPartition()
				sp.Partition, sp.ErrorCode = rp.Partition, kerr.TopicAuthorizationFailed.Code
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	run(t, k, &table{rows: map[string]int{}})
	if dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 1); len(dead) != 1 || refused != 2 {
		t.Errorf("%d dead letters after %d refusals", len(dead), refused)
	}
}

// Telemetry publishes what the activation shows in its version, once.
func TestTelemetryPublishesWhatIsActive(t *testing.T) {
	t.Parallel()
	k := broker(t)
	put(t, k, noon, 1, 2)
	put(t, k, noon.Add(time.Hour), 3)
	put(t, k, noon, 1, -4) // a second result of the same revision, and no crash at all
	activate(t, k, schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{
		{From: schema.TimeBegin, To: noon.Add(time.Minute), SignatureVersion: 1, Epoch: 1},
		{From: noon.Add(time.Minute), To: schema.TimeEnd, SignatureVersion: 2, Epoch: 1},
	}})
	publishing(t, k, streamtest.Following(t, k), 1)
	published := streamtest.Committed(t, k, schema.TopicTelemetry, 2)
	for _, r := range published {
		c, err := schema.Decode[schema.TelemetryCrash](r.Value)
		if err != nil || c.CrashID != string(r.Key) || c.ContentHash == "" {
			t.Errorf("%s: %+v, %v", r.Key, c, err)
		}
		if !r.Timestamp.Equal(noon) {
			t.Errorf("%s: timestamp %v, want the time received", r.Key, r.Timestamp)
		}
	}
	if keys := streamtest.Keys(published); !slices.Equal(keys, []string{crashID(1), crashID(2)}) {
		t.Errorf("published %q", keys)
	}
	if dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 1); len(dead) != 1 {
		t.Errorf("%d dead letters", len(dead))
	}
}

// activate writes a version event with that activation.
func activate(t *testing.T, k stream.Kafka, a schema.Activation) {
	t.Helper()
	_, err := stream.Operate(t.Context(), k, func(*schema.VersionEvent) (*schema.VersionEvent, error) {
		return &schema.VersionEvent{
			Operation: schema.OpPromote, At: noon, Versions: []schema.SignatureVersion{{Number: 1, State: schema.StateLive}}, Activation: a,
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// publishing runs the telemetry of version 1 since an epoch.
func publishing(t *testing.T, k stream.Kafka, f *stream.Following, epoch int64) (stop func()) {
	t.Helper()
	return streamtest.Run(t, func(ctx context.Context) error {
		return telemetry.Run(ctx, telemetry.Options{
			Kafka: k, Versions: f, Version: 1, Epoch: epoch, Instance: "0", Annotations: schema.DefaultRegistry, Log: zerolog.Nop(),
		})
	})
}

// What comes to be shown after it was processed, and passed over, is published all
// the same; and again when it was shown in another version meanwhile.
func TestTelemetryPublishesWhatComesToBeShown(t *testing.T) {
	t.Parallel()
	k := broker(t)
	put(t, k, noon, 1)
	put(t, k, noon.Add(time.Hour), 2)
	ranges := func(epoch, early, late int64) schema.Activation {
		return schema.Activation{Epoch: epoch, Ranges: []schema.ActiveRange{
			{From: schema.TimeBegin, To: noon.Add(time.Minute), SignatureVersion: 1, Epoch: early},
			{From: noon.Add(time.Minute), To: schema.TimeEnd, SignatureVersion: 1, Epoch: late},
		}}
	}
	first := ranges(1, 1, 1)
	first.Ranges = first.Ranges[:1]
	activate(t, k, first)
	f := streamtest.Following(t, k)
	publishing(t, k, f, 1)
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.TopicTelemetry, 1)); !slices.Equal(got, []string{crashID(1)}) {
		t.Fatalf("published %q", got)
	}
	activate(t, k, ranges(2, 1, 2))
	publishing(t, k, f, 2)
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.TopicTelemetry, 2)); !slices.Equal(got, []string{crashID(1), crashID(2)}) {
		t.Fatalf("published %q", got)
	}
	activate(t, k, ranges(3, 3, 2))
	publishing(t, k, f, 3)
	if got := streamtest.Keys(streamtest.Committed(t, k, schema.TopicTelemetry, 3)); !slices.Equal(got, []string{crashID(1), crashID(1), crashID(2)}) {
		t.Fatalf("published %q", got)
	}
}

// A sink that is not wanted any more leaves its group; one that just stops does not.
func TestUnwantedSinkLeavesItsGroup(t *testing.T) {
	for name, cause := range map[string]error{"a restart": nil, "not wanted": stream.ErrUnwanted} {
		t.Run(name, func(t *testing.T) {
			k := broker(t)
			put(t, k, noon, 1)
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			s := &table{rows: map[string]int{}}
			go func() {
				ended <- sinks.Run(ctx, sinks.Options{Kafka: k, Name: "test", Version: 1, Instance: "0", Sink: s, Log: zerolog.Nop()})
			}()
			eventually(t, "a row", func() bool { return s.count() == 1 })
			cancel(cause)
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if in := streamtest.Members(t, k, schema.SinkGroup("test", 1)); (in == 1) != (cause == nil) {
				t.Errorf("%d members", in)
			}
		})
	}
}

// Rows of a version that is gone would stay for ever.
func TestSinkWritesNothingOfAVersionThatIsGone(t *testing.T) {
	k := broker(t)
	put(t, k, noon, 1)
	_, err := stream.Operate(t.Context(), k, func(*schema.VersionEvent) (*schema.VersionEvent, error) {
		return &schema.VersionEvent{At: noon, Versions: []schema.SignatureVersion{{Number: 1, State: schema.StateDropping}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &table{rows: map[string]int{}}
	refused := make(chan error, 1)
	streamtest.Run(t, func(ctx context.Context) error {
		return sinks.Run(ctx, sinks.Options{
			Kafka: k, Versions: streamtest.Following(t, k), Name: "test", Version: 1, Instance: "0", Sink: s, Log: zerolog.Nop(),
			Ready: func(err error) {
				if err != nil {
					select {
					case refused <- err:
					default:
					}
				}
			},
		})
	})
	select {
	case <-refused:
	case <-time.After(20 * time.Second):
		t.Fatal("the rows are not refused")
	}
	if s.count() != 0 {
		t.Errorf("%d rows", s.count())
	}
}

// blocked stores nothing before it is released.
type blocked struct{ begun, release chan struct{} }

func (b blocked) Write(context.Context, []sinks.Row) error {
	select {
	case b.begun <- struct{}{}:
	default:
	}
	<-b.release
	return nil
}

// A sink that lost a partition while it wrote does not move it back: else it would be
// behind for ever where nothing more comes, and operators would wait for it in vain.
func TestASinkDoesNotMoveBackWhatAnotherHas(t *testing.T) {
	t.Parallel()
	k := broker(t)
	group, topic := schema.SinkGroup("test", 1), schema.ProcessedTopic(1)
	g, err := stream.NewGroups(k)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	until := func(what string, is func(passed int64) bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			offsets, err := g.Offsets(t.Context(), group, topic)
			passed := int64(0)
			for _, offset := range offsets {
				passed += offset
			}
			if err == nil && is(passed) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("not within 30 s: %s; %d passed, %v", what, passed, err)
			}
		}
	}
	numbers := func(from, to int) (out []int) {
		for n := from; n < to; n++ {
			out = append(out, n)
		}
		return out
	}
	put(t, k, time.Now(), numbers(0, 20)...)
	s := blocked{make(chan struct{}, 1), make(chan struct{})}
	streamtest.Run(t, func(ctx context.Context) error {
		return sinks.Run(ctx, sinks.Options{Kafka: k, Name: "test", Version: 1, Instance: "A", Sink: s, Log: zerolog.Nop()})
	})
	<-s.begun
	put(t, k, time.Now(), numbers(20, 60)...)
	other := &table{rows: map[string]int{}}
	streamtest.Run(t, func(ctx context.Context) error {
		return sinks.Run(ctx, sinks.Options{Kafka: k, Name: "test", Version: 1, Instance: "B", Sink: other, Log: zerolog.Nop()})
	})
	until("the other member's partition", func(passed int64) bool { return passed > 20 })
	close(s.release)
	until("all is passed, with nothing more to come", func(passed int64) bool { return passed == 60 })
}
