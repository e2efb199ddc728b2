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
	Kind    string // schema.KindReport or schema.KindPing
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
// the promoted one, reports and pings, and names the first of them, at most limit, ordered
// by day and crash id. It asks the tables that the views show: what is stored counts at once.
func Missing(ctx context.Context, db *clickhouse.DB, p Promotion, limit int) (count int64, first []MissingCrash, err error) {
	return missing(ctx, db, p.changes(), nil, limit)
}

// missing leaves out rows that were looked at; nil: none were.
func missing(ctx context.Context, db *clickhouse.DB, of []change, looked *look, limit int) (count int64, first []MissingCrash, err error) {
	if limit < 0 || limit > MaxMissing {
		return 0, nil, fmt.Errorf("%d missing crashes: want 0 to %d", limit, MaxMissing)
	}
	for _, c := range of {
		if c.loser == 0 {
			continue // nothing is seen there
		}
		for _, p := range clickhouse.Populations {
			n, some, err := c.missing(ctx, db, p, looked, limit)
			if err != nil {
				return 0, nil, fmt.Errorf("%s of signature version %d that %d lacks: %w", p.View, c.loser, c.winner, err)
			}
			count += n
			first = append(first, some...)
		}
	}
	slices.SortFunc(first, func(a, b MissingCrash) int {
		return cmp.Or(cmp.Compare(dayDigits(a), dayDigits(b)), cmp.Compare(a.CrashID, b.CrashID))
	})
	return count, first[:min(limit, len(first))], nil
}

// dayDigits are the crash id's.
func dayDigits(m MissingCrash) string { return m.CrashID[max(0, len(m.CrashID)-6):] }

// lost counts a population's crashes without a row in the winner of which some row was received in
// the range, and so perhaps not the one that is seen.
const lost = `SELECT count() FROM (
    SELECT crash_id FROM aftershock.$rows WHERE signature_version IN ($loser, $winner) AND $days
    GROUP BY crash_id HAVING countIf(signature_version = $loser AND $range) > 0 AND countIf(signature_version = $winner) = 0)`

// seen are those of which it is.
const seen = `SELECT crash_id, raw_topic, raw_partition, raw_offset, count() OVER () FROM aftershock.$rows FINAL
WHERE signature_version = $loser AND $days AND $range
    AND crash_id NOT IN (SELECT crash_id FROM aftershock.$rows WHERE signature_version = $winner AND $days)
ORDER BY day, toString(crash_id) LIMIT $limit`

// lostSince is lost of few crashes: the winner's rows are looked up.
const lostSince = `SELECT count() FROM (SELECT DISTINCT day, crash_id FROM aftershock.$rows WHERE signature_version = $loser AND $recent)
WHERE (day, crash_id) NOT IN (SELECT day, crash_id FROM aftershock.$rows WHERE signature_version = $winner AND (day, crash_id) IN
    (SELECT day, crash_id FROM aftershock.$rows WHERE signature_version = $loser AND $recent))`

// seenSince is seen of them.
const seenSince = `SELECT crash_id, raw_topic, raw_partition, raw_offset, count() OVER () FROM aftershock.$rows FINAL
WHERE signature_version = $loser AND $range
    AND (day, crash_id) IN (SELECT day, crash_id FROM aftershock.$rows WHERE signature_version = $loser AND $recent)
    AND (day, crash_id) NOT IN (SELECT day, crash_id FROM aftershock.$rows WHERE signature_version = $winner AND (day, crash_id) IN
        (SELECT day, crash_id FROM aftershock.$rows WHERE signature_version = $loser AND $recent))
ORDER BY day, toString(crash_id) LIMIT $limit`

// missing looks at some days at a time, or at what was not looked at before. Only where
// something is lost it asks for the rows that are seen, which costs several times as much.
func (c *change) missing(ctx context.Context, db *clickhouse.DB, p clickhouse.Population, looked *look, limit int) (count int64, first []MissingCrash, err error) {
	if looked != nil {
		recent := strings.NewReplacer("$recent", looked.recent(c.loser))
		if perhaps, err := c.count(ctx, db, p, recent.Replace(lostSince), chunk{}); err != nil || perhaps == 0 {
			return 0, nil, err
		}
		return c.named(ctx, db, p, recent.Replace(seenSince), chunk{}, limit)
	}
	days, err := daysOf(ctx, db, promotionLimits, p.SQL("aftershock.$rows"), c.loser, c.winner)
	if err != nil {
		return 0, nil, err
	}
	for _, chunk := range chunksOf(days, maxChunkRows) {
		perhaps, err := c.count(ctx, db, p, lost, chunk)
		if err != nil {
			return 0, nil, err
		}
		if perhaps == 0 {
			continue
		}
		n, some, err := c.named(ctx, db, p, seen, chunk, limit-len(first))
		if err != nil {
			return 0, nil, err
		}
		count += n
		first = append(first, some...)
	}
	return count, first, nil
}

// until is the time up to which the winner has every crash of the range, reports and pings.
func (c *change) until(ctx context.Context, db *clickhouse.DB) (time.Time, error) {
	until := c.to
	for _, p := range clickhouse.Populations {
		of, err := c.untilOf(ctx, db, p)
		if err != nil {
			return time.Time{}, err
		}
		until = earlier(until, of)
	}
	return until, nil
}

func (c *change) untilOf(ctx context.Context, db *clickhouse.DB, p clickhouse.Population) (time.Time, error) {
	days, err := daysOf(ctx, db, promotionLimits, p.SQL("aftershock.$rows"), c.loser, c.winner)
	if err != nil {
		return time.Time{}, err
	}
	for _, chunk := range chunksOf(days, maxChunkRows) {
		n, err := c.count(ctx, db, p, lost, chunk)
		if err != nil {
			return time.Time{}, err
		}
		if n == 0 {
			continue
		}
		rows, err := db.Query(ctx, promotionLimits, c.sql(p, firstLost, chunk, 0))
		if err != nil {
			return time.Time{}, err
		}
		defer rows.Close() //nolint:errcheck // read to the end below
		var first time.Time
		for rows.Next() {
			if err := rows.Scan(&first); err != nil {
				return time.Time{}, err
			}
		}
		return first, rows.Err()
	}
	return c.to, nil
}

// firstLost is when the first of the crashes was received that lost counts.
const firstLost = `SELECT min(received_at) FROM aftershock.$rows WHERE signature_version = $loser AND $days AND $range
    AND crash_id NOT IN (SELECT crash_id FROM aftershock.$rows WHERE signature_version = $winner AND $days)`

func (c *change) sql(p clickhouse.Population, query string, of chunk, limit int) string {
	return strings.NewReplacer(
		"$loser", fmt.Sprint(c.loser), "$winner", fmt.Sprint(c.winner), "$days", of.days(), "$range", received(&c.from, &c.to), "$limit", fmt.Sprint(limit),
	).Replace(p.SQL(query))
}

// count is a query's number.
func (c *change) count(ctx context.Context, db *clickhouse.DB, p clickhouse.Population, query string, of chunk) (crashes uint64, err error) {
	found, err := db.Query(ctx, promotionLimits, c.sql(p, query, of, 0))
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

// named counts those whose row that is seen is in the range, and names some.
func (c *change) named(ctx context.Context, db *clickhouse.DB, p clickhouse.Population, query string, of chunk, limit int) (count int64, first []MissingCrash, err error) {
	rows, err := db.Query(ctx, promotionLimits, c.sql(p, query, of, max(limit, 1))) // one at least tells how many
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		m := MissingCrash{Kind: p.Kind, Version: c.loser}
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
