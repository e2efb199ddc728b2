package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// handover is how long the last commit may still come that was made under a state
// which has just ended: a member looks at the log, may be halted until brokers are about
// to expel it, and then has its transaction's time.
const handover = currentAge + sessionTimeout + transactionTimeout

// Handover waits, if a group has committed nothing yet, until nothing can come any more
// that others commit under the state before. ready is told that this is no fault; it may
// be nil.
func (k Kafka) Handover(ctx context.Context, group, topic string, ready func(error)) error {
	cl, err := kgo.NewClient(k.Options()...)
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	defer cl.Close()
	begun, err := begun(ctx, kadm.NewClient(cl), group, topic)
	if err != nil {
		return Named(err, "READ", topic, group, "")
	}
	if begun {
		return nil // who committed has waited
	}
	if ready != nil {
		ready(nil)
	}
	select {
	case <-ctx.Done():
	case <-time.After(handover):
	}
	return nil
}

// begun tells whether a group has committed anything of a topic.
func begun(ctx context.Context, admin *kadm.Client, group, topic string) (bool, error) {
	found, err := admin.FetchOffsetsForTopics(ctx, group, topic)
	if err == nil {
		err = found.Error()
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("how far %s has come: %w", group, err)
	}
	has := false
	found.Each(func(o kadm.OffsetResponse) { has = has || o.At >= 0 }) // a partition without an offset is listed as well
	return has, nil
}
