package heal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/heal"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// tables have crashes that lack modules, by crash id, until they were asked for.
type tables struct {
	mu     sync.Mutex
	lack   map[string][]string // modules by crash id
	asked  map[string]int
	passes int
	fails  int // so many calls of Asked
	most   int // bytes of keys that were asked for at a time
}

func (f *tables) DaysSince(context.Context, []int32, time.Time) ([]time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passes++
	return []time.Time{time.Now(), time.Now().AddDate(0, 0, -1)}, nil
}

func (f *tables) EachLacking(_ context.Context, p clickhouse.Population, day time.Time, a clickhouse.Arrived, each func(clickhouse.Lacking) error) error {
	if p.Kind != schema.KindReport || time.Since(day) > time.Hour {
		return nil
	}
	var found []clickhouse.Lacking
	f.mu.Lock()
	bytes := 0
	for i := range a.Events {
		bytes += len(a.Events[i].Key())
	}
	f.most = max(f.most, bytes)
	for id, modules := range f.lack {
		l := clickhouse.Lacking{CrashID: id, Day: day, Raw: schema.Position{Topic: schema.TopicRaw}}
		for _, e := range a.Events {
			if slices.Contains(modules, e.Key()) {
				l.Modules = append(l.Modules, e.Key())
			}
		}
		for _, v := range a.Versions {
			if l.Version = v; len(l.Modules) > 0 && f.asked[fmt.Sprint(id, v, a.Upto)] == 0 {
				found = append(found, l)
			}
		}
	}
	f.mu.Unlock()
	for _, l := range found {
		if err := each(l); err != nil {
			return err
		}
	}
	return nil
}

func (f *tables) Asked(_ context.Context, _ clickhouse.Population, upto int64, _ time.Time, crashes []clickhouse.Lacking) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails > 0 {
		f.fails--
		return errors.New("the tables are away")
	}
	for _, c := range crashes {
		f.asked[fmt.Sprint(c.CrashID, c.Version, upto)]++
	}
	return nil
}

