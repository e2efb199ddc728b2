package clickhouse

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one numbered file. A released file never changes; what it did is
// changed by the next one.
type migration struct {
	number     uint32
	name       string
	sha256     string
	statements []statement
}

// statement is one of a migration. It is idempotent; one that could not be is run only while
// when, a query, does not answer 0.
type statement struct{ when, sql string }

// whenLine begins the first line of a statement with a condition.
const whenLine = "-- when "

// migrations reads the files in the order of their numbers, from 1 without gaps.
func migrations() ([]migration, error) {
	entries, err := migrationFiles.ReadDir("migrations") // sorted by name
	if err != nil {
		return nil, err
	}
	out := make([]migration, len(entries))
	for i, e := range entries {
		text, err := migrationFiles.ReadFile("migrations/" + e.Name())
		if err != nil {
			return nil, err
		}
		digits, _, _ := strings.Cut(e.Name(), "_")
		number, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || int(number) != i+1 {
			return nil, fmt.Errorf("migration %s: want number %04d", e.Name(), i+1)
		}
		sum := sha256.Sum256(text)
		out[i] = migration{number: uint32(number), name: e.Name(), sha256: hex.EncodeToString(sum[:]), statements: statements(string(text))}
	}
	return out, nil
}

// statements splits a file at semicolons that end a line.
func statements(text string) (out []statement) {
	for s := range strings.SplitSeq(text, ";\n") {
		s = strings.TrimSpace(s)
		var when string
		if strings.HasPrefix(s, whenLine) {
			when, s, _ = strings.Cut(strings.TrimPrefix(s, whenLine), "\n")
		}
		if s != "" {
			out = append(out, statement{when, s})
		}
	}
	return out
}

// incompatible ends the name of a migration that releases before it cannot live with.
// All others add: releases before them go on with the tables that they know.
const incompatible = ".incompatible.sql"

// Migrate creates what is missing and brings an older database up to date. It
// may run in several processes at once: every statement is idempotent. newer are the
// names of migrations that a newer release has applied. It fails when one of those is
// incompatible, or when the database was made by other files.
func (db *DB) Migrate(ctx context.Context) (newer []string, err error) {
	files, err := migrations()
	if err != nil {
		return nil, err
	}
	return db.migrate(ctx, files)
}

func (db *DB) migrate(ctx context.Context, files []migration) (newer []string, err error) {
	applied, err := db.applied(ctx)
	if err != nil {
		return nil, err
	}
	for number, m := range applied {
		if int(number) <= len(files) {
			continue
		}
		if strings.HasSuffix(m.name, incompatible) {
			return nil, fmt.Errorf("clickhouse has migration %s of a newer release, and this one knows %d: it cannot go on with tables changed like that", m.name, len(files))
		}
		newer = append(newer, m.name)
	}
	slices.Sort(newer)
	for _, m := range files {
		if has, ok := applied[m.number]; ok {
			if has.sha256 != m.sha256 {
				return nil, fmt.Errorf("migration %s is not the one that was applied to this database", m.name)
			}
			continue
		}
		for i, s := range m.statements {
			if err := db.step(ctx, s); err != nil {
				return nil, fmt.Errorf("migration %s, statement %d: %w", m.name, i+1, err)
			}
		}
		if err := db.conn.Exec(ctx, "INSERT INTO aftershock.migrations (number, name, sha256) VALUES (?, ?, ?)", m.number, m.name, m.sha256); err != nil {
			return nil, fmt.Errorf("migration %s: record it: %w", m.name, err)
		}
	}
	return newer, nil
}

// step runs a statement, if its condition holds. One whose condition holds no more after an
// error was run by another process.
func (db *DB) step(ctx context.Context, s statement) error {
	wanted := func() (bool, error) {
		if s.when == "" {
			return true, nil
		}
		var n uint64
		err := db.patient.QueryRow(ctx, s.when).Scan(&n)
		return n != 0, err
	}
	if ok, err := wanted(); !ok || err != nil {
		return err
	}
	err := db.patient.Exec(ctx, s.sql)
	if err != nil && s.when != "" {
		if still, againErr := wanted(); againErr == nil && !still {
			return nil
		}
	}
	return err
}

// applied returns the migrations that the database has, by number: names and digests.
func (db *DB) applied(ctx context.Context) (map[uint32]migration, error) {
	var tables uint64
	if err := db.conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = 'aftershock' AND name = 'migrations'").Scan(&tables); err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	if tables == 0 {
		return nil, nil
	}
	rows, err := db.conn.Query(ctx, "SELECT number, name, sha256 FROM aftershock.migrations FINAL")
	if err != nil {
		return nil, fmt.Errorf("clickhouse: migrations: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	out := map[uint32]migration{}
	for rows.Next() {
		var m migration
		if err := rows.Scan(&m.number, &m.name, &m.sha256); err != nil {
			return nil, fmt.Errorf("clickhouse: migrations: %w", err)
		}
		out[m.number] = m
	}
	return out, rows.Err()
}
