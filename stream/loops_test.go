package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// hasSeen follows the log and has seen a state.
func hasSeen(state *schema.VersionEvent) *Following {
	f := NewFollowing(Kafka{})
	f.came(state, 1)
	return f
}

// day is a day of the tests' calendar.
func day(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }

// several versions: 1 is archived and seen before day 5, 2 is live and seen from then on, 3 is
// live from day 3 on, 4 is narrowed, 5 held, and 6 is being archived and seen on day 4.
func several() *schema.VersionEvent {
	return &schema.VersionEvent{
		Versions: []schema.SignatureVersion{
			{Number: 1, State: schema.StateArchived, Ends: []schema.PartitionOffset{{Partition: 1, Offset: 7}}},
			{Number: 2, State: schema.StateLive},
			{Number: 3, State: schema.StateLive, From: new(day(3))},
			{Number: 4, State: schema.StateNarrowed},
			{Number: 5, State: schema.StateHeld},
			{Number: 6, State: schema.StateArchiving},
		},
		Activation: schema.Activation{Ranges: []schema.ActiveRange{
			{From: schema.TimeBegin, To: day(4), SignatureVersion: 1, Epoch: 1},
			{From: day(4), To: day(5), SignatureVersion: 6, Epoch: 1},
			{From: day(5), To: day(20), SignatureVersion: 2, Epoch: 2},
			{From: day(20), To: schema.TimeEnd, SignatureVersion: 4, Epoch: 2},
		}},
	}
}

