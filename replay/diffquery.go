package replay

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// DiffQuery says what to compare.
type DiffQuery struct {
	A, B *schema.SignatureVersion
	// Population is whose crashes are compared; zero: reports.
	Population clickhouse.Population
	// From and To bound received_at, half open; zero is no bound beyond what both
	// versions cover.
	From, To time.Time
	// Revisions compares the newest revision of each of A's crashes with the one
	// before; B is A.
	Revisions bool
	// Limit is how many pairs and changes are listed, at most MaxDiffLimit.
	Limit int
	// Limits bound each of the queries.
	Limits clickhouse.Limits

	// exact: too many pairs are an error. Else the rarest are folded.
	exact     bool
	chunkRows uint64 // 0: maxChunkRows
	maxPairs  int    // 0: maxCells
}

// Run compares. Rows that come in meanwhile may be counted or not: a range that
// is complete gives the same answer each time.
func (q *DiffQuery) Run(ctx context.Context, db *clickhouse.DB) (*Diff, error) {
	if err := checkLimit(q.Limit); err != nil {
		return nil, err
	}
	if q.Revisions != (q.A.Number == q.B.Number) {
		return nil, errors.New("want two versions, or the revisions of one")
	}
	d := &Diff{A: NewSide(q.A), B: NewSide(q.B), Revisions: q.Revisions, Causes: []CauseCount{}}
	if q.population() == clickhouse.Pings {
		d.Kind = schema.KindPing
	}
	d.From, d.To = covered(q)
	cells, folded, err := q.cells(ctx, db, d.From, d.To)
	if err != nil {
		return nil, fmt.Errorf("diff: %w", err)
	}
	d.fill(cells, folded, q.Limit)
	return d, nil
}

// cells counts the crashes of a range by their pairs of signatures, and apart from them
// those of the rarest pairs when there are too many.
func (q *DiffQuery) cells(ctx context.Context, db *clickhouse.DB, from, to *time.Time) ([]cell, folds, error) {
	// Fresh salt: nobody can make signatures whose digests are equal.
	c := counting{db: db, query: q, salt: rand.Text(), from: from, to: to, counts: map[key]*count{}, folded: folds{}, maxPairs: cmp.Or(q.maxPairs, maxCells)}
	days, err := daysOf(ctx, db, q.Limits, q.population().SQL(signaturesTable), q.A.Number, q.B.Number)
	if err != nil {
		return nil, nil, err
	}
	for _, chunk := range chunksOf(days, cmp.Or(q.chunkRows, maxChunkRows)) {
		if err := c.chunk(ctx, chunk); err != nil {
			return nil, nil, fmt.Errorf("%s to %s: %w", chunk.first.Format(time.DateOnly), chunk.last.Format(time.DateOnly), err)
		}
	}
	cells, err := c.cells(ctx)
	return cells, c.folded, err
}

func (q *DiffQuery) population() clickhouse.Population {
	return cmp.Or(q.Population, clickhouse.Reports)
}

// covered is the part of the range that both versions are made for.
func covered(q *DiffQuery) (from, to *time.Time) {
	for _, t := range []*time.Time{&q.From, q.A.From, q.B.From} {
		if t != nil && !t.IsZero() && (from == nil || t.After(*from)) {
			from = t
		}
	}
	for _, t := range []*time.Time{&q.To, q.A.To, q.B.To} {
		if t != nil && !t.IsZero() && (to == nil || t.Before(*to)) {
			to = t
		}
	}
	return from, to
}

// maxChunkRows is how many rows, of both versions, a query groups by crash: few
// enough that its hash table stays near the processor. A day that has more is
// grouped at once all the same, on the disk if it must be.
const maxChunkRows = 1 << 20

// signaturesTable is what a population's rows are narrowed to.
const signaturesTable = "aftershock.$signatures"

// chunk is successive days.
type chunk struct {
	first, last time.Time
	rows        uint64
}

// chunksOf puts days, one a chunk and in their order, together.
func chunksOf(days []chunk, maxRows uint64) []chunk {
	var out []chunk
	for _, day := range days {
		if n := len(out); n > 0 && out[n-1].rows+day.rows <= maxRows {
			out[n-1].last = day.last
			out[n-1].rows += day.rows
			continue
		}
		out = append(out, day)
	}
	return out
}

// key is a pair of signatures by their digests, 0 where a version lacks the crash.
type key struct {
	from, to uint64
	symbols  bool
}

type count struct {
	crashes  int64
	examples []string
}

// counting counts crashes by pairs of signatures, chunk by chunk.
type counting struct {
	db       *clickhouse.DB
	query    *DiffQuery
	salt     string
	from, to *time.Time
	counts   map[key]*count
	folded   folds
	maxPairs int
}

// daysOf are the days of which a table has rows of two versions.
func daysOf(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, table string, a, b int32) ([]chunk, error) {
	rows, err := db.Query(ctx, l, fmt.Sprintf("SELECT day, count() FROM %s WHERE signature_version IN (%d, %d) GROUP BY day ORDER BY day", table, a, b))
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	var out []chunk
	for rows.Next() {
		var day chunk
		if err := rows.Scan(&day.first, &day.rows); err != nil {
			return nil, err
		}
		day.last = day.first
		out = append(out, day)
	}
	return out, rows.Err()
}

// days is the condition of these days.
func (c chunk) days() string {
	return "day BETWEEN '" + c.first.Format(time.DateOnly) + "' AND '" + c.last.Format(time.DateOnly) + "'"
}

