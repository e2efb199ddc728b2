package spool

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Run gives what lies in the folder to the broker, oldest first, until ctx is
// done. New crashes do not wait for it: once the broker has taken one they go there
// directly. Crashes have no order among each other: each has an id of its own.
func (s *Spool) Run(ctx context.Context) {
	for ctx.Err() == nil {
		moved := s.drain(ctx)
		switch {
		case s.folder.empty():
			// Whether the broker and the disk are there, the next crash will tell.
			s.here()
			s.o.Ready(nil)
			select {
			case <-ctx.Done():
			case <-s.wake:
			}
		case !moved:
			select {
			case <-ctx.Done():
			case <-time.After(drainPause):
			}
		}
	}
}

// here lets new crashes go to the broker directly.
func (s *Spool) here() {
	if s.away.Swap(false) {
		s.o.Log.Info().Msg("crashes go to the broker")
	}
}

// drain gives the oldest crashes to the broker and removes what it has. It tells
// whether anything moved.
func (s *Spool) drain(ctx context.Context) (moved bool) {
	entries := s.folder.oldest(func(e *entry) bool { return !e.stuck && !e.alone && e.settled() })
	if len(entries) == 0 {
		entries = s.folder.oldest(func(e *entry) bool { return !e.stuck && e.alone && e.settled() })
		entries = entries[:min(1, len(entries))]
	}
	ctx, cancel := context.WithTimeout(ctx, brokerDeadline)
	defer cancel()
	for _, e := range entries {
		if e.sent {
			continue
		}
		r, err := s.folder.read(e)
		switch {
		case err == nil:
			e.doubt = s.produce(ctx, r)
		case errors.Is(err, fs.ErrNotExist):
			s.o.Metrics.failed(failedRead)
			s.o.Log.Error().Str("crash_id", e.crashID).Msg("spool: somebody removed a crash that was not sent")
			s.folder.forget(map[*entry]bool{e: true}, true)
		default:
			s.o.Metrics.failed(failedRead)
			s.folder.setAside(e, err.Error())
		}
	}
	var sent []*entry
	for _, e := range entries {
		if e.doubt != nil {
			s.wait(ctx, e, len(entries) == 1)
		}
		if e.sent {
			sent = append(sent, e)
		}
	}
	if len(sent) == 0 {
		return false
	}
	s.here()
	if err := s.folder.remove(sent); err != nil {
		s.o.Metrics.failed(failedRemove)
		s.o.Log.Error().Err(err).Msg("spool: crashes that the broker has cannot be removed")
		return false
	}
	s.o.Metrics.drained(len(sent))
	s.o.Ready(nil)
	return true
}

// settled tells whether it is known of a crash that the broker took it, or that it
// must be sent. One in doubt is left alone: the client sends it itself when the
// broker is back, and a second record would be one too many.
func (e *entry) settled() bool {
	if e.doubt == nil {
		return true
	}
	select {
	case err := <-e.doubt:
		e.doubt, e.sent = nil, err == nil
		return true
	default:
		return false
	}
}

// wait looks what became of a crash that was just sent, alone or with others.
func (s *Spool) wait(ctx context.Context, e *entry, alone bool) {
	var err error
	select {
	case err = <-e.doubt:
		e.doubt, e.sent = nil, err == nil
	case <-ctx.Done():
		err = ctx.Err()
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrRefused):
		s.o.Metrics.failed(failedRefused)
		if e.alone = true; alone {
			s.folder.setAside(e, err.Error())
		}
	default:
		s.o.Metrics.failed(failedSend)
		s.o.Log.Debug().Err(err).Str("crash_id", e.crashID).Msg("spool: not sent, trying again")
	}
}
