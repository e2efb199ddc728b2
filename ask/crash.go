package ask

import (
	"context"
	"encoding/json"
	"fmt"

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
	err = s.each(ctx, db, map[string]string{"crash_id": id}, maxBytes, func(line []byte) error {
		if row != nil { // the view shows each crash once
			return fmt.Errorf("%s is there twice", id)
		}
		return json.Unmarshal(line, &row)
	})
	if err != nil {
		return nil, err
	}
	return row, nil
}
