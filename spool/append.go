package spool

import (
	"context"
	"errors"
	"fmt"

	"aftershock/schema"
)

// Append returns nil when the crash is safe: acknowledged by the broker, or in
// the folder. It waits for the broker brokerDeadline at most, and not at all while
// the broker is known to be away. An error that wraps ErrRefused is the broker's
// about this crash; one that wraps ErrFull says that nobody has room for it.
//
// A client that leaves meanwhile changes nothing: to cancel its record could
// fail those of others behind it.
func (s *Spool) Append(ctx context.Context, raw *schema.RawCrash) error {
	event, err := schema.Encode(raw)
	if err != nil {
		return err
	}
	r := Record{CrashID: raw.CrashID, ReceivedAt: raw.ReceivedAt, Event: event}
	if s.away.Load() {
		return s.put(r, nil)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), brokerDeadline)
	defer cancel()
	doubt := s.produce(ctx, r)
	select {
	case err = <-doubt:
		doubt = nil // it is certain
	case <-ctx.Done():
		err = ctx.Err()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrRefused):
		return err
	}
	if !s.away.Swap(true) {
		s.o.Log.Warn().Err(err).Msg("the broker does not take crashes: they go to the spool until it does")
	}
	return s.put(r, doubt)
}

// produce gives a record to the broker; the channel tells what became of it.
func (s *Spool) produce(ctx context.Context, r Record) <-chan error {
	result := make(chan error, 1)
	s.o.Produce(ctx, r, func(err error) { result <- err })
	return result
}

// put stores a crash in the folder, with the doubt whether the broker has it too.
func (s *Spool) put(r Record, doubt <-chan error) error {
	err := s.folder.put(r, doubt)
	s.o.Ready(err)
	if err == nil {
		s.o.Metrics.spooled()
	} else {
		s.o.Metrics.failed(failedStore)
		err = fmt.Errorf("the broker is away, and %w", err)
	}
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
	return err
}
