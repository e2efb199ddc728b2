package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// EachCommitted hands every record of a topic that is committed when it is called
// to each, those of a partition in their order, until each fails. It fails too
// unless it has seen all of them: whoever asks what a topic does not name must
// know the whole topic.
func EachCommitted(ctx context.Context, k Kafka, topic string, each func(*kgo.Record) error) error {
	return EachSince(ctx, k, topic, time.Time{}, each)
}

// KeptForever is the Retention of a topic whose records do not expire.
const KeptForever = time.Duration(math.MaxInt64)

// Retention is how long a topic keeps a record, by the brokers' settings. Segments
// expire as a whole, so that most records stay longer.
func Retention(ctx context.Context, k Kafka, topic string) (time.Duration, error) {
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		return 0, fmt.Errorf("retention of %s: %w", topic, err)
	}
	defer cl.Close()
	all, err := kadm.NewClient(cl).DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("retention of %s: %w", topic, err)
	}
	settings, err := all.On(topic, nil)
	if err = errors.Join(err, settings.Err); err != nil {
		return 0, fmt.Errorf("retention of %s: %w", topic, err)
	}
	for _, s := range settings.Configs {
		if s.Key != "retention.ms" || s.Value == nil {
			continue
		}
		millis, err := strconv.ParseInt(*s.Value, 10, 64)
		switch {
		case err != nil:
			return 0, fmt.Errorf("retention of %s: %w", topic, err)
		case millis < 0 || millis > KeptForever.Milliseconds():
			return KeptForever, nil
		}
		return time.Duration(millis) * time.Millisecond, nil
	}
	return 0, fmt.Errorf("retention of %s: the brokers do not tell retention.ms", topic)
}
