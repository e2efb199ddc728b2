package clickhouse

import (
	"context"
	"fmt"

	"aftershock/schema"
	"aftershock/stream"
)

// Tables are both tables as stream.Verifier looks at a signature version's rows.
// FINAL shows of every crash the row that counts.
func (db *DB) Tables(version int32) []stream.Table {
	var out []stream.Table
	for _, database := range []string{"aftershock", "aftershock_protected"} {
		out = append(out, stream.Table{
			Name: database + ".crash_rows",
			Rows: func(ctx context.Context, partition int32, from, end int64, each func(stream.StoredRow) error) error {
				return db.eachRow(ctx, each, "SELECT raw_offset, toInt64(revision), processed_offset FROM "+database+".crash_rows FINAL"+
					" WHERE signature_version = ? AND raw_topic = ? AND raw_partition = ? AND raw_offset >= ? AND raw_offset < ?",
					uint32(version), schema.TopicRaw, partition, from, end)
			},
			Seen: func(ctx context.Context, partition int32, from, end int64, each func(int64) error) error {
				return db.eachRow(ctx, func(r stream.StoredRow) error { return each(r.RawOffset) },
					"SELECT raw_offset, toInt64(0), toInt64(0) FROM "+database+".crashes"+
						" WHERE raw_topic = ? AND raw_partition = ? AND raw_offset >= ? AND raw_offset < ?", schema.TopicRaw, partition, from, end)
			},
		})
	}
	return out
}

// eachRow hands a query's rows on as they come.
func (db *DB) eachRow(ctx context.Context, each func(stream.StoredRow) error, query string, args ...any) error {
	rows, err := db.conn.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read to the end below, or given up
	for rows.Next() {
		var r stream.StoredRow
		if err := rows.Scan(&r.RawOffset, &r.Revision, &r.ProcessedOffset); err != nil {
			return fmt.Errorf("clickhouse: %w", err)
		}
		if err := each(r); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	return nil
}
