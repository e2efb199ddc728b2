package replay

import (
	"context"
	"errors"
	"fmt"

	"aftershock/schema"
)

// ErrMissing is wrapped when crashes would vanish from what is seen.
var ErrMissing = errors.New("crashes that are seen would vanish")

// complete tells how many crashes that are seen now have no row in the version that
// is to be seen instead, and refuses more than are accepted.
func (o *Operator) complete(ctx context.Context, moves []change, opts PromoteOptions) (missing int64, err error) {
	for _, c := range moves {
		if c.loser == 0 {
			continue
		}
		rows, err := o.DB.Conn().Query(ctx, `SELECT count() FROM (SELECT DISTINCT day, crash_id FROM aftershock.crash_rows WHERE signature_version = ? AND received_at >= ? AND received_at < ?) AS a
			LEFT ANTI JOIN (SELECT day, crash_id FROM aftershock.crash_rows WHERE signature_version = ?) AS b USING (day, crash_id)`, uint32(c.loser), c.from, c.to, uint32(c.winner))
		if err != nil {
			return 0, err
		}
		defer rows.Close() //nolint:errcheck // read
		for rows.Next() {
			var n uint64
			if err := rows.Scan(&n); err != nil {
				return 0, err
			}
			missing += int64(n)
		}
		if err := rows.Err(); err != nil {
			return 0, err
		}
	}
	if missing > opts.AcceptMissing {
		return missing, fmt.Errorf("%w: %d have no row in the new version", ErrMissing, missing)
	}
	return missing, nil
}

func (o *Operator) lineage(context.Context, *schema.VersionEvent) error { return nil }
