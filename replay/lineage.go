package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// maxLineages is how many promotions' lineages are made up for at a time, of those that
// an operator left without one because it was killed.
const maxLineages = 5

// keepLineage keeps what the last promotions made of the signatures of reports. Pings have
// no lineage: they get their signatures from the same rules, and whatever is kept per
// signature is kept of reports. It comes after them and
// changes nothing of what is seen: where it fails, that is told, and the next promotion
// makes up for it. One that changed more pairs of signatures than can be counted has no
// lineage: whoever sends crashes can make signatures, and must not stop an operator.
func (o *Operator) keepLineage(ctx context.Context) {
	todo, err := o.withoutLineage(ctx)
	for _, p := range todo[max(0, len(todo)-maxLineages):] {
		if err != nil {
			break
		}
		err = storeLineage(ctx, o.DB, p.epoch, p.moves)
		if errors.Is(err, ErrTooManyPairs) {
			o.tell(fmt.Sprintf("what became of signatures at epoch %d is not kept: there are too many pairs", p.epoch))
			err = storeLineage(ctx, o.DB, p.epoch, nil)
		}
	}
	if err != nil {
		o.tell(fmt.Sprintf("what became of signatures is not kept yet, the next promotion does it: %v", err))
	}
}

// flip is a change of the activation.
type flip struct {
	epoch int64
	moves []change
}

