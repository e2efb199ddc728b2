// Package spool keeps raw crashes on the local disk while the broker is away:
// a client that crashed sends its report once.
//
// Spool.Append (append.go) gives a raw crash to the broker, or to the folder when
// the broker does not take it in time. Spool.Run (drain.go) moves what lies in the
// folder to the broker, oldest first. folder.go is the folder, with what must
// happen in which order for a crash to survive a kill; file.go is a file's form.
//
// Delivery is at least once: whoever dies between the broker's acknowledgement and
// the file's removal sends the crash again. Both records have the crash's id, and
// what follows counts the first.
package spool

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// ErrRefused is wrapped by an error of Produce that is about the record itself:
// the broker is there, and will never take it.
var ErrRefused = errors.New("the broker refuses the record")

// Record is a raw crash as it lies in the raw topic.
type Record struct {
	CrashID    string
	ReceivedAt time.Time // in milliseconds
	Event      []byte    // the encoded crash
}

// Options of a Spool. Dir, Bytes, Produce and Now must be set.
type Options struct {
	// Dir is the folder, of this process alone. It is made if need be; an existing
	// one must be empty or a spool's.
	Dir string
	// Bytes bounds what the folder holds on the disk, MinBytes at least.
	Bytes int64
	// Produce appends a record to the raw topic and calls promise once, from any
	// goroutine: with nil when all replicas have it, or when it is certain that
	// this call will not append it any more. A record that has not been sent
	// when ctx ends is given up; one that was sent stays in doubt until the broker
	// is back.
	Produce func(ctx context.Context, r Record, promise func(error))
	// Ready is told whether the spool can take a crash; may be nil.
	Ready   func(error)
	Now     func() time.Time
	Metrics *Metrics
	Log     zerolog.Logger
}

// Spool is safe for concurrent use.
type Spool struct {
	o      Options
	folder *folder
	// away: the broker did not take the last crash. It is tried again by Run, not
	// at the cost of the clients that wait for an answer.
	away atomic.Bool
	wake chan struct{} // something for Run
}

// Open locks the folder and looks at what was left in it. Until Run is called,
// every crash goes to the folder.
func Open(o Options) (*Spool, error) {
	if o.Ready == nil {
		o.Ready = func(error) {}
	}
	s := &Spool{o: o, wake: make(chan struct{}, 1)}
	var err error
	if s.folder, err = openFolder(o); err != nil {
		return nil, err
	}
	s.away.Store(true)
	o.Ready(nil)
	return s, nil
}

// Close lets another process have the folder. What is in it stays.
func (s *Spool) Close() error { return s.folder.unlock() }