// begin is a broker with a version that is live, and one that is archived and seen, or not.
func begin(t *testing.T, archived bool) stream.Kafka {
	t.Helper()
	k, _ := streamtest.Broker(t, 2, schema.TopicVersions, schema.TopicReprocess)
	if err := stream.CreateTopics(t.Context(), k, 1, schema.Topics(2)...); err != nil {
		t.Fatal(err)
	}
	_, err := stream.Operate(t.Context(), k, func(*schema.VersionEvent) (*schema.VersionEvent, error) {
		e := &schema.VersionEvent{Operation: schema.OpAnnounce, Versions: []schema.SignatureVersion{{Number: 2, State: schema.StateLive}}}
		e.Activation.Epoch = 1
		e.Activation.Ranges = []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: 2}}
		if archived {
			e.Versions = append(e.Versions, schema.SignatureVersion{Number: 1, State: schema.StateArchived}, schema.SignatureVersion{Number: 3, State: schema.StateHeld})
			e.Activation.Ranges[0].SignatureVersion = 1
		}
		return e, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func event(n int) schema.SymbolsEvent {
	return schema.SymbolsEvent{DebugFile: fmt.Sprintf("lib%d.so", n), DebugID: "AA1", Reason: schema.SymbolsUpload}
}

func announce(t *testing.T, k stream.Kafka, events ...schema.SymbolsEvent) {
	t.Helper()
	if err := stream.Announce(t.Context(), k, events); err != nil {
		t.Fatal(err)
	}
}

func requests(t *testing.T, k stream.Kafka, n int) (ids []string) {
	t.Helper()
	for _, r := range streamtest.Committed(t, k, schema.TopicReprocess, n) {
		q, err := schema.Decode[schema.ReprocessRequest](r.Value)
		if err != nil || string(r.Key) != q.CrashID {
			t.Fatalf("%q %+v %v", r.Key, q, err)
		}
		ids = append(ids, fmt.Sprint(q.CrashID, q.Versions))
	}
	slices.Sort(ids)
	return ids
}

func run(t *testing.T, h *heal.Healer) {
	t.Helper()
	h.Versions, h.Instance, h.Log = streamtest.Following(t, h.Kafka), "0", zerolog.Nop()
	streamtest.Run(t, h.Run)
}

// Many modules that come together are one pass, and a crash that lacks several is asked for
// once. What cannot be read costs nothing else.
func TestAStormOfUploadsIsOnePass(t *testing.T) {
	k := begin(t, true)
	f := &tables{lack: map[string][]string{"a": {"lib0.so/AA1", "lib1.so/AA1", "lib19.so/AA1"}, "b": {"lib7.so/AA1"}, "c": {"other/AA1"}}, asked: map[string]int{}}
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicSymbols, Key: []byte("x"), Value: []byte("no event")})
	for n := range 20 {
		announce(t, k, event(n), event(n))
	}
	run(t, &heal.Healer{Kafka: k, DB: f})
	if got, want := requests(t, k, 2), []string{"a[1 2]", "b[1 2]"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	announce(t, k, event(7)) // comes again: what still lacks it is asked for again, once
	if got, want := requests(t, k, 3), []string{"a[1 2]", "b[1 2]", "b[1 2]"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if f.passes != 2 {
		t.Errorf("%d passes", f.passes)
	}
}

// A pass that failed is made again, and one that was made is not made again by the next
// member.
func TestAPassIsMadeUntilItIsDone(t *testing.T) {
	k := begin(t, false)
	f := &tables{lack: map[string][]string{"a": {"lib0.so/AA1"}}, asked: map[string]int{}, fails: 2}
	announce(t, k, event(0))
	h := &heal.Healer{Kafka: k, DB: f, Settle: time.Millisecond}
	h.Versions, h.Instance, h.Log = streamtest.Following(t, k), "0", zerolog.Nop()
	stop := streamtest.Run(t, h.Run)
	if got := requests(t, k, 3); len(got) != 3 { // two that were not stored, and one that was
		t.Errorf("%q", got)
	}
	committed(t, k, 1)
	stop()
	run(t, &heal.Healer{Kafka: k, DB: f})
	announce(t, k, event(5))
	time.Sleep(2 * time.Second)
	if got := requests(t, k, 3); len(got) != 3 {
		t.Errorf("%q", got)
	}
}

// A version that nobody processes holds up no other.
func TestAVersionThatNobodyProcessesHoldsUpNone(t *testing.T) {
	k := begin(t, true) // of version 1, which is archived, nobody is there
	f := &tables{lack: map[string][]string{}, asked: map[string]int{}}
	for n := range 1500 {
		f.lack[fmt.Sprintf("%08d", n)] = []string{"lib0.so/AA1"}
	}
	cl, err := k.GroupClient(schema.ReprocessGroup(2), schema.TopicReprocess, "0") // as a processor does
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	joining, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	cl.PollFetches(joining) // until it is a member, and there is nothing
	announce(t, k, event(0))
	run(t, &heal.Healer{Kafka: k, DB: f, MostWaiting: 1100})
	patience, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for done := 0; done < 1500; {
		fetches := cl.PollFetches(patience)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		done += fetches.NumRecords()
		if err := cl.CommitRecords(t.Context(), fetches.Records()...); err != nil {
			t.Fatal(err)
		}
	}
}

// No more wait to be processed than may.
func TestRequestsWaitForThoseBeforeThem(t *testing.T) {
	k := begin(t, false)
	f := &tables{lack: map[string][]string{}, asked: map[string]int{}}
	for n := range 2500 {
		f.lack[fmt.Sprintf("%08d", n)] = []string{"lib0.so/AA1"}
	}
	announce(t, k, event(0))
	run(t, &heal.Healer{Kafka: k, DB: f, MostWaiting: 1200})
	if got := requests(t, k, 1000); len(got) != 1000 {
		t.Fatalf("%d were asked for", len(got))
	}
	time.Sleep(time.Second)
	if got := requests(t, k, 1000); len(got) != 1000 {
		t.Errorf("%d were asked for, and none was processed", len(got))
	}
	cl, err := k.GroupClient(schema.ReprocessGroup(2), schema.TopicReprocess, "0") // as a processor does
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for done := 0; done < 2500; {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		done += fetches.NumRecords()
		if err := cl.CommitRecords(t.Context(), fetches.Records()...); err != nil {
			t.Fatal(err)
		}
	}
	if got := requests(t, k, 2500); len(got) != 2500 {
		t.Errorf("%d were asked for", len(got))
	}
}

// committed waits until the healer has done with the events before an offset.
func committed(t *testing.T, k stream.Kafka, offset int64) {
	t.Helper()
	g, err := stream.NewGroups(k)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for t.Context().Err() == nil {
		at, err := g.Offsets(t.Context(), schema.GroupSymbols, schema.TopicSymbols)
		if err != nil {
			t.Fatal(err)
		}
		if at[0] >= offset {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// A crash that was processed just before symbols came, and whose row comes to the tables when
// the pass has looked, is asked for when the sink has stored it; and that once.
func TestRowsThatWereOnTheirWayAreFound(t *testing.T) {
	k := begin(t, false)
	processed := schema.Processed(2, 2)
	if err := stream.CreateTopics(t.Context(), k, 1, processed); err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, k, &kgo.Record{Topic: processed.Name, Key: []byte("late"), Value: []byte("lacks lib0")})
	sink, err := k.GroupClient(schema.SinkGroup(clickhouse.Name, 2), processed.Name, "0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	fetches := sink.PollFetches(t.Context())
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	f := &tables{lack: map[string][]string{"early": {"lib0.so/AA1"}}, asked: map[string]int{}}
	announce(t, k, event(0))
	run(t, &heal.Healer{Kafka: k, DB: f, Settle: time.Millisecond})
	if got := requests(t, k, 1); !slices.Equal(got, []string{"early[2]"}) {
		t.Fatalf("%q", got)
	}
	time.Sleep(2 * time.Second) // the sink is behind
	f.mu.Lock()
	if f.passes != 1 {
		t.Errorf("%d passes before the sink has stored", f.passes)
	}
	f.lack["late"] = []string{"lib0.so/AA1"}
	f.mu.Unlock()
	if err := sink.CommitRecords(t.Context(), fetches.Records()...); err != nil {
		t.Fatal(err)
	}
	if got := requests(t, k, 2); !slices.Equal(got, []string{"early[2]", "late[2]"}) {
		t.Errorf("%q", got)
	}
	committed(t, k, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.passes != 2 {
		t.Errorf("%d passes", f.passes)
	}
}

// However few may wait, no more do.
func TestOneMayWait(t *testing.T) {
	k := begin(t, false)
	f := &tables{lack: map[string][]string{"a": {"lib0.so/AA1"}, "b": {"lib0.so/AA1"}, "c": {"lib0.so/AA1"}}, asked: map[string]int{}}
	announce(t, k, event(0))
	run(t, &heal.Healer{Kafka: k, DB: f, MostWaiting: 1})
	requests(t, k, 1)
	time.Sleep(time.Second)
	if got := requests(t, k, 1); len(got) != 1 {
		t.Errorf("%q were asked for, and none was processed", got)
	}
}

// Modules with names so long that they are several questions are one pass: a crash that lacks
// some of each is asked for once, for each version once.
func TestLongNamesAreOnePass(t *testing.T) {
	k := begin(t, true)
	f := &tables{lack: map[string][]string{}, asked: map[string]int{}}
	var events []schema.SymbolsEvent
	for n := range 900 {
		e := schema.SymbolsEvent{DebugFile: strings.Repeat("x", 190) + fmt.Sprint(n), DebugID: "AA1", Reason: schema.SymbolsUpload}
		events = append(events, e)
		if n%300 == 0 {
			f.lack["a"] = append(f.lack["a"], e.Key())
		}
	}
	announce(t, k, events...)
	run(t, &heal.Healer{Kafka: k, DB: f})
	if got := requests(t, k, 1); !slices.Equal(got, []string{"a[1 2]"}) {
		t.Errorf("%q", got)
	}
	time.Sleep(2 * time.Second)
	if got := requests(t, k, 1); len(got) != 1 {
		t.Errorf("%q", got)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.most > 128<<10 {
		t.Errorf("a question of %d bytes", f.most)
	}
}
