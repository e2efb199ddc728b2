package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// CreateTopics makes the topics that do not exist, with their settings, and waits
// until all are served.
// Existing ones are left as they are, and a keyed one gets as many partitions as
// crash.raw has.
func CreateTopics(ctx context.Context, k Kafka, replication int16, topics ...schema.Topic) error {
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	keyed, err := rawPartitions(ctx, admin)
	if err != nil {
		return err
	}
	for _, t := range topics {
		if keyed > 0 && schema.Keyed(t.Name) {
			t.Partitions = keyed
		}
		inSync := strconv.Itoa(inSync(int(replication)))
		settings := map[string]*string{"min.insync.replicas": &inSync}
		for name, value := range t.Settings {
			settings[name] = &value
		}
		res, err := admin.CreateTopic(ctx, t.Partitions, replication, settings, t.Name)
		if err == nil {
			err = res.Err
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", t.Name, reached(Named(err, "CREATE", t.Name, "", "")))
		}
	}
	return awaitTopics(ctx, admin, topics)
}

// rawPartitions is how many partitions crash.raw has, 0 before it exists: a crash
// and its results must lie in the same one, whatever is asked for later.
func rawPartitions(ctx context.Context, admin *kadm.Client) (int32, error) {
	details, err := admin.ListTopics(ctx, schema.TopicRaw)
	if err != nil {
		return 0, fmt.Errorf("create topics: %w", reached(Named(err, "DESCRIBE", schema.TopicRaw, "", "")))
	}
	return int32(len(details[schema.TopicRaw].Partitions)), nil
}

// Brokers answer that a topic was created before they serve it.
const (
	topicsDeadline = 30 * time.Second
	topicsPause    = 50 * time.Millisecond
)

// awaitTopics waits until every partition has a leader.
func awaitTopics(ctx context.Context, admin *kadm.Client, topics []schema.Topic) error {
	ctx, cancel := context.WithTimeout(ctx, topicsDeadline)
	defer cancel()
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	for {
		details, err := admin.ListTopics(ctx, names...)
		if errors.Is(err, kerr.TopicAuthorizationFailed) {
			return fmt.Errorf("create topics: %w", Named(err, "DESCRIBE", strings.Join(names, ", "), "", ""))
		}
		if err == nil {
			if err = served(details); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("create topics: not served after %v: %w", topicsDeadline, err)
		case <-time.After(topicsPause):
		}
	}
}

// served tells what a topic or partition lacks.
func served(details kadm.TopicDetails) error {
	for _, t := range details {
		if t.Err != nil {
			return fmt.Errorf("%s: %w", t.Topic, t.Err)
		}
		for _, p := range t.Partitions {
			if p.Err != nil || p.Leader < 0 {
				return fmt.Errorf("%s/%d has no leader: %w", t.Topic, p.Partition, cmp.Or(p.Err, error(kerr.LeaderNotAvailable)))
			}
		}
	}
	return nil
}
