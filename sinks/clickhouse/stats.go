package clickhouse

import (
	"context"
	"time"
)

// Stats are what the tables take on the disk, and how fast they grow.
type Stats struct {
	Tables []TableStats `json:"tables"`
	// Crashes are the crashes that are seen, reports and pings, CrashesADay those of the last
	// seven whole days by the day in their id, a day.
	Crashes     uint64  `json:"crashes"`
	CrashesADay float64 `json:"crashes_a_day"`
	// BytesACrash is what a crash takes in all tables of all versions that have rows.
	BytesACrash float64   `json:"bytes_a_crash"`
	Newest      time.Time `json:"newest"` // received; zero without crashes
}

// TableStats are those of a table.
type TableStats struct {
	Database string        `json:"database"`
	Table    string        `json:"table"`
	Rows     uint64        `json:"rows"`
	Bytes    uint64        `json:"bytes"` // compressed, on the disk
	Parts    uint64        `json:"parts"`
	Merges   uint64        `json:"merges"` // that run now
	Columns  []ColumnStats `json:"columns"`
}

// ColumnStats are those of a column, the largest first.
type ColumnStats struct {
	Name  string `json:"name"`
	Bytes uint64 `json:"bytes"`
}

// Stats asks the engine. It needs the right to read system.parts and what goes with it.
func (db *DB) Stats(ctx context.Context) (*Stats, error) {
	s := &Stats{}
	err := db.scan(ctx, `SELECT t.database, t.name, p.rows, p.bytes, p.parts, m.merges
FROM system.tables AS t
LEFT JOIN (SELECT database, table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts FROM system.parts WHERE active GROUP BY database, table) AS p ON p.database = t.database AND p.table = t.name
LEFT JOIN (SELECT database, table, count() AS merges FROM system.merges GROUP BY database, table) AS m ON m.database = t.database AND m.table = t.name
WHERE t.database IN ('aftershock', 'aftershock_protected') AND t.engine LIKE '%MergeTree'
ORDER BY p.bytes DESC, t.database, t.name`,
		func(scan func(...any) error) error {
			var t TableStats
			err := scan(&t.Database, &t.Table, &t.Rows, &t.Bytes, &t.Parts, &t.Merges)
			s.Tables = append(s.Tables, t)
			return err
		})
	if err != nil {
		return nil, err
	}
	for i := range s.Tables {
		t := &s.Tables[i]
		err := db.scan(ctx, "SELECT column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns WHERE active AND database = ? AND table = ? GROUP BY column ORDER BY bytes DESC, column",
			func(scan func(...any) error) error {
				var c ColumnStats
				err := scan(&c.Name, &c.Bytes)
				t.Columns = append(t.Columns, c)
				return err
			}, t.Database, t.Table)
		if err != nil {
			return nil, err
		}
	}
	for _, of := range Populations {
		var all, week uint64
		var last time.Time
		query := of.SQL("SELECT count(), countIf(day >= today() - 7 AND day < today()), max(received_at) FROM aftershock.$view")
		if err := db.patient.QueryRow(ctx, query).Scan(&all, &week, &last); err != nil {
			return nil, named(err)
		}
		s.Crashes += all
		s.CrashesADay += float64(week) / 7
		if all > 0 && last.After(s.Newest) {
			s.Newest = last
		}
	}
	if s.Crashes > 0 {
		var bytes uint64
		for _, t := range s.Tables {
			bytes += t.Bytes
		}
		s.BytesACrash = float64(bytes) / float64(s.Crashes)
	}
	return s, nil
}
