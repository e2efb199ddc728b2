package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"aftershock/schema"
	"aftershock/stream"
)

// Tables are the rows as stream.Verifier looks at those of a signature version: of each
// database the rows of all populations together, and the narrow ones. FINAL shows of every
// crash the row that counts.
func (db *DB) Tables(version int32) []stream.Table {
	var out []stream.Table
	for _, database := range []string{"aftershock", "aftershock_protected"} {
		out = append(out, stream.Table{
			Name: "rows of " + database,
			Rows: func(ctx context.Context, partition int32, from, end int64, each func(stream.StoredRow) error) error {
				return db.eachRow(ctx, database+".$rows", rowSpan{version, partition, from, end}, each,
					"SELECT raw_offset, toInt64(revision), processed_offset FROM "+database+".$rows FINAL WHERE "+versionRows)
			},
			Seen: func(ctx context.Context, partition int32, from, end int64, each func(int64) error) error {
				return db.eachRow(ctx, database+".$rows", rowSpan{version, partition, from, end}, func(r stream.StoredRow) error { return each(r.RawOffset) },
					"SELECT raw_offset, toInt64(0), toInt64(0) FROM "+database+".$view WHERE "+spanRows)
			},
		})
	}
	return append(out, stream.Table{Name: "signatures of aftershock", Rows: func(ctx context.Context, partition int32, from, end int64, each func(stream.StoredRow) error) error {
		// Rows of the table that have their narrow ones, some at a time: those are looked
		// up by crash.
		for ; from < end; from += signatureSpan {
			span := rowSpan{version, partition, from, min(from+signatureSpan, end)}
			err := db.eachRow(ctx, "aftershock.$rows", span, each, "SELECT raw_offset, toInt64(revision), processed_offset FROM aftershock.$rows FINAL WHERE "+versionRows+
				" AND (crash_id, revision, ver) IN (SELECT crash, revision, ver FROM aftershock.$signatures WHERE signature_version = $version AND $days"+
				" AND crash IN (SELECT crash_id FROM aftershock.$rows WHERE "+versionRows+"))")
			if err != nil {
				return err
			}
		}
		return nil
	}})
}

// signatureSpan is how many raw offsets are compared with narrow rows at a time.
const signatureSpan = 1 << 20

// rowSpan is the rows that a version has of a span of raw offsets.
type rowSpan struct {
	version, partition int32
	from, end          int64
}

const (
	spanRows    = "$days AND raw_topic = '" + schema.TopicRaw + "' AND raw_partition = $partition AND raw_offset >= $from AND raw_offset < $end"
	versionRows = "signature_version = $version AND " + spanRows
)

// sql fills a query in. Everything that goes in is a number or a date.
func (s rowSpan) sql(query, days string) string {
	return strings.NewReplacer("$days", days, "$version", fmt.Sprint(s.version), "$partition", fmt.Sprint(s.partition),
		"$from", fmt.Sprint(s.from), "$end", fmt.Sprint(s.end)).Replace(query)
}

// days is the condition of the days that the span's rows are of: rows lie in the order of
// days, so that a query with it reads few of the others. It is false of no rows.
func (db *DB) days(ctx context.Context, table string, s rowSpan) (condition string, none bool, err error) {
	var first, last time.Time
	var n uint64
	query := s.sql("SELECT min(day), max(day), count() FROM "+table+" WHERE "+versionRows, "1")
	if err := db.patient.QueryRow(ctx, query).Scan(&first, &last, &n); err != nil {
		return "", false, named(err)
	}
	return "day BETWEEN '" + first.Format(time.DateOnly) + "' AND '" + last.Format(time.DateOnly) + "'", n == 0, nil
}

// eachRow hands a query's rows on as they come, of one population after the other: both name
// their tables as Population.SQL does.
func (db *DB) eachRow(ctx context.Context, table string, s rowSpan, each func(stream.StoredRow) error, query string) error {
	for _, of := range Populations {
		days, none, err := db.days(ctx, of.SQL(table), s)
		if err != nil {
			return err
		}
		if none {
			continue
		}
		if err := db.eachOf(ctx, s.sql(of.SQL(query), days), each); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) eachOf(ctx context.Context, query string, each func(stream.StoredRow) error) error {
	return db.scan(ctx, query, func(scan func(...any) error) error {
		var r stream.StoredRow
		if err := scan(&r.RawOffset, &r.Revision, &r.ProcessedOffset); err != nil {
			return err
		}
		return each(r)
	})
}
