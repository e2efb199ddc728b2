package ask

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"aftershock/sinks/clickhouse"
)

var crashRow = statement("crash")

// Row is a row of a table, by column.
type Row map[string]json.RawMessage

// Crash is all that the public row of one crash holds, as it is seen; nil when there is none.
// The id is a UUID.
func Crash(ctx context.Context, db *clickhouse.DB, id string) (row Row, err error) {
	body, err := db.Conn().QueryFormat(ch.Context(ctx, ch.WithParameters(map[string]string{"crash_id": id}), ch.WithSettings(inUTC)), "JSONEachRow", crashRow.sql)
	if err != nil {
		return nil, fmt.Errorf("crash: %w", err)
	}
	defer body.Close() //nolint:errcheck // read to the end below
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxRowBytes)
	for lines.Scan() {
		if row != nil { // the view shows each crash once
			return nil, fmt.Errorf("crash: %s is there twice", id)
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("crash: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("crash: %w", err)
	}
	return row, nil
}
