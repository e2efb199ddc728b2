package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"aftershock/schema"
)

// Activate makes the views show what the activation says, from one query to the
// next. Projecting the same activation again, or an older one, changes nothing.
func (db *DB) Activate(ctx context.Context, a schema.Activation) error {
	ranges := make([]any, len(a.Ranges))
	for i, r := range a.Ranges {
		ranges[i] = []any{r.From.UTC(), r.To.UTC(), uint32(r.SignatureVersion)}
	}
	err := db.batch(ctx, "INSERT INTO aftershock.activation (epoch, ranges)", func(add func(...any) error) error {
		return add(uint64(a.Epoch), ranges)
	})
	if err != nil {
		return fmt.Errorf("activation: %w", err)
	}
	return nil
}

// Epoch is that of the activation which the views show; 0 before the first.
func (db *DB) Epoch(ctx context.Context) (int64, error) {
	var epoch uint64
	if err := db.conn.QueryRow(ctx, "SELECT max(epoch) FROM aftershock.activation").Scan(&epoch); err != nil {
		return 0, fmt.Errorf("activation: %w", err)
	}
	return int64(epoch), nil
}

// ErrProjection is wrapped when the views do not show what the activation says.
var ErrProjection = errors.New("the views show another activation than the versions log")

// Shows returns an error that wraps ErrProjection unless the views show the activation. One
// with a higher epoch than the log's stays: nothing that the log has can take its place.
func (db *DB) Shows(ctx context.Context, a schema.Activation) error {
	var epoch uint64
	var ranges [][]any
	if err := db.conn.QueryRow(ctx, "SELECT max(epoch), argMax(ranges, epoch) FROM aftershock.activation").Scan(&epoch, &ranges); err != nil {
		return fmt.Errorf("activation: %w", err)
	}
	same := slices.EqualFunc(ranges, a.Ranges, func(have []any, want schema.ActiveRange) bool {
		from, _ := have[0].(time.Time)
		to, _ := have[1].(time.Time)
		return from.Equal(want.From) && to.Equal(want.To) && have[2] == uint32(want.SignatureVersion)
	})
	switch {
	case epoch == 0:
		return fmt.Errorf("%w: none, it says epoch %d", ErrProjection, a.Epoch)
	case int64(epoch) != a.Epoch:
		return fmt.Errorf("%w: epoch %d, it says %d", ErrProjection, epoch, a.Epoch)
	case !same:
		return fmt.Errorf("%w: of epoch %d, but with other ranges", ErrProjection, epoch)
	}
	return nil
}
