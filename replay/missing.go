package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// Promotion is that one version is to be seen for a range of received_at, half
// open, instead of what is seen Before.
type Promotion struct {
	Epoch    int64 // of the activation that comes of it
	From, To time.Time
	Before   []schema.ActiveRange
	Version  int32
}

// changes are what versions lose to the promoted one.
func (p *Promotion) changes() (out []change) {
	for _, r := range p.Before {
		c := change{later(r.From, p.From), earlier(r.To, p.To), r.SignatureVersion, p.Version}
		if c.loser != c.winner && c.from.Before(c.to) {
			out = append(out, c)
		}
	}
	return out
}

// MissingCrash is a crash that would vanish from what is seen.
type MissingCrash struct {
	CrashID string
	// Version is the one that shows it.
	Version int32
	Raw     schema.Position
}

// MaxMissing is how many crashes may be asked for by name.
const MaxMissing = 10_000

// Bounds of each query that a promotion asks.
const (
	promotionMemory = 1536 << 20
	promotionTime   = time.Hour
)

var promotionLimits = clickhouse.Limits{MemoryBytes: promotionMemory, Time: promotionTime}

// Missing counts the crashes that are seen in another version and have no row in
// the promoted one, and names the first of them, at most limit, ordered by day and
// crash id. It asks the tables that the views show: what is stored counts at once.
func Missing(ctx context.Context, db *clickhouse.DB, p Promotion, limit int) (count int64, first []MissingCrash, err error) {
	return missing(ctx, db, p.changes(), limit)
}

func missing(ctx context.Context, db *clickhouse.DB, of []change, limit int) (count int64, first []MissingCrash, err error) {
	if limit < 0 || limit > MaxMissing {
		return 0, nil, fmt.Errorf("%d missing crashes: want 0 to %d", limit, MaxMissing)
	}
	for _, c := range of {
		if c.loser == 0 {
			continue // nothing is seen there
		}
		n, some, err := c.missing(ctx, db, limit)
		if err != nil {
			return 0, nil, fmt.Errorf("crashes of signature version %d that %d lacks: %w", c.loser, c.winner, err)
		}
		count += n
		first = append(first, some...)
	}
	slices.SortFunc(first, func(a, b MissingCrash) int {
		return cmp.Or(cmp.Compare(dayDigits(a), dayDigits(b)), cmp.Compare(a.CrashID, b.CrashID))
	})
	return count, first[:min(limit, len(first))], nil
}

// dayDigits are the crash id's.
func dayDigits(m MissingCrash) string { return m.CrashID[max(0, len(m.CrashID)-6):] }

// lost counts crashes without a row in the winner of which some row was received in
// the range, and so perhaps not the one that is seen.
const lost = `SELECT count() FROM (
    SELECT crash_id FROM aftershock.crash_rows WHERE signature_version IN ($loser, $winner) AND $days
    GROUP BY crash_id HAVING countIf(signature_version = $loser AND $range) > 0 AND countIf(signature_version = $winner) = 0)`

// seen are those of which it is.
const seen = `SELECT crash_id, raw_topic, raw_partition, raw_offset, count() OVER () FROM aftershock.crash_rows FINAL
WHERE signature_version = $loser AND $days AND $range
    AND crash_id NOT IN (SELECT crash_id FROM aftershock.crash_rows WHERE signature_version = $winner AND $days)
ORDER BY day, crash_id LIMIT $limit`

// missing looks at some days at a time. Only where something is lost it asks for the
// rows that are seen, which costs several times as much.
func (c *change) missing(ctx context.Context, db *clickhouse.DB, limit int) (count int64, first []MissingCrash, err error) {
	days, err := daysOf(ctx, db, promotionLimits, "aftershock.crash_rows", c.loser, c.winner)
	if err != nil {
		return 0, nil, err
	}
	for _, chunk := range chunksOf(days, maxChunkRows) {
		perhaps, err := c.lost(ctx, db, chunk)
		if err != nil {
			return 0, nil, err
		}
		if perhaps == 0 {
			continue
		}
		n, some, err := c.seen(ctx, db, chunk, limit-len(first))
		if err != nil {
			return 0, nil, err
		}
		count += n
		first = append(first, some...)
	}
	return count, first, nil
}

func (c *change) sql(query string, of chunk, limit int) string {
	return strings.NewReplacer(
		"$loser", fmt.Sprint(c.loser), "$winner", fmt.Sprint(c.winner), "$days", of.days(), "$range", received(&c.from, &c.to), "$limit", fmt.Sprint(limit),
	).Replace(query)
}

func (c *change) lost(ctx context.Context, db *clickhouse.DB, of chunk) (crashes uint64, err error) {
	found, err := db.Query(ctx, promotionLimits, c.sql(lost, of, 0))
	if err != nil {
		return 0, err
	}
	defer found.Close() //nolint:errcheck // read to the end below
	for found.Next() {
		if err := found.Scan(&crashes); err != nil {
			return 0, err
		}
	}
	return crashes, found.Err()
}

// seen counts those whose row that is seen is in the range, and names some.
func (c *change) seen(ctx context.Context, db *clickhouse.DB, of chunk, limit int) (count int64, first []MissingCrash, err error) {
	rows, err := db.Query(ctx, promotionLimits, c.sql(seen, of, max(limit, 1))) // one at least tells how many
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		m := MissingCrash{Version: c.loser}
		var all uint64
		if err := rows.Scan(&m.CrashID, &m.Raw.Topic, &m.Raw.Partition, &m.Raw.Offset, &all); err != nil {
			return 0, nil, err
		}
		count = int64(all)
		if len(first) < limit {
			first = append(first, m)
		}
	}
	return count, first, rows.Err()
}
