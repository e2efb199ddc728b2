package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Limits bound one query at the server. Zero leaves a bound to the server.
type Limits struct {
	// MemoryBytes fails the query that needs more. Grouping goes to the disk at a
	// third of it.
	MemoryBytes int64
	Time        time.Duration
}

func (l Limits) settings() ch.Settings {
	s := ch.Settings{}
	if l.MemoryBytes > 0 {
		s["max_memory_usage"] = l.MemoryBytes
		s["max_bytes_before_external_group_by"] = l.MemoryBytes / 3
		s["max_bytes_before_external_sort"] = l.MemoryBytes / 3
	}
	if l.Time > 0 {
		s["max_execution_time"] = max(1, int64(l.Time/time.Second))
	}
	return s
}

// Query reads rows; arguments stand for question marks. The caller closes the
// rows, and asks them for errors.
func (db *DB) Query(ctx context.Context, l Limits, query string, args ...any) (driver.Rows, error) {
	rows, err := db.patient.Query(ch.Context(ctx, ch.WithSettings(l.settings())), query, args...)
	if err != nil {
		return nil, named(err)
	}
	return rows, nil
}

// scan hands a query's rows on as they come: each scans its own. An error of each ends it and
// is returned as it is.
func (db *DB) scan(ctx context.Context, query string, each func(scan func(...any) error) error, args ...any) error {
	rows, err := db.patient.Query(ctx, query, args...)
	if err != nil {
		return named(err)
	}
	defer rows.Close() //nolint:errcheck // read to the end below, or given up
	scan := func(to ...any) error {
		if err := rows.Scan(to...); err != nil {
			return named(err)
		}
		return nil
	}
	for rows.Next() {
		if err := each(scan); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return named(err)
	}
	return nil
}

// batch stores the rows that fill adds, which have the columns of an INSERT. An error of fill
// ends it, stores nothing, and is returned as it is.
func (db *DB) batch(ctx context.Context, insert string, fill func(add func(...any) error) error) error {
	b, err := db.conn.PrepareBatch(ctx, insert)
	if err != nil {
		return err
	}
	defer b.Close() //nolint:errcheck // after Send it does nothing; before, the error is known
	if err := fill(b.Append); err != nil {
		return err
	}
	return b.Send()
}

// Exec runs a statement that has no rows.
func (db *DB) Exec(ctx context.Context, l Limits, statement string, args ...any) error {
	if err := db.patient.Exec(ch.Context(ctx, ch.WithSettings(l.settings())), statement, args...); err != nil {
		return named(err)
	}
	return nil
}

// codeUnknownTable is ClickHouse's UNKNOWN_TABLE.
const codeUnknownTable = 60

func named(err error) error {
	var exception *ch.Exception
	if errors.As(err, &exception) && exception.Code == codeUnknownTable {
		return fmt.Errorf("clickhouse: %w (the sink of this release makes the tables when it starts)", err)
	}
	return fmt.Errorf("clickhouse: %w", err)
}
