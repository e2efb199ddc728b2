package embedded

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/internal/freeport"
)

// However an answer is cut, aborted records are never seen.
func TestBrokerTellsWhatWasAborted(t *testing.T) {
	addr := freeport.Address(t)
	startBroker(t, t.TempDir(), addr, time.Hour)
	createTopic(t, addr, "t")
	client := kafkaClient(t, addr, kgo.TransactionalID("tx"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	const rounds = 30
	noise := make([]byte, 2000)
	rand.Read(noise)
	for range rounds {
		transact(t, client, "t", "aborted"+string(noise), kgo.TryAbort)
		transact(t, client, "t", "committed"+string(noise), kgo.TryCommit)
	}
	for _, most := range []int32{1 << 10, 5 << 10, 20 << 10, 1 << 20} {
		reader := kafkaClient(t, addr, kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.FetchMaxBytes(most), kgo.FetchMaxPartitionBytes(1<<20))
		committed := 0
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		for committed < rounds {
			fetches := reader.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				t.Fatalf("answers of %d bytes: %v after %d records", most, err, committed)
			}
			for _, r := range fetches.Records() {
				if strings.HasPrefix(string(r.Value), "aborted") {
					t.Fatalf("answers of %d bytes: offset %d was aborted", most, r.Offset)
				}
				committed++
			}
		}
		cancel()
	}
}
