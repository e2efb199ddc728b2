package clickhouse

import (
	"context"
	"fmt"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"

	"aftershock/sinks"
)

// Deferred is the sink of crashes that the door's rules deferred: analysts see how many
// there are. Its rows come from sinks.Deferred.
type Deferred struct{ DB *DB }

var _ sinks.Sink = Deferred{}

var deferredRows = newTable(Population{}, "aftershock.deferred_rows",
	column{"day", one(days, func(r *row) time.Time { return r.day })},
	column{"crash_id", one(text, func(r *row) string { return r.p.CrashID })},
	column{"received_at", one(milliseconds, func(r *row) time.Time { return r.p.ReceivedAt })},
	column{"kind", one(word, func(r *row) string { return r.p.Kind })},
	column{"throttle_rule", one(word, func(r *row) string { return r.p.ThrottleRule })},
	column{"throttle_rate", one(float64s, func(r *row) float64 { return r.p.ThrottleRate })},
	column{"ver", one(uint128s, func(r *row) chproto.UInt128 { return version(0, r.p.Raw.Offset) })},
)

// Write stores the rows.
func (d Deferred) Write(ctx context.Context, in []sinks.Row) error {
	if len(in) == 0 {
		return nil
	}
	rows := make([]row, len(in))
	for i := range in {
		p := in[i].Processed
		rows[i] = row{p: p, at: in[i].Position, day: crashDay(p.CrashID)}
	}
	if err := d.DB.insert(ctx, deferredRows, rows); err != nil {
		return fmt.Errorf("insert into %s: %w", deferredRows.name, refused(err))
	}
	return nil
}