// sql fills in what the queries share. Everything that goes in is a number, a date,
// the salt or a table's name.
func (c *counting) sql(query string, of chunk) string {
	a, b := fmt.Sprint(c.query.A.Number), fmt.Sprint(c.query.B.Number)
	return strings.NewReplacer(
		"$versions", "signature_version IN ("+a+", "+b+")",
		"$days", of.days(),
		"$a", "signature_version = "+a,
		"$b", "signature_version = "+b,
		"$range", received(c.from, c.to),
		// Never 0. On a LowCardinality it is computed once a name.
		"$digest", "bitOr(sipHash64(concat('"+c.salt+"', signature)), 1)",
		"$examples", fmt.Sprint(maxExamples),
	).Replace(c.query.population().SQL(query))
}

// received is the condition on received_at, which is kept in milliseconds.
func received(from, to *time.Time) string {
	condition := "1"
	if from != nil {
		condition += fmt.Sprintf(" AND received_at >= fromUnixTimestamp64Milli(%d, 'UTC')", ceilMilli(*from))
	}
	if to != nil {
		condition += fmt.Sprintf(" AND received_at < fromUnixTimestamp64Milli(%d, 'UTC')", ceilMilli(*to))
	}
	return condition
}

// ceilMilli is the first millisecond that is not before t.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// Most crashes have one row a version, whose digest is then the sum: the smallest
// state to group by. again counts the crashes that have more.
const singleRows = `
SELECT a, b, differ, count() AS crashes, arrayMap(toString, groupArraySortedIf($examples)(crash, a != b)) AS examples, sum(rows > 1) AS again
FROM (
    SELECT crash, sumIf($digest, $a AND $range) AS a, sumIf($digest, $b AND $range) AS b,
        groupBitXor(symbols) != 0 AS differ, greatest(countIf($a), countIf($b)) AS rows
    FROM aftershock.$signatures WHERE $versions AND $days GROUP BY crash
)
GROUP BY a, b, differ`

// Stored again, reprocessed, or with a second raw record: the row with the highest
// ver counts, also where it is out of range and another is not.
const severalRows = `
SELECT a, b, differ, count() AS crashes, arrayMap(toString, groupArraySortedIf($examples)(crash, a != b)) AS examples, toUInt64(0) AS again
FROM (
    SELECT crash, argMaxIf(if($range, $digest, 0), ver, $a) AS a, argMaxIf(if($range, $digest, 0), ver, $b) AS b,
        argMaxIf(symbols, ver, $a) != argMaxIf(symbols, ver, $b) AS differ
    FROM aftershock.$signatures WHERE $versions AND $days GROUP BY crash
)
GROUP BY a, b, differ`

// chunk counts the crashes of some days. A query sees one state of the table, two
// do not: so the exact one counts all of them again.
func (c *counting) chunk(ctx context.Context, of chunk) error {
	if c.query.Revisions {
		_, err := c.add(ctx, c.sql(newestRevisions, of))
		return err
	}
	single, err := c.add(ctx, c.sql(singleRows, of))
	if err == nil && !single {
		_, err = c.add(ctx, c.sql(severalRows, of))
	}
	return err
}

// add adds a query's counts, unless there are crashes in it with several rows.
func (c *counting) add(ctx context.Context, query string) (single bool, err error) {
	rows, err := c.db.Query(ctx, c.query.Limits, query)
	if err != nil {
		return false, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below, or given up
	found, folded := map[key]*count{}, folds{}
	for rows.Next() {
		var k key
		var differ uint8
		var crashes, again uint64
		var examples []string
		if err := rows.Scan(&k.from, &k.to, &differ, &crashes, &examples, &again); err != nil {
			return false, err
		}
		if again > 0 {
			return false, nil
		}
		k.symbols = differ != 0 && k.from != 0 && k.to != 0
		if n := found[k]; n != nil {
			n.crashes, n.examples = n.crashes+int64(crashes), examples
			continue
		}
		found[k] = &count{int64(crashes), examples}
		if err := c.bound(found, folded); err != nil {
			return false, err
		}
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	for k, n := range found {
		if k.from == 0 && k.to == 0 {
			continue // out of range
		}
		sum := c.counts[k]
		if sum == nil {
			sum = &count{}
			c.counts[k] = sum
		}
		sum.crashes += n.crashes
		if k.from != 0 && k.to != 0 {
			sum.examples = append(sum.examples, n.examples[:min(len(n.examples), maxExamples-len(sum.examples))]...)
		}
	}
	c.folded.add(folded)
	return true, c.bound(c.counts, c.folded)
}

// cells gives the digests their signatures back.
func (c *counting) cells(ctx context.Context) ([]cell, error) {
	rows, err := c.db.Query(ctx, c.query.Limits, c.sql("SELECT signature, any($digest) FROM aftershock.$signatures WHERE $versions GROUP BY signature", chunk{}))
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below, or given up
	wanted := map[uint64]*string{}
	for k := range c.counts {
		wanted[k.from], wanted[k.to] = nil, nil
	}
	for rows.Next() {
		var name string
		var digest uint64
		if err := rows.Scan(&name, &digest); err != nil {
			return nil, err
		}
		if other, ok := wanted[digest]; ok && other != nil {
			return nil, errors.New("two signatures have the same digest: try again, the next digests are others")
		} else if ok {
			wanted[digest] = &name
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	cells := make([]cell, 0, len(c.counts))
	for k, n := range c.counts {
		out := cell{from: wanted[k.from], to: wanted[k.to], symbols: k.symbols, crashes: n.crashes, examples: n.examples}
		if k.from != 0 && out.from == nil || k.to != 0 && out.to == nil {
			return nil, errors.New("rows went away meanwhile: was a version dropped?")
		}
		cells = append(cells, out)
	}
	return cells, nil
}
