package stream_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// versions writes a state of versions to the log.
func versions(t *testing.T, k stream.Kafka, change func(state *schema.VersionEvent)) {
	t.Helper()
	_, err := stream.Operate(t.Context(), k, func(current *schema.VersionEvent) (*schema.VersionEvent, error) {
		next := &schema.VersionEvent{}
		if current != nil {
			next = current.Clone()
		}
		next.At = time.UnixMilli(1_790_000_000_000).UTC()
		change(next)
		return next, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func one(state *schema.VersionEvent) {
	state.Versions = []schema.SignatureVersion{{Number: 1, State: schema.StateLive, Share: 1}}
}

// follower is a Following that can be cut off from the log.
func follower(t *testing.T, k stream.Kafka) (f *stream.Following, cut func()) {
	t.Helper()
	f = stream.NewFollowing(k)
	cut = streamtest.Run(t, func(ctx context.Context) error { f.Run(ctx); return nil })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	f.Each(ctx, func(*schema.VersionEvent) { cancel() })
	return f, cut
}

func TestCurrentIsTheStateOfNow(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions)
	versions(t, k, one)
	f, _ := follower(t, k)
	for range 3 {
		versions(t, k, func(state *schema.VersionEvent) {
			state.Versions = append(state.Versions, schema.SignatureVersion{Number: int32(len(state.Versions) + 1)})
		})
		want, err := stream.NewestVersions(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Current(t.Context(), time.Now()) // an answer from before that is not taken
		if err != nil || len(got.Versions) != len(want.Versions) {
			t.Fatalf("%+v, %v, want %d versions", got, err, len(want.Versions))
		}
	}
	if _, err := (*stream.Following)(nil).Current(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
}

// A member that cannot see what the log holds must not commit: somebody may have
// decided meanwhile that it does not process any more.
func TestMemberThatIsCutOffFromTheLogCommitsNothing(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out", schema.TopicVersions)
	versions(t, k, one)
	f, cut := follower(t, k)
	tr := copying(k)
	tr.Versions, tr.Version = f, 1
	broken := make(chan error, 1)
	tr.Ready = func(err error) {
		if err != nil {
			select {
			case broken <- err:
			default:
			}
		}
	}
	run(t, tr)
	put(t, k, "in", "a")
	streamtest.Committed(t, k, "out", 1)
	cut()
	versions(t, k, func(state *schema.VersionEvent) { state.Versions[0].State = schema.StateHeld })
	// This takes longer than an answer of the log counts that came before.
	if _, err := f.Current(t.Context(), time.Now()); err == nil {
		t.Fatal("the log's end is known without its event")
	}
	put(t, k, "in", "b")
	select {
	case <-broken:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing is wrong with it")
	}
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", 1)); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("committed %q", got)
	}
	versions(t, k, one)
	streamtest.Run(t, func(ctx context.Context) error { f.Run(ctx); return nil })
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", 2)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("committed %q", got)
	}
}

// What was worked on in a state that has changed meanwhile is worked on again.
func TestWorkOfAnotherStateIsGivenBack(t *testing.T) {
	k, _ := streamtest.Broker(t, 1, "in", "out", schema.TopicVersions)
	versions(t, k, one)
	f, _ := follower(t, k)
	tr := copying(k)
	tr.Versions, tr.Version = f, 1
	work := tr.Work
	tries := 0
	tr.Workers = 1
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		if tries++; tries == 1 {
			versions(t, k, func(state *schema.VersionEvent) { state.Versions[0].State = schema.StateNarrowed })
			ctx, cancel := context.WithCancel(ctx)
			f.Each(ctx, func(state *schema.VersionEvent) {
				if state.Versions[0].State == schema.StateNarrowed {
					cancel()
				}
			})
		}
		return work(ctx, in)
	}
	put(t, k, "in", "a")
	stop := run(t, tr)
	if got := streamtest.Keys(streamtest.Committed(t, k, "out", 1)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("committed %q", got)
	}
	stop()
	if tries != 2 {
		t.Errorf("%d tries, want 2", tries)
	}
}

// Who is not wanted any more commits nothing and leaves the group; who just stops
// finishes, and stays, so that its restart moves no partitions.
func TestUnwantedMemberCommitsNothingAndLeavesItsGroup(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{"a restart": nil, "not wanted": stream.ErrUnwanted} {
		t.Run(name, func(t *testing.T) {
			k, _ := streamtest.Broker(t, 1, "in", "out")
			tr := copying(k)
			work := tr.Work
			began, goOn := make(chan bool), make(chan bool)
			tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
				began <- true
				<-goOn
				return work(ctx, in)
			}
			put(t, k, "in", "a")
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- tr.Run(ctx) }()
			<-began
			if in := streamtest.Members(t, k, "g"); in != 1 {
				t.Fatalf("%d members", in)
			}
			cancel(cause)
			close(goOn)
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			want := 1
			if cause != nil {
				want = 0
			}
			if in := streamtest.Members(t, k, "g"); in != want {
				t.Errorf("%d members, want %d", in, want)
			}
			if got := streamtest.Committed(t, k, "out", want); len(got) != want {
				t.Errorf("%d committed, want %d", len(got), want)
			}
		})
	}
}
