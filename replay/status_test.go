package replay

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream/streamtest"
)

// A status says of every version that is not dropped how far its groups are, from where they
// began to where they are to come.
func TestStatusSaysHowFarVersionsAre(t *testing.T) {
	t.Parallel()
	r := rest(t, with(beside(t), func(e *schema.VersionEvent) {
		third := e.Versions[1]
		third.Number, third.Base, third.Source, third.Paused = 3, 1, schema.SourceProcessed, true
		third.From, third.To, third.BaseEnds = new(at(2)), new(at(9)), offsets(3, 1)
		fourth, fifth := e.Versions[1], e.Versions[1]
		fourth.Number, fourth.State = 4, schema.StateEnded
		fifth.Number, fifth.State = 5, schema.StateDropped
		e.Versions = append(e.Versions, fifth, third, fourth)
		e.Activation.Ranges = []schema.ActiveRange{ranged(begin, 5, 4, 1), ranged(5, end, 1, 1)}
		e.Promotion = &schema.Promotion{Ranges: []schema.ActiveRange{ranged(begin, end, 2, 2)}}
	}), 1, 2, 3)
	r.raw(0, 1, 2, 3, 4, 5)
	r.raw(1, 2, 3)
	streamtest.DeleteBefore(t, r.k, schema.TopicRaw, 0, 2)
	r.fill(schema.TopicReprocess, 0, 2)
	r.fill(schema.TopicReprocess, 1, 1)
	r.fill(schema.ProcessedTopic(1), 0, 4)
	r.fill(schema.ProcessedTopic(1), 1, 1)
	r.come(schema.ProcessGroup(1), schema.TopicRaw, 3, 2)
	r.come(schema.ProcessGroup(2), schema.TopicRaw, 4, -1)
	r.come(schema.ReprocessGroup(2), schema.TopicReprocess, 1, 1)
	r.come(schema.ResignGroup(3), schema.ProcessedTopic(1), 2, 1)
	s, err := r.o.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := r.newest()
	way := func(first, second Progress) []Progress {
		second.Partition = 1
		return []Progress{first, second}
	}
	version := func(n int32, change func(*VersionStatus)) VersionStatus {
		v := e.Version(n)
		s := VersionStatus{
			Number: n, State: v.State, ProcessVersion: 7, RulesetHash: v.RulesetHash, RegistryHash: schema.DefaultRegistry.Hash(), Source: v.Source, Share: v.Share,
		}
		change(&s)
		return s
	}
	want := &Status{
		At: s.At, Epoch: 1,
		Seen:      []SeenRange{{schema.TimeBegin, at(5), 4}, {at(5), schema.TimeEnd, 1}},
		Promoting: []SeenRange{{schema.TimeBegin, schema.TimeEnd, 2}}, Since: &e.At,
		Versions: []VersionStatus{
			version(1, func(s *VersionStatus) {
				s.Seen = true
				s.Raw = way(Progress{Begin: 2, At: 3, End: 5}, Progress{Begin: 0, At: 2, End: 2})
				s.Requests = way(Progress{Begin: 0, At: 0, End: 2}, Progress{Begin: 0, At: 0, End: 1})
			}),
			version(2, func(s *VersionStatus) {
				s.Raw = way(Progress{Begin: 2, At: 4, End: 5}, Progress{Begin: 1, At: 1, End: 2})
				s.Requests = way(Progress{Begin: 0, At: 1, End: 2}, Progress{Begin: 1, At: 1, End: 1})
			}),
			version(3, func(s *VersionStatus) {
				s.Base, s.From, s.To, s.Paused = 1, new(at(2)), new(at(9)), true
				s.Raw = way(Progress{Begin: 2, At: 1, End: 5}, Progress{Begin: 1, At: 1, End: 2})
				s.Requests = way(Progress{Begin: 0, At: 0, End: 2}, Progress{Begin: 1, At: 1, End: 1})
				s.Resign = way(Progress{Begin: 0, At: 2, End: 3}, Progress{Begin: 0, At: 1, End: 1})
			}),
			version(4, func(s *VersionStatus) { s.Seen = true }),
		},
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	for n, want := range map[int32][2]int64{1: {2, 5}, 2: {2, 4}, 3: {6, 8}, 4: {0, 0}} {
		if left, all := s.version(n).Left(); [2]int64{left, all} != want {
			t.Errorf("version %d has %d of %d left, want %v", n, left, all, want)
		}
	}
	if !s.At.After(at(20)) {
		t.Errorf("looked at %v", s.At)
	}
	empty, err := rest(t, nil).o.Look(t.Context())
	if err != nil || empty.At.IsZero() || len(empty.Versions) > 0 || empty.Promoting != nil {
		t.Errorf("of an empty log: %+v, %v", empty, err)
	}
}

// Members are those of the group on crash.raw, and where only the end of a transaction is
// left, the group has come to the end.
func TestStatusCountsMembersAndNoMarkers(t *testing.T) {
	t.Parallel()
	r := rest(t, announced(t), 1)
	if err := r.transaction(&kgo.Record{Topic: schema.TopicRaw, Partition: 0, Value: []byte("raw")}); err != nil {
		t.Fatal(err)
	}
	r.come(schema.ProcessGroup(1), schema.TopicRaw, 1, 0)
	member, err := r.k.GroupClient(schema.ProcessGroup(1), schema.TopicRaw, "0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(member.Close)
	for end := time.Now().Add(20 * time.Second); streamtest.Members(t, r.k, schema.ProcessGroup(1)) == 0; {
		if time.Now().After(end) {
			t.Fatal("no members")
		}
	}
	s, err := r.o.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v := s.version(1); v.Members != 1 || v.Raw[0] != (Progress{At: 2, End: 2}) {
		t.Errorf("%+v", v)
	}
}

// transaction appends records in a transaction of their own.
func (r *resting) transaction(records ...*kgo.Record) error {
	cl, err := kgo.NewClient(append(r.k.Options(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("a test"))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	if err := cl.ProduceSync(r.t.Context(), records...).FirstErr(); err != nil {
		return err
	}
	return cl.EndTransaction(r.t.Context(), kgo.TryCommit)
}

func TestAStatusIsWholeOrAnError(t *testing.T) {
	t.Parallel()
	r := rest(t, with(beside(t), func(e *schema.VersionEvent) {
		e.Versions[1].Base, e.Versions[1].BaseEnds = 1, offsets(1, 0)
	}), 1)
	r.raw(0, 1, 2)
	r.fill(schema.TopicReprocess, 0, 1)
	r.fill(schema.ProcessedTopic(1), 0, 1)
	var s *Status
	r.refusedEach(func(ctx context.Context) (err error) { s, err = r.o.Look(ctx); return err }, func() error {
		if len(s.Versions) != 2 || len(s.Versions[1].Resign) != 2 || len(s.Versions[1].Requests) != 2 || len(s.Versions[1].Raw) != 2 {
			return errNotWhole
		}
		return nil
	})
}

func TestRatesAreOfWhatWasHandledBetweenTwoLooks(t *testing.T) {
	t.Parallel()
	look := func(at time.Time, n int32, raw, resign int64) *Status {
		return &Status{At: at, Versions: []VersionStatus{{Number: n, Raw: []Progress{{At: raw}, {At: 1}}, Resign: []Progress{{At: resign}}}}}
	}
	for name, tc := range map[string]struct {
		before, now *Status
		n           int32
		want        float64
	}{
		"both ways":      {look(noon, 2, 10, 20), look(noon.Add(2*time.Second), 2, 13, 28), 2, 5.5},
		"none":           {look(noon, 2, 10, 20), look(noon.Add(time.Second), 2, 10, 20), 2, 0},
		"no time":        {look(noon, 2, 10, 20), look(noon, 2, 13, 28), 2, 0},
		"not there":      {look(noon, 2, 10, 20), look(noon.Add(time.Second), 2, 13, 28), 3, 0},
		"new":            {look(noon, 3, 10, 20), look(noon.Add(time.Second), 2, 13, 28), 2, 0},
		"dropped":        {look(noon, 2, 10, 20), look(noon.Add(time.Second), 3, 13, 28), 2, 0},
		"a moment later": {look(noon, 2, 10, 20), look(noon.Add(500*time.Millisecond), 2, 11, 20), 2, 2},
	} {
		if got := Rate(tc.before, tc.now, tc.n); got != tc.want {
			t.Errorf("%s: %v a second, want %v", name, got, tc.want)
		}
	}
}

// What has come further than it is to come is not less than done.
func TestWhatIsLeftIsNeverLessThanNothing(t *testing.T) {
	t.Parallel()
	left, all := Left([]Progress{{Begin: 2, At: 9, End: 7}, {Begin: 0, At: 1, End: 4}}, []Progress{{Begin: 5, At: 0, End: 3}})
	if left != 6 || all != 9 {
		t.Errorf("%d of %d", left, all)
	}
}
