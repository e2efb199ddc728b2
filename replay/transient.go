package replay

import (
	"context"
	"fmt"
	"strings"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// A symbol source that did not answer while a version was made must not decide what is
// seen: what it made without symbols is asked for again (stream/heal.go), and until then
// the version that has them is better.

// namedTransient is how many modules a refusal names.
const namedTransient = 10

// perhapsTransient are the winner's rows that lack symbols for a while, of any
// revision: most often there are none, and nothing else is asked.
const perhapsTransient = `SELECT day, crash_id FROM aftershock.$rows WHERE signature_version = $winner AND $range AND $recent AND $lacks`

// transientOf are the crashes whose row that is seen lacks symbols in the winner and not in
// the loser.
const transientOf = `SELECT crash_id, modules.filename AS names, modules.symbols AS outcomes FROM aftershock.$rows FINAL
    WHERE signature_version = $winner AND $range AND $lacks AND (day, crash_id) IN ($perhaps)
    AND (day, crash_id) NOT IN (SELECT day, crash_id FROM aftershock.$rows FINAL WHERE signature_version = $loser AND (day, crash_id) IN ($perhaps) AND $lacks)`

const (
	countTransient = `SELECT count() FROM (` + transientOf + `)`
	nameTransient  = `SELECT concat(o, ' of ', n) AS module, count() AS crashes FROM (` + transientOf + `)
ARRAY JOIN names AS n, outcomes AS o WHERE o IN ('timeout', 'error') GROUP BY module ORDER BY crashes DESC, module LIMIT $limit`
	lacksSymbols = "has(notes.code, '" + schema.NoteSymbolsTransient + "')"
)

// refuseTransient refuses when more crashes than are accepted, reports and pings, lack symbols
// for a while in the winner alone.
func (o *Operator) refuseTransient(ctx context.Context, moves []change, seen *look, accepted int64) error {
	var count uint64
	var named []string
	for _, c := range moves {
		if c.loser == 0 || c.winner == 0 {
			continue
		}
		for _, p := range clickhouse.Populations {
			n, some, err := c.transient(ctx, o.DB, p, seen, namedTransient-len(named))
			if err != nil {
				return fmt.Errorf("%s of signature version %d that lack symbols: %w", p.View, c.winner, err)
			}
			count += n
			named = append(named, some...)
		}
	}
	if int64(count) <= accepted {
		return nil
	}
	return fmt.Errorf("%w: %d in the new version; they are made again by themselves when the symbol sources are well, then promote again (--accept-transient %d shows them as they are):\n  %s",
		ErrTransient, count, count, strings.Join(named, "\n  "))
}

// transient counts those of a population, and names at most limit modules.
func (c *change) transient(ctx context.Context, db *clickhouse.DB, p clickhouse.Population, seen *look, limit int) (count uint64, named []string, err error) {
	fill := strings.NewReplacer("$recent", seen.recent(c.winner), "$lacks", lacksSymbols)
	perhaps := fill.Replace(perhapsTransient)
	exact := strings.NewReplacer("$perhaps", perhaps, "$lacks", lacksSymbols)
	count, err = c.count(ctx, db, p, "SELECT count() FROM ("+perhaps+")", chunk{})
	if err == nil && count > 0 {
		count, err = c.count(ctx, db, p, exact.Replace(countTransient), chunk{})
	}
	if err == nil && count > 0 && limit > 0 {
		named, err = c.modules(ctx, db, p, exact.Replace(nameTransient), limit)
	}
	return count, named, err
}

// modules names those of which the most crashes lack symbols.
func (c *change) modules(ctx context.Context, db *clickhouse.DB, p clickhouse.Population, query string, limit int) (named []string, err error) {
	rows, err := db.Query(ctx, promotionLimits, c.sql(p, query, chunk{}, limit))
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		var module string
		var crashes uint64
		if err := rows.Scan(&module, &crashes); err != nil {
			return nil, err
		}
		named = append(named, fmt.Sprintf("%s: %d %s", module, crashes, p.View))
	}
	return named, rows.Err()
}
