package stream_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/blob"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// moody is a blob store with one blob, whose first answers are errors.
type moody struct {
	blob.Store
	mu     sync.Mutex
	errors []error
	data   []byte
}

func (m *moody) Get(context.Context, string, int64) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.errors) > 0 {
		err := m.errors[0]
		m.errors = m.errors[1:]
		return nil, err
	}
	return m.data, nil
}

// committed are the classes of a topic's dead letters, or "" for other records.
func committed(t *testing.T, k stream.Kafka, topic string) (classes []string) {
	t.Helper()
	err := stream.EachCommitted(t.Context(), k, topic, func(r *kgo.Record) error {
		class := ""
		for _, h := range r.Headers {
			if h.Key == stream.HeaderClass {
				class = string(h.Value)
			}
		}
		classes = append(classes, class)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return classes
}

func TestABlobIsWaitedForAndItsStoreOutwaited(t *testing.T) {
	missing, away := blob.ErrNotFound, errors.New("the store is away")
	for name, tc := range map[string]struct {
		errors []error
		dead   []string
		left   int // of the errors
	}{
		"found at the last try":               {[]error{missing, missing, missing}, nil, 0},
		"not found at the last try":           {[]error{missing, missing, missing, missing}, []string{schema.DeadBlobMissing}, 0},
		"nobody asks again after the last":    {[]error{missing, missing, missing, missing, missing}, []string{schema.DeadBlobMissing}, 1},
		"a store that is away costs no crash": {[]error{away, away, missing, away}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, _ := streamtest.Broker(t, 1, schema.TopicRaw, schema.ProcessedTopic(1), schema.TopicDeadLetter)
			data := []byte("a dump")
			key := "key"
			id, value := rawCrash(t, 1, schema.Dump{Name: schema.MainDump, Size: int64(len(data)), SHA256: sha256.Sum256(data), Encoding: schema.EncodingNone, Blob: &key})
			// The one behind it tells that the crash is done with.
			lastID, last := rawCrash(t, 2, schema.Dump{Encoding: schema.EncodingNone})
			streamtest.Put(t, k,
				&kgo.Record{Topic: schema.TopicRaw, Key: []byte(id), Value: value},
				&kgo.Record{Topic: schema.TopicRaw, Key: []byte(lastID), Value: last})
			store := &moody{errors: tc.errors, data: data}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			loop := &stream.Processor{
				Kafka: k, Instance: "0", Version: 1, Workers: stream.NewWorkers(1, 1), Blobs: store, Log: zerolog.Nop(),
				Process: func(_ context.Context, in stream.Input) (*schema.ProcessedCrash, error) {
					return &schema.ProcessedCrash{CrashID: in.Raw.CrashID}, nil
				},
			}
			go func() { ended <- loop.Run(ctx) }()
			want := 2 - len(tc.dead)
			streamtest.Committed(t, k, schema.ProcessedTopic(1), want)
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if got := committed(t, k, schema.TopicDeadLetter); !slices.Equal(got, tc.dead) {
				t.Errorf("dead letters %q, want %q", got, tc.dead)
			}
			if got := committed(t, k, schema.ProcessedTopic(1)); len(got) != want {
				t.Errorf("%d processed crashes, want %d", len(got), want)
			}
			if len(store.errors) != tc.left {
				t.Errorf("%d answers were not asked for, want %d", len(store.errors), tc.left)
			}
		})
	}
}
