package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Losses are the partitions of a group whose offsets are out of range: records are gone
// that were never consumed, or the topic was made anew. A consumer must not rewind or skip
// by itself, and need not stop either: it lets those partitions rest, is not ready, and
// goes on with the others, until an operator has decided (aftershock topics repair).
// It is one member's, and safe for concurrent use.
type Losses struct {
	group, topic string
	log          zerolog.Logger
	metrics      *KafkaMetrics

	mu    sync.Mutex
	parts map[int32]int64 // what the group had committed when it was noticed
	asked time.Time
}

// lossLook is between looks at whether somebody has decided.
const lossLook = 5 * time.Second

// errRepaired ends a session: its offsets are others now.
var errRepaired = errors.New("an operator has set offsets of partitions that were out of range")

// NewLosses are a member's, none yet.
func (k Kafka) NewLosses(group, topic string, log zerolog.Logger) *Losses {
	return &Losses{group: group, topic: topic, log: log, metrics: k.Metrics, parts: map[int32]int64{}}
}

// Err wraps ErrDataLoss while partitions rest.
func (l *Losses) Err() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.parts) == 0 {
		return nil
	}
	return fmt.Errorf("group %s, %d partitions: %w", l.group, len(l.parts), ErrDataLoss)
}

// Patience bounds a poll, so that decisions are noticed; the caller calls cancel. While
// nothing is lost it bounds nothing.
func (l *Losses) Patience(ctx context.Context) (poll context.Context, cancel context.CancelFunc) {
	if l.Err() == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, lossLook)
}

// Look takes the errors of a poll that are about offsets out of range, and returns the first
// other one: poll's own end is none. It also returns an error when somebody has decided
// about a partition: then the member begins anew.
func (l *Losses) Look(ctx, poll context.Context, cl *kgo.Client, fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		switch {
		case errors.Is(e.Err, kerr.OffsetOutOfRange):
			if err := l.lose(ctx, cl, e.Partition); err != nil {
				return err
			}
		case ctx.Err() == nil && poll.Err() != nil && errors.Is(e.Err, poll.Err()):
		default:
			return fmt.Errorf("fetch %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return l.repaired(ctx, cl)
}

// lose lets a partition rest.
func (l *Losses) lose(ctx context.Context, cl *kgo.Client, partition int32) error {
	cl.PauseFetchPartitions(map[string][]int32{l.topic: {partition}})
	at, err := groupOffsets(ctx, kadm.NewClient(cl), l.group, l.topic)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.parts[partition]; known {
		return nil
	}
	committed, ok := at[partition]
	if !ok {
		committed = -1
	}
	l.parts[partition], l.asked = committed, time.Now()
	l.metrics.lost(l.group, len(l.parts))
	l.log.Error().Err(ErrDataLoss).Str("group", l.group).Str("topic", l.topic).Int32("partition", partition).Int64("offset", committed).
		Msg("this partition rests until somebody has decided: aftershock topics repair tells what is gone")
	return nil
}

// repaired returns errRepaired when the group's offset of a partition that rests has
// changed.
func (l *Losses) repaired(ctx context.Context, cl *kgo.Client) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.parts) == 0 || time.Since(l.asked) < lossLook {
		return nil
	}
	l.asked = time.Now()
	at, err := groupOffsets(ctx, kadm.NewClient(cl), l.group, l.topic)
	if err != nil {
		return nil
	}
	for p, was := range l.parts {
		if is, ok := at[p]; ok && is != was {
			l.metrics.lost(l.group, 0)
			return errRepaired
		}
	}
	return nil
}

// Repaired tells whether an error of Look says that the member is to begin anew.
func Repaired(err error) bool { return errors.Is(err, errRepaired) }
