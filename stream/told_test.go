package stream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// value is that of a metric with these labels, or how often a time was measured.
func value(t *testing.T, r *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	found, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range found {
		for _, m := range family.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetValue())
			}
			if family.GetName() != "aftershock_"+name || fmt.Sprint(have) != fmt.Sprint(labels) {
				continue
			}
			switch {
			case m.GetCounter() != nil:
				return m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				return m.GetGauge().GetValue()
			}
			return float64(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

// says waits until a log has a line with each of these.
func says(t *testing.T, log *streamtest.Log, want ...string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		for line := range strings.Lines(log.String()) {
			missing := 0
			for _, text := range want {
				if !strings.Contains(line, text) {
					missing++
				}
			}
			if missing == 0 {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no line with %q in\n%s", want, log)
		}
	}
}

// A loop says what hinders it, counts it, and is ready again when it goes on.
func TestALoopTellsWhatHindersIt(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out", schema.TopicDeadLetter)
	put(t, k, "in", "broken", "away", "later", "fine")
	var log streamtest.Log
	r, clients := prometheus.NewRegistry(), prometheus.NewRegistry()
	k.Metrics = stream.NewKafkaMetrics(clients)
	tr := copying(k)
	tr.Workers = 1 // one hindrance after the other
	tr.Log, tr.Metrics = zerolog.New(&log).Level(zerolog.DebugLevel), stream.NewMetrics(r)
	var mu sync.Mutex
	var ready []string
	tr.Ready = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		ready = append(ready, fmt.Sprint(err))
	}
	once := map[string]error{
		"broken": errors.New("the session is broken"), "away": &stream.PassingError{Err: errors.New("the store is away")},
		"later": &stream.PassingError{Err: errors.New("its time has not come"), Expected: true},
	}
	work := tr.Work
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		mu.Lock()
		err := once[string(in.Key)]
		delete(once, string(in.Key))
		mu.Unlock()
		if err != nil {
			return nil, err
		}
		return work(ctx, in)
	}
	stop := run(t, tr)
	streamtest.Committed(t, k, "out", 4)
	put(t, k, "in", "fine") // it was there before
	says(t, &log, `"level":"warn"`, `"error":"the session is broken"`, `"group":"g"`, `"backoff_ms":100`, "session rebuilt")
	says(t, &log, `"level":"warn"`, `"error":"the store is away"`, `"group":"g"`, "waiting for what a record needs, trying again")
	says(t, &log, `"level":"debug"`, `"error":"its time has not come"`, `"group":"g"`, "waiting")
	for end := time.Now().Add(20 * time.Second); value(t, r, "stream_duplicates_total", "g") == 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	for name, want := range map[string]float64{
		"stream_sessions_rebuilt_total": 1, "stream_waits_total": 1, "stream_records_total": 5, "stream_duplicates_total": 1,
	} {
		if got := value(t, r, name, "g"); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if n := value(t, clients, "kafka_record_age_seconds", "g"); n != 5 {
		t.Errorf("the age of %v records", n)
	}
	told := strings.Join(ready, ", ")
	if !strings.Contains(told, "the session is broken, <nil>") || !strings.Contains(told, "the store is away, <nil>") || strings.Contains(told, "its time") || !strings.HasPrefix(told, "<nil>, ") || !strings.HasSuffix(told, ", <nil>") {
		t.Errorf("ready: %s", told)
	}
}

// What trying again does not help ends a loop, with the names of what is not allowed.
func TestALoopThatMayNotEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		key  kmsg.Key
		err  *kerr.Error
		want string
	}{
		"the group":            {kmsg.JoinGroup, kerr.GroupAuthorizationFailed, "group g: not allowed to READ group g: "},
		"the transactional id": {kmsg.InitProducerID, kerr.TransactionalIDAuthorizationFailed, "group g: begin transaction: not allowed to WRITE transactional id g-0: "},
		"what it writes":       {kmsg.Produce, kerr.TopicAuthorizationFailed, "group g: produce: not allowed to WRITE topic out: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, c := streamtest.Broker(t, 1, "in", "out")
			put(t, k, "in", "a")
			c.Fault(kfake.Fault{Keys: []kmsg.Key{tc.key}, Err: tc.err, Count: -1}, kfake.Fault{Keys: []kmsg.Key{tc.key}, Err: tc.err, Count: -1, TopLevel: true})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r := prometheus.NewRegistry()
			tr := copying(k)
			tr.Metrics = stream.NewMetrics(r)
			err := tr.Run(ctx)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) || !errors.Is(err, tc.err) {
				t.Errorf("%v, want %s", err, tc.want)
			}
			if n := value(t, r, "stream_transactions_total", "g", "commit"); n != 0 {
				t.Errorf("%v transactions were committed", n)
			}
		})
	}
}

