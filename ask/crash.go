package ask

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

var crashRow = statement("crash")

// Row is a row of a table, by column.
type Row map[string]json.RawMessage

// Crash is all that the public row of one crash holds, as it is seen; nil when there is none.
// The id is a UUID.
func Crash(ctx context.Context, db *clickhouse.DB, id string) (Row, error) {
	return crashRow.row(ctx, db, id, maxRowBytes)
}

var protectedRow = statement("crash-protected")

// maxProtectedBytes of a crash's protected row, which has every thread.
const maxProtectedBytes = 2 * schema.MaxProcessedBytes

// CrashProtected is all that the protected row of one crash holds, as it is seen; nil when there
// is none. The id is a UUID, and the database one that may be asked for it.
func CrashProtected(ctx context.Context, db *clickhouse.DB, id string) (Row, error) {
	return protectedRow.row(ctx, db, id, maxProtectedBytes)
}

// row is the only row of a crash.
func (s Statement) row(ctx context.Context, db *clickhouse.DB, id string, maxBytes int) (row Row, err error) {
	body, err := db.Conn().QueryFormat(ch.Context(ctx, ch.WithParameters(map[string]string{"crash_id": id}), ch.WithSettings(inUTC)), "JSONEachRow", s.sql)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	defer body.Close() //nolint:errcheck // read to the end below
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxBytes)
	for lines.Scan() {
		if row != nil { // the view shows each crash once
			return nil, fmt.Errorf("%s: %s is there twice", s.name, id)
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return row, nil
}
