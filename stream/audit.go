package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// auditTime bounds how long somebody waits for an audit event to be kept.
const auditTime = 10 * time.Second

// ErrAuditLate says that no broker has taken an audit event in time. It may still come to be kept, of
// something that was not shown.
var ErrAuditLate = errors.New("the brokers did not take it in time")

// Audit keeps audit events in crash.audit. It is safe for concurrent use.
type Audit struct {
	kafka    Kafka
	producer *kgo.Client
}

// NewAudit connects when it is first used. Close it.
func NewAudit(k Kafka) (*Audit, error) {
	producer, err := k.Producer()
	if err != nil {
		return nil, err
	}
	return &Audit{k, producer}, nil
}

// Close gives up what is under way.
func (a *Audit) Close() { a.producer.Close() }

// Keep returns when all replicas have the event.
func (a *Audit) Keep(ctx context.Context, e *schema.AuditEvent) error {
	value, err := schema.Encode(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, auditTime)
	defer cancel()
	kept := make(chan error, 1)
	// A record whose context ends fails those behind it: whoever stops waiting leaves it its own.
	// A full buffer is told at once.
	a.producer.TryProduce(context.WithoutCancel(ctx), &kgo.Record{Topic: schema.TopicAudit, Key: []byte(e.Who), Value: value}, func(_ *kgo.Record, err error) { kept <- err })
	select {
	case err = <-kept:
		err = Named(err, "WRITE", schema.TopicAudit, "", "")
	case <-ctx.Done():
		err = ErrAuditLate
	}
	if err != nil {
		return fmt.Errorf("append to %s: %w", schema.TopicAudit, err)
	}
	return nil
}

// Newest are the last n events at most, newest first. What this release cannot read is left out.
func (a *Audit) Newest(ctx context.Context, n int) (events []schema.AuditEvent, err error) {
	err = Last(ctx, a.kafka, schema.TopicAudit, int64(n), func(r *kgo.Record) error {
		if e, err := schema.Decode[schema.AuditEvent](r.Value); err == nil {
			events = append(events, *e)
		}
		return nil
	})
	slices.Reverse(events)
	return events, Named(err, "READ", schema.TopicAudit, "", "")
}
