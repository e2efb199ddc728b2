package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// CreateTopics makes the topics that do not exist, with their settings.
// Existing ones are left as they are.
func CreateTopics(ctx context.Context, k Kafka, replication int16, topics ...schema.Topic) error {
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	for _, t := range topics {
		settings := make(map[string]*string, len(t.Settings))
		for name, value := range t.Settings {
			settings[name] = &value
		}
		res, err := admin.CreateTopic(ctx, t.Partitions, replication, settings, t.Name)
		if err == nil {
			err = res.Err
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
	}
	return nil
}
