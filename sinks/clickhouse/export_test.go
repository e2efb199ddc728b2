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

// MigrateTo is Migrate of a release that has n migrations.
func (db *DB) MigrateTo(ctx context.Context, n int) error {
	files, err := migrations()
	if err == nil {
		_, err = db.migrate(ctx, files[:n])
	}
	return err
}

// Statements are how many a migration has.
func Statements(number int) (int, error) {
	files, err := migrations()
	if err != nil {
		return 0, err
	}
	return len(files[number-1].statements), nil
}

// MigrateSome runs the first statements of a migration, and does not record it.
func (db *DB) MigrateSome(ctx context.Context, number, statements int) error {
	files, err := migrations()
	if err != nil {
		return err
	}
	for _, s := range files[number-1].statements[:statements] {
		if err := db.step(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
