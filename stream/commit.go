package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Commit commits what lies behind the records of a topic, for the partitions that the
// client's member has and that have not come further without it. A rebalance may have
// given the others to another member while this one worked; brokers ask of which
// generation a commit is, and not who has the partition, so that they would take it.
func Commit(ctx context.Context, cl *kgo.Client, topic string, records []*kgo.Record) error {
	offsets := map[int32]kgo.EpochOffset{}
	for _, r := range records {
		if next := r.Offset + 1; next > offsets[r.Partition].Offset {
			offsets[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: next}
		}
	}
	return plainCommit{topic: topic, offsets: offsets}.do(ctx, cl)
}

// plainCommit is a commit outside of transactions, by Commit's rule.
type plainCommit struct {
	topic   string
	offsets map[int32]kgo.EpochOffset
	// metadata is what stands beside an offset; nil: nothing. done is told of each
	// partition that was committed; may be nil.
	metadata func(partition int32) string
	done     func(partition int32)
}

// errNotOurs: there is no partition left to commit for.
var errNotOurs = errors.New("no partition is ours any more")

func (c plainCommit) do(ctx context.Context, cl *kgo.Client) (failed error) {
	if len(c.offsets) == 0 {
		return nil
	}
	// The client joins no generation between this and the answer.
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		has, left := cl.CommittedOffsets()[c.topic], 0
		for i := range req.Topics {
			t := &req.Topics[i]
			t.Partitions = slices.DeleteFunc(t.Partitions, func(p kmsg.OffsetCommitRequestTopicPartition) bool {
				at, ours := has[p.Partition]
				return !ours || at.Offset > p.Offset
			})
			left += len(t.Partitions)
			for j := range t.Partitions {
				p := &t.Partitions[j]
				p.Metadata = nil
				if c.metadata != nil {
					p.Metadata = new(c.metadata(p.Partition))
				}
			}
		}
		if left == 0 {
			return errNotOurs
		}
		return nil
	})
	cl.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{c.topic: c.offsets}, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, res *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			failed = err
			return
		}
		for _, t := range res.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s partition %d: %w", c.topic, p.Partition, err))
				} else if c.done != nil {
					c.done(p.Partition)
				}
			}
		}
	})
	if errors.Is(failed, errNotOurs) {
		return nil
	}
	return failed
}