// What a version makes of a crash goes by when it was received.
func TestWhatAVersionMakes(t *testing.T) {
	const passed, waits, made = "passed over", "waited for", "made"
	for name, tc := range map[string]struct {
		version int32
		day     int
		want    string
		lane    Lane
	}{
		"seen in it":                 {2, 6, made, LaneLive},
		"seen in another one":        {2, 3, made, LaneReplay(2)},
		"replayed":                   {3, 6, made, LaneReplay(3)},
		"before a replay":            {3, 2, passed, LaneLive},
		"narrowed to it":             {4, 21, made, LaneLive},
		"not seen in a narrowed one": {4, 6, passed, LaneLive},
		"held":                       {5, 6, waits, LaneLive},
		"ended":                      {9, 6, waits, LaneLive},
	} {
		p := &Processor{Versions: hasSeen(several()), Version: tc.version, Workers: NewWorkers(4, 1)}
		got, err := made, p.wanted(day(tc.day))
		var passing *PassingError
		switch {
		case errors.Is(err, errLeftOut):
			got = passed
		case errors.As(err, &passing) && passing.Expected && errors.Is(err, errNotNow):
			got = waits
		case err != nil:
			t.Errorf("%s: %v", name, err)
		}
		if got != tc.want || p.lane(day(tc.day)) != tc.lane {
			t.Errorf("%s: %s in lane %v, want %s in %v", name, got, p.lane(day(tc.day)), tc.want, tc.lane)
		}
		if err := p.now(); (err != nil) != (tc.want == waits) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all := &Processor{Version: 7}
	if all.wanted(day(1)) != nil || all.now() != nil || all.lane(day(1)) != LaneLive {
		t.Error("without versions everything is made")
	}
	p := &Processor{Versions: hasSeen(several()), Version: 3, Workers: NewWorkers(4, 1)}
	p.Workers.live = time.Now().Add(time.Hour)
	p.Workers.lane(LaneReplay(3)).most = 1
	if got := p.rest([]*kgo.Record{{Timestamp: day(6)}, {Timestamp: day(2)}}, time.Second); got != 3*time.Second {
		t.Errorf("a replay rests %v", got)
	}
	if got := p.rest([]*kgo.Record{{Timestamp: day(2)}, {Timestamp: day(6)}}, time.Second); got != 0 {
		t.Errorf("what is live rests %v", got)
	}
}

// What comes late for an archived version is asked for by live ones.
func TestLateCrashesAreAskedFor(t *testing.T) {
	for name, tc := range map[string]struct {
		version int32
		day     int
		at      schema.Position
		want    int32 // that it is asked for
	}{
		"late":                      {2, 3, schema.Position{Topic: schema.TopicRaw, Partition: 1, Offset: 7}, 1},
		"in time":                   {2, 3, schema.Position{Topic: schema.TopicRaw, Partition: 1, Offset: 6}, 0},
		"of another partition":      {3, 3, schema.Position{Topic: schema.TopicRaw, Partition: 0, Offset: 0}, 1},
		"it is just being archived": {2, 4, schema.Position{Topic: schema.TopicRaw}, 6},
		"of a live version":         {2, 6, schema.Position{Topic: schema.TopicRaw}, 0},
		"of a narrowed one":         {2, 21, schema.Position{Topic: schema.TopicRaw}, 0},
		"who is not live":           {4, 3, schema.Position{Topic: schema.TopicRaw, Partition: 1, Offset: 7}, 0},
		"who there is not":          {9, 3, schema.Position{Topic: schema.TopicRaw, Partition: 1, Offset: 7}, 0},
	} {
		p := &Processor{Versions: hasSeen(several()), Version: tc.version}
		out := p.late(&schema.RawCrash{CrashID: "id", ReceivedAt: day(tc.day)}, tc.at)
		if (len(out) == 1) != (tc.want > 0) {
			t.Errorf("%s: %v", name, out)
		}
		if len(out) == 0 {
			continue
		}
		request, err := schema.Decode[schema.ReprocessRequest](out[0].Value)
		want := &schema.ReprocessRequest{CrashID: "id", Raw: tc.at, Versions: []int32{tc.want}, Reason: "received in the range of an archived version"}
		if d := cmp.Diff(want, request); err != nil || d != "" || out[0].Topic != schema.TopicReprocess || string(out[0].Key) != "id" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
	// Also by who passes over the crash itself.
	value, err := schema.Encode(&schema.RawCrash{CrashID: "00000001-0000-4000-8000-000000261122", ReceivedAt: day(2)})
	if err != nil {
		t.Fatal(err)
	}
	p := &Processor{Versions: hasSeen(several()), Version: 3, Workers: NewWorkers(1, 1), Log: zerolog.Nop()}
	for offset, want := range map[int64]int{6: 0, 7: 1} {
		out, err := p.work(t.Context(), &kgo.Record{Topic: schema.TopicRaw, Partition: 1, Offset: offset, Timestamp: day(2), Key: []byte("00000001-0000-4000-8000-000000261122"), Value: value})
		if err != nil || len(out) != want || want > 0 && out[0].Topic != schema.TopicReprocess {
			t.Errorf("offset %d: %v, %v", offset, out, err)
		}
	}
	if (&Processor{Version: 2}).late(&schema.RawCrash{}, schema.Position{}) != nil {
		t.Error("nobody knows of versions")
	}
}

// What is signed again is what its base has made before the version began.
func TestWhatIsSignedAgain(t *testing.T) {
	of := func(raw, revision int64, received time.Time) []byte {
		value, err := schema.Encode(&schema.ProcessedCrash{CrashID: "id", ReceivedAt: received, SignatureVersion: 1, Revision: revision, Raw: schema.Position{Topic: schema.TopicRaw, Partition: 1, Offset: raw}})
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	v := &schema.SignatureVersion{
		Number: 3, Base: 2, Begins: []schema.PartitionOffset{{Partition: 1, Offset: 10}}, BaseEnds: []schema.PartitionOffset{{Partition: 1, Offset: 50}}, BaseRequests: []schema.PartitionOffset{{Partition: 1, Offset: 4}},
	}
	control := kgo.Record{Partition: 1, Offset: 5, Value: of(1, 0, day(6))}
	for name, tc := range map[string]struct {
		offset int64
		value  []byte
		sign   error
		want   string // the identity of the result, or the class of the dead letter
	}{
		"before it began":            {49, of(9, 0, day(6)), nil, "id/0"},
		"what is made from raw":      {49, of(10, 0, day(6)), nil, ""},
		"behind what is signed":      {50, of(9, 0, day(6)), nil, ""},
		"asked for before":           {49, of(9, 4, day(6)), nil, "id/4"},
		"asked for since":            {49, of(9, 5, day(6)), nil, ""},
		"before its range":           {49, of(9, 0, day(2)), nil, ""},
		"no crash":                   {49, []byte("no crash"), nil, schema.DeadProcessedBad},
		"one that cannot be signed":  {49, of(9, 0, day(6)), errors.New("no"), schema.DeadProcessedBad},
		"one that is cut off":        {49, of(9, 0, day(6))[:40], nil, schema.DeadProcessedBad},
		"at which signing panics":    {49, of(9, 0, day(6)), errPanics, schema.DeadPanic},
		"too large when it is again": {49, of(9, 0, day(6)), errTooLarge, schema.DeadEventTooLarge},
	} {
		r := &Resigner{Version: v, Versions: hasSeen(several()), Workers: NewWorkers(1, 1), Log: zerolog.Nop(), Sign: func(p *schema.ProcessedCrash) error {
			p.Signature = "again"
			switch {
			case errors.Is(tc.sign, errPanics):
				panic("a bug")
			case errors.Is(tc.sign, errTooLarge):
				p.Signature = strings.Repeat("x", schema.MaxProcessedBytes)
				return nil
			}
			return tc.sign
		}}
		out, err := r.work(t.Context(), &kgo.Record{Topic: schema.ProcessedTopic(2), Partition: 1, Offset: tc.offset, Key: []byte("id"), Value: tc.value})
		if err != nil || (len(out) == 1) != (tc.want != "") {
			t.Errorf("%s: %v, %v", name, out, err)
			continue
		}
		if len(out) == 0 {
			continue
		}
		got := identity(out[0])
		if letter, err := ReadLetter(out[0]); err == nil {
			got = letter.Class
			if letter.Stage != "resign" || letter.SignatureVersion != 3 {
				t.Errorf("%s: %+v", name, letter)
			}
		} else if p, err := schema.Decode[schema.ProcessedCrash](out[0].Value); err != nil || p.Signature != "again" || out[0].Topic != schema.ProcessedTopic(3) || string(out[0].Key) != "id" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
		if r.Workers.free != 1 {
			t.Errorf("%s: a hand is not given back", name)
		}
	}
	r := &Resigner{Version: v, Versions: hasSeen(several()), Workers: NewWorkers(1, 1)}
	r.Workers.lane(LaneReplay(3)).most = 0
	var passing *PassingError
	if _, err := r.work(t.Context(), &control); !errors.As(err, &passing) || !passing.Expected || !errors.Is(err, errPaused) {
		t.Errorf("while it is paused: %v", err)
	}
	r.Version = &schema.SignatureVersion{Number: 4, BaseEnds: v.BaseEnds}
	if _, err := r.work(t.Context(), &control); !errors.As(err, &passing) || !passing.Expected || !errors.Is(err, errNotNow) {
		t.Errorf("it is not live: %v", err)
	}
	r.Version = &schema.SignatureVersion{Number: 99, BaseEnds: v.BaseEnds}
	if _, err := r.work(t.Context(), &control); !errors.Is(err, errNotNow) {
		t.Errorf("there is none: %v", err)
	}
	if !errors.Is(doneOr(nil), ErrDone) || !errors.Is(doneOr(errPaused), errPaused) {
		t.Error("done, or why not")
	}
	if err := passing.Unwrap(); err == nil || passing.Error() != err.Error() {
		t.Error(err)
	}
}

// A request waits while it is not known whose it is, and is nobody's where the version is none
// that the loop makes.
func TestRequestsThatALoopDoesNotMake(t *testing.T) {
	of := func(versions ...int32) *kgo.Record {
		value, err := schema.Encode(&schema.ReprocessRequest{CrashID: "id", Raw: schema.Position{Topic: schema.TopicRaw}, Versions: versions})
		if err != nil {
			t.Fatal(err)
		}
		return &kgo.Record{Topic: schema.TopicReprocess, Key: []byte("id"), Value: value}
	}
	shared := Processor{Versions: hasSeen(several()), Workers: NewWorkers(1, 1), Log: zerolog.Nop()}
	archivist := &Archivist{Processor: shared}
	for name, in := range map[string]*kgo.Record{"no request": {Value: []byte("no request")}, "of all that are live": of(), "of live ones": of(2, 3, 4, 5), "of none": of(99)} {
		if out, err := archivist.work(t.Context(), in); out != nil || err != nil {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
	var waiting *PassingError
	if _, err := archivist.work(t.Context(), of(2, 6)); !errors.As(err, &waiting) || !waiting.Expected || waiting.Error() != "signature version 6 is being archived" {
		t.Errorf("while it is being archived: %v", err)
	}
	if _, err := archivist.work(t.Context(), of(1)); !errors.As(err, &waiting) || waiting.Expected {
		t.Errorf("nobody can be asked for the crash: %v", err)
	}
	shared.Version = 5
	if _, err := (&Reprocessor{Processor: shared}).work(t.Context(), of(5)); !errors.As(err, &waiting) || !errors.Is(err, errNotNow) {
		t.Errorf("while it is held: %v", err)
	}
	shared.Version = 2
	if out, err := (&Reprocessor{Processor: shared}).work(t.Context(), of(3)); out != nil || err != nil {
		t.Errorf("another version's: %v, %v", out, err)
	}
	for name, change := range map[string]func(*schema.ReprocessRequest){
		"another topic": func(r *schema.ReprocessRequest) { r.Raw.Topic = "other" }, "no offset": func(r *schema.ReprocessRequest) { r.Raw.Offset = -1 }, "no partition": func(r *schema.ReprocessRequest) { r.Raw.Partition = -1 },
	} {
		request := schema.ReprocessRequest{CrashID: "id", Raw: schema.Position{Topic: schema.TopicRaw}, Attempt: 6}
		change(&request)
		value, err := schema.Encode(&request)
		if err != nil {
			t.Fatal(err)
		}
		out, err := (&Reprocessor{Processor: shared}).work(t.Context(), &kgo.Record{Topic: schema.TopicReprocess, Key: []byte("id"), Value: value})
		if err != nil || len(out) != 1 {
			t.Errorf("%s: %v, %v", name, out, err)
			continue
		}
		if l, err := ReadLetter(out[0]); err != nil || l.Class != schema.DeadRequestBad || l.Attempt != 7 || l.Stage != "reprocess" || l.SignatureVersion != 2 {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

func TestWaitingHelpsNobodyWhoMayNot(t *testing.T) {
	var fault *PassingError
	if err := passing(&AccessError{Err: kerr.TopicAuthorizationFailed}); errors.As(err, &fault) {
		t.Errorf("waited for: %v", err)
	}
	if err := passing(ErrGone); !errors.As(err, &fault) || fault.Expected || fault.Later || !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

var errPanics, errTooLarge = errors.New("panics"), errors.New("too large")

// Clients keep to what the topics take, and leave their groups soon when they die.
func TestOptionsOfClients(t *testing.T) {
	t.Parallel()
	small := Kafka{Brokers: []string{"127.0.0.1:1"}, fetchBytes: 77}
	k := Kafka{Brokers: []string{"127.0.0.1:1"}}
	plain, err := k.Producer()
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	few, err := kgo.NewClient(small.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer few.Close()
	member, err := kgo.NewClient(append(k.Options(), k.groupOptions("g", "t", "i")...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	for name, tc := range map[string]struct {
		cl   *kgo.Client
		opt  any
		want any
	}{
		"a batch":               {plain, kgo.ProducerBatchMaxBytes, int32(8 << 20)},
		"an answer":             {plain, kgo.FetchMaxBytes, int32(16 << 20)},
		"of a partition":        {plain, kgo.FetchMaxPartitionBytes, int32(4 << 20)},
		"a small answer":        {few, kgo.FetchMaxBytes, int32(77)},
		"of a partition of few": {few, kgo.FetchMaxPartitionBytes, int32(77)},
		"topics made just now":  {plain, kgo.MetadataMinAge, 250 * time.Millisecond},
		"a broker that is slow": {plain, kgo.RequestTimeoutOverhead, 5 * time.Second},
		"one that is away":      {plain, kgo.RetryTimeout, 20 * time.Second},
		"a session":             {member, kgo.SessionTimeout, 6 * time.Second},
		"a heartbeat":           {member, kgo.HeartbeatInterval, 1500 * time.Millisecond},
		"a rebalance":           {member, kgo.RebalanceTimeout, 30 * time.Second},
		"the group":             {member, kgo.ConsumerGroup, "g"},
	} {
		got := tc.cl.OptValue(tc.opt)
		if of, ok := got.(func(int16) time.Duration); ok {
			got = of(0)
		}
		if fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// What clients log as information is our debugging, and what they warn of ours as well.
func TestLogsOfClients(t *testing.T) {
	for level, want := range map[zerolog.Level]kgo.LogLevel{zerolog.TraceLevel: kgo.LogLevelInfo, zerolog.DebugLevel: kgo.LogLevelInfo, zerolog.InfoLevel: kgo.LogLevelWarn, zerolog.ErrorLevel: kgo.LogLevelWarn} {
		if got := (kafkaLog{zerolog.New(nil).Level(level)}).Level(); got != want {
			t.Errorf("%v: %v, want %v", level, got, want)
		}
	}
	var log bytes.Buffer
	l := kafkaLog{zerolog.New(&log)}
	l.Log(kgo.LogLevelError, " gone ", "broker", 1)
	l.Log(kgo.LogLevelWarn, "slow")
	l.Log(kgo.LogLevelInfo, "there")
	want := `{"level":"warn","broker":1,"part":"kafka client","message":"gone"}
{"level":"warn","part":"kafka client","message":"slow"}
{"level":"debug","part":"kafka client","message":"there"}
`
	if log.String() != want {
		t.Errorf("%s, want %s", &log, want)
	}
}

// Brokers that are not there yet are waited for, and no others.
func TestBrokersThatAreAway(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"not there":      {fmt.Errorf("asked: %w", &net.OpError{Op: "dial", Err: errors.New("refused")}), true},
		"hung up":        {&net.OpError{Op: "read", Err: errors.New("reset")}, false},
		"not ready":      {kerr.CoordinatorNotAvailable, true},
		"not allowed":    {kerr.TopicAuthorizationFailed, false},
		"something else": {errors.New("other"), false},
	} {
		if away(tc.err) != tc.want {
			t.Errorf("%s: %v", name, !tc.want)
		}
	}
}

// A loop that was stopped says so each minute.
func TestWhoWasStoppedSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var ready []error
		l := &loop{Transform: &Transform{Group: "g", Log: zerolog.New(&log), Ready: func(err error) { ready = append(ready, err) }}}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		l.stopped(ctx, ErrGuard)
		if n := strings.Count(log.String(), haltAdvice); n != 3 || strings.Count(log.String(), `"group":"g"`) != 3 || len(ready) != 1 || !errors.Is(ready[0], ErrGuard) {
			t.Errorf("said %d times, ready %v: %s", n, ready, &log)
		}
		// While partitions rest a loop is not ready, whatever else is well.
		l.losses = Kafka{}.NewLosses("g", "t", zerolog.Nop())
		if l.ready(nil); ready[1] != nil {
			t.Error(ready[1])
		}
		l.losses.parts[1] = 7
		if l.ready(nil); !errors.Is(ready[2], ErrDataLoss) {
			t.Error(ready[2])
		}
		if l.ready(ErrGuard); !errors.Is(ready[3], ErrGuard) {
			t.Error(ready[3])
		}
	})
}

// Of two hundred records half may be dead, and fifty in a row.
func TestWhatTheGuardOfAProcessorLetsPass(t *testing.T) {
	w := Watch{Guard: DefaultGuard}
	for n := range 50 {
		if err := w.Record(t.Context(), Accusing); err != nil {
			t.Fatalf("the %d. in a row: %v", n+1, err)
		}
	}
	if err := w.Record(t.Context(), Accusing); err == nil || err.Error() != "too many dead letters: more than 50 in a row" {
		t.Error(err)
	}
	w = Watch{Guard: Guard{Share: 0.25}}
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = w.Record(t.Context(), []Verdict{Accusing, Well, Well}[n%3])
	}
	if n != 202 && n != 200 && n != 199 || err == nil || !strings.HasSuffix(err.Error(), " of the last 200 records") {
		t.Errorf("after %d records: %v", n, err)
	}
}

// A span holds its first offset and not its end; two generations of crash ids are remembered.
func TestSpansAreHalfOpen(t *testing.T) {
	var got []int64
	for offset := int64(0); offset < 6; offset++ {
		if (Span{2, 4}).holds(offset) {
			got = append(got, offset)
		}
	}
	if !slices.Equal(got, []int64{2, 3}) {
		t.Errorf("%v", got)
	}
	for length, want := range map[int64]int{-1: 0, 0: 0, 1: 1, 64: 1, 65: 2} {
		if got := len(newOffsetSet(Span{5, 5 + length}).bits); got != want {
			t.Errorf("%d offsets: %d words, want %d", length, got, want)
		}
	}
	if opts := (Security{}).options(); len(opts) != 0 {
		t.Errorf("%d options of nothing", len(opts))
	}
}
