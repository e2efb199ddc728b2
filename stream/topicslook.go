package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/schema"
)

// seenTopic is a topic of the table as the cluster has it.
type seenTopic struct {
	schema.Topic
	missing    bool
	refused    error // we may not even see that it is there
	hidden     bool  // its settings are not ours to see
	partitions int
	replicas   int // of the partition that has the fewest
	settings   map[string]string
	allowed    []kmsg.ACLOperation // nil when the brokers do not say
}

// lookAt asks the brokers for each topic by itself: an answer about several has
// one error for all.
func lookAt(ctx context.Context, cl *kgo.Client, topics []schema.Topic) ([]seenTopic, error) {
	admin := kadm.NewClient(cl)
	var out []seenTopic
	for _, t := range topics {
		seen := seenTopic{Topic: t}
		meta, err := admin.Metadata(kadm.WithAuthorizedOps(ctx), t.Name)
		if errors.Is(err, kerr.TopicAuthorizationFailed) {
			seen.refused = err
			out = append(out, seen)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", t.Name, reached(err))
		}
		details := meta.Topics[t.Name]
		if seen.missing = errors.Is(details.Err, kerr.UnknownTopicOrPartition); seen.missing {
			out = append(out, seen)
			continue
		}
		if details.Err != nil {
			return nil, fmt.Errorf("look at %s: %w", t.Name, details.Err)
		}
		seen.allowed, seen.partitions = details.AuthorizedOperations, len(details.Partitions)
		for i, p := range details.Partitions.Sorted() {
			if i == 0 || len(p.Replicas) < seen.replicas {
				seen.replicas = len(p.Replicas)
			}
		}
		configs, err := admin.DescribeTopicConfigs(ctx, t.Name)
		if err == nil && len(configs) == 1 {
			err = configs[0].Err
		}
		switch {
		case errors.Is(err, kerr.TopicAuthorizationFailed):
			seen.hidden = true
		case err != nil:
			return nil, fmt.Errorf("look at %s: %w", t.Name, err)
		case len(configs) == 1:
			seen.settings = values(configs[0].Configs)
		}
		out = append(out, seen)
	}
	return out, nil
}
