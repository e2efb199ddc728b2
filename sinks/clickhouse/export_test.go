package clickhouse

import (
	"context"

	"aftershock/sinks"
)

// Steps are what Write does for the rows before anything is sent, for benchmarks.
func (db *DB) Steps(in []sinks.Row) (map[string]func() error, error) {
	rows, err := db.rows(context.Background(), in)
	if err != nil {
		return nil, err
	}
	steps := map[string]func() error{"public view": func() error {
		_, err := db.rows(context.Background(), in)
		return err
	}}
	for _, t := range tables {
		b := newBlock(t.columns)
		steps[t.name] = func() error {
			_, err := b.pack(rows[t.of])
			return err
		}
	}
	return steps, nil
}