// withoutLineage are the changes of the activation, in their order, of which no lineage is
// kept and could be.
func (o *Operator) withoutLineage(ctx context.Context) ([]flip, error) {
	kept, err := o.keptLineages(ctx)
	if err != nil {
		return nil, err
	}
	var all []flip
	var last *schema.VersionEvent
	err = o.since(ctx, time.Time{}, func(event *schema.VersionEvent) {
		if last != nil && event.Activation.Epoch > last.Activation.Epoch {
			all = append(all, flip{event.Activation.Epoch, changes(last.Activation.Ranges, event.Activation.Ranges)})
		}
		last = event
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(f flip) bool {
		return kept[f.epoch] || slices.ContainsFunc(slices.Concat(winners(f.moves), losers(f.moves)), func(n int32) bool {
			v := last.Version(n)
			return v == nil || v.Gone()
		})
	}), nil
}

// keptLineages are the epochs of which a lineage is kept.
func (o *Operator) keptLineages(ctx context.Context) (map[int64]bool, error) {
	rows, err := o.DB.Query(ctx, promotionLimits, "SELECT DISTINCT toInt64(epoch) FROM aftershock.signature_lineage WHERE complete = 1")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	kept := map[int64]bool{}
	for rows.Next() {
		var epoch int64
		if err := rows.Scan(&epoch); err != nil {
			return nil, err
		}
		kept[epoch] = true
	}
	return kept, rows.Err()
}

// storeLineage keeps what changes of the activation make of signatures (table
// aftershock.lineage), so that what is kept per signature can follow it. To store it again
// changes nothing; it counts from the moment that the views show the epoch.
func storeLineage(ctx context.Context, db *clickhouse.DB, epoch int64, of []change) error {
	rows := newLineageRows(epoch, time.Now())
	for _, c := range of {
		if c.loser == 0 || c.winner == 0 {
			continue // nothing was seen there, or is
		}
		if err := rows.add(ctx, db, c); err != nil {
			return fmt.Errorf("lineage from signature version %d to %d: %w", c.loser, c.winner, err)
		}
	}
	if err := rows.store(ctx, db); err != nil {
		return fmt.Errorf("lineage: %w", err)
	}
	return nil
}

// Descent is crashes of one signature that have another one, or the same, since a
// promotion.
type Descent struct {
	FromVersion int32
	ToVersion   int32
	Old, New    string
	Crashes     int64
	// Majority: most of the crashes of Old have New.
	Majority  bool
	FirstSeen time.Time
}

// descents are those of the pairs of which one signature changed: all of those that
// an old signature became, and of those that came to a new one. Names decide ties.
func descents(from, to int32, cells []cell, firstSeen map[string]time.Time) []Descent {
	sums := map[[2]string]int64{}
	for _, c := range cells {
		if c.from != nil && c.to != nil {
			sums[[2]string{*c.from, *c.to}] += c.crashes
		}
	}
	left, reached, most := map[string]bool{}, map[string]bool{}, map[string]string{}
	for pair, crashes := range sums {
		if pair[0] != pair[1] {
			left[pair[0]], reached[pair[1]] = true, true
		}
		now, ok := most[pair[0]]
		if before := sums[[2]string{pair[0], now}]; !ok || crashes > before || crashes == before && pair[1] < now {
			most[pair[0]] = pair[1]
		}
	}
	var out []Descent
	for pair, crashes := range sums {
		if left[pair[0]] || reached[pair[1]] {
			out = append(out, Descent{from, to, pair[0], pair[1], crashes, most[pair[0]] == pair[1], firstSeen[pair[0]]})
		}
	}
	slices.SortFunc(out, func(a, b Descent) int { return cmp.Or(cmp.Compare(a.Old, b.Old), cmp.Compare(a.New, b.New)) })
	return out
}

// lineageRows are the batch that is being made.
type lineageRows struct {
	epoch int64
	batch uint64
	rows  []Descent
}

func newLineageRows(epoch int64, now time.Time) *lineageRows {
	return &lineageRows{epoch: epoch, batch: uint64(now.UnixNano())}
}

// add counts what one version loses to another.
func (l *lineageRows) add(ctx context.Context, db *clickhouse.DB, c change) error {
	q := DiffQuery{
		exact: true,
		A:     &schema.SignatureVersion{Number: c.loser}, B: &schema.SignatureVersion{Number: c.winner}, From: c.from, To: c.to, Limits: promotionLimits,
	}
	cells, _, err := q.cells(ctx, db, &c.from, &c.to)
	if err != nil {
		return err
	}
	first, err := firstSeen(ctx, db, c.loser)
	if err != nil {
		return err
	}
	l.rows = append(l.rows, descents(c.loser, c.winner, cells, first)...)
	return nil
}

// firstSeen is when the first crash of each of a version's signatures was received.
func firstSeen(ctx context.Context, db *clickhouse.DB, version int32) (map[string]time.Time, error) {
	rows, err := db.Query(ctx, promotionLimits, fmt.Sprintf("SELECT signature, min(received_at) FROM %s WHERE signature_version = %d GROUP BY signature", clickhouse.Reports.SQL(signaturesTable), version))
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	out := map[string]time.Time{}
	for rows.Next() {
		var name string
		var at time.Time
		if err := rows.Scan(&name, &at); err != nil {
			return nil, err
		}
		out[name] = at
	}
	return out, rows.Err()
}

// store inserts the rows, and when they are there the one that says so.
func (l *lineageRows) store(ctx context.Context, db *clickhouse.DB) error {
	const maxRows = 100_000 // an insert
	for rows := range slices.Chunk(l.rows, maxRows) {
		if err := l.insert(ctx, db, rows, 0); err != nil {
			return err
		}
	}
	return l.insert(ctx, db, []Descent{{FirstSeen: time.Unix(0, 0)}}, 1)
}

func (l *lineageRows) insert(ctx context.Context, db *clickhouse.DB, rows []Descent, complete uint8) error {
	b, err := db.Conn().PrepareBatch(ctx, "INSERT INTO aftershock.signature_lineage (epoch, batch, from_version, to_version, old_signature, new_signature, crashes, majority, first_seen, complete)")
	if err != nil {
		return err
	}
	defer b.Close() //nolint:errcheck // after Send it does nothing; before, the error is known
	for _, r := range rows {
		majority := uint8(0)
		if r.Majority {
			majority = 1
		}
		if err := b.Append(uint64(l.epoch), l.batch, uint32(r.FromVersion), uint32(r.ToVersion), r.Old, r.New, uint64(r.Crashes), majority, r.FirstSeen, complete); err != nil {
			return err
		}
	}
	return b.Send()
}
