package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
)

// commitOffsets makes the offsets of consumer groups part of the client's open
// transaction. Brokers take them for groups that have members, too: those would go
// on from where they are, so that the caller must know that there are none.
func commitOffsets(ctx context.Context, cl *kgo.Client, groups map[string]map[string][]schema.PartitionOffset) error {
	if len(groups) == 0 {
		return nil
	}
	id, epoch, err := cl.ProducerID(ctx)
	if err != nil {
		return err
	}
	for group, topics := range groups {
		add := kmsg.NewPtrAddOffsetsToTxnRequest()
		add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = versionsTransactionalID, id, epoch, group
		added, err := add.RequestWith(ctx, cl)
		if err == nil {
			err = kerr.ErrorForCode(added.ErrorCode)
		}
		if err != nil {
			return fmt.Errorf("offsets of group %s: %w", group, Named(err, "READ", "", group, versionsTransactionalID))
		}
		if err := commitGroup(ctx, cl, id, epoch, group, topics); err != nil {
			return fmt.Errorf("offsets of group %s: %w", group, err)
		}
	}
	return nil
}

func commitGroup(ctx context.Context, cl *kgo.Client, id int64, epoch int16, group string, topics map[string][]schema.PartitionOffset) error {
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch, commit.Group = versionsTransactionalID, id, epoch, group
	for name, offsets := range topics {
		topic := kmsg.NewTxnOffsetCommitRequestTopic()
		topic.Topic = name
		for _, o := range offsets {
			partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			partition.Partition, partition.Offset = o.Partition, o.Offset
			topic.Partitions = append(topic.Partitions, partition)
		}
		commit.Topics = append(commit.Topics, topic)
	}
	done, err := commit.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	var errs []error
	for _, topic := range done.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				errs = append(errs, fmt.Errorf("%s partition %d: %w", topic.Topic, p.Partition, Named(err, "READ", topic.Topic, group, versionsTransactionalID)))
			}
		}
	}
	return errors.Join(errs...)
}
