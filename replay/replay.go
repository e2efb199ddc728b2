// Package replay makes a new signature version beside the one that is seen,
// compares the two, and changes what is seen: plan, start, promote, roll back,
// drop.
//
// All of it are events of the versions log (stream.Operate). What an event says
// after an operation is decided by pure functions of the state before
// (decide.go, activation.go); what an operator waits for in between is in
// promote.go, reopen.go and drop.go. An operator can be killed at any moment: the
// log says what was begun, and the same command goes on with it.
//
// The fleet follows the log and needs nothing else: see package stream.
package replay

import (
	"time"

	"github.com/rs/zerolog"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// Operator does operations. It is safe for concurrent use; the versions log lets
// one operation win.
type Operator struct {
	Kafka stream.Kafka
	// DB is needed to promote and to drop.
	DB *clickhouse.DB
	// Who and Why are written into the log.
	Who, Why string
	// Now is the time of an event.
	Now func() time.Time
	// Tell says what is waited for, in words for people; may be nil.
	Tell func(text string)
	Log  zerolog.Logger
}

func (o *Operator) tell(text string) {
	if o.Tell != nil {
		o.Tell(text)
	}
}

// stamp makes an event the operator's.
func (o *Operator) stamp(e *schema.VersionEvent, operation string, subject int32) *schema.VersionEvent {
	e.Operation, e.Subject = operation, subject
	e.Who, e.Why, e.At = o.Who, o.Why, o.Now().UTC().Truncate(time.Millisecond)
	return e
}