// What is dead-lettered is said, with where it lies and why.
func TestDeadLettersAreLogged(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRaw, schema.TopicReprocess, schema.TopicHeal, schema.ProcessedTopic(1), schema.ProcessedTopic(schema.Archived), schema.TopicDeadLetter)
	versions(t, k, func(e *schema.VersionEvent) {
		one(e)
		e.Versions = append(e.Versions, schema.SignatureVersion{Number: 2, State: schema.StateArchived})
	})
	f := streamtest.Following(t, k)
	var log streamtest.Log
	r := prometheus.NewRegistry()
	p := processorOf(k, f, 1)
	p.Log, p.Metrics = zerolog.New(&log), stream.NewMetrics(r)
	process := p.Process
	p.Process = func(ctx context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
		if in.Position.Offset == 1 {
			panic("a bug")
		}
		return process(ctx, in)
	}
	sendRaw(t, k, 0, 1)
	put(t, k, schema.TopicRaw, "no crash")
	put(t, k, schema.TopicReprocess, "no request")
	ask := request(t, 0, func(q *schema.ReprocessRequest) { q.CrashID, q.Raw.Offset, q.Versions = crashID(0), 0, []int32{2} })
	ask.Key = []byte(crashID(0))
	streamtest.Put(t, k, ask)
	again := &stream.Reprocessor{Processor: *p}
	archivist := &stream.Archivist{Processor: *processorOf(k, f, schema.Archived), Of: func(context.Context, *schema.SignatureVersion) (func(context.Context, stream.Input) (*schema.ProcessedCrash, error), error) {
		return nil, errors.New("another process version")
	}}
	archivist.Log = p.Log
	streamtest.Run(t, p.Run)
	streamtest.Run(t, again.Run)
	streamtest.Run(t, archivist.Run)
	for _, want := range [][]string{
		{`"topic":"crash.raw"`, `"offset":1`, `"class":"panic"`, `"stage":"process"`, "panic (string) while processing"},
		{`"topic":"crash.raw"`, `"offset":2`, `"class":"raw_undecodable"`, `"stage":"process"`},
		{`"topic":"crash.reprocess"`, `"offset":0`, `"class":"request_undecodable"`, `"stage":"reprocess"`},
		{`"topic":"crash.reprocess"`, `"offset":1`, `"class":"` + schema.DeadUnserved + `"`, `"stage":"reprocess"`, "another process version"},
	} {
		says(t, &log, append(want, `"level":"error"`, `"partition":0`, "dead-lettered")...)
	}
	if strings.Contains(log.String(), "a bug") {
		t.Errorf("what a panic says may quote the dump: %s", &log)
	}
	streamtest.Committed(t, k, schema.TopicDeadLetter, 4)
	for class, want := range map[string]float64{"processed": 1, "panic": 1, "raw_undecodable": 1} {
		if got := value(t, r, "stream_crashes_total", class); got != want {
			t.Errorf("%s: %v crashes, want %v", class, got, want)
		}
	}
}

// Who leaves a group and may not says so; who is out already does not.
func TestLeavingAGroup(t *testing.T) {
	t.Parallel()
	k, c := streamtest.Broker(t, 1, "in")
	var log streamtest.Log
	k.Log = zerolog.New(&log)
	member, err := k.GroupClient("g", "in", "0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(member.Close)
	if _, err := c.WaitGroupStable(t.Context(), "g", 1); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	c.ControlKey(int16(kmsg.LeaveGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked.Add(1)
		return nil, nil, false
	})
	leave := func(cause error, group string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		k.Leave(ctx, group, "0")
	}
	if leave(nil, "g"); asked.Load() != 0 || streamtest.Members(t, k, "g") != 1 {
		t.Error("who stops stays in its group")
	}
	refusal := c.Fault(refusals(nil, kmsg.LeaveGroup)...)
	if leave(stream.ErrUnwanted, "g"); refusal.Hits() == 0 {
		t.Error("nobody asked to leave")
	}
	refusal.Remove()
	says(t, &log, `"level":"warn"`, `"group":"g"`, "group not left: its brokers will notice")
	if leave(stream.ErrUnwanted, "g"); streamtest.Members(t, k, "g") != 0 {
		t.Error("it is still in the group")
	}
	leave(stream.ErrDone, "g")
	leave(stream.ErrUnwanted, "never was")
	if text := log.String(); strings.Count(text, "group not left") != 1 { // the client itself says that it was removed
		t.Errorf("said %s", text)
	}
}
