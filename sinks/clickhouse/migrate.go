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
	"time"
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

// statement is one of a migration. It is idempotent; one that could not be says so in comments
// that are queries:
//
//	-- when QUERY     run it only while QUERY does not answer 0
//	-- until QUERY    wait before it until QUERY answers 0
//	-- each QUERY     run it for each text that QUERY answers, as $each; -- then begins what follows each time
type statement struct{ when, until, each, sql, then string }

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
	for sql := range strings.SplitSeq(text, ";\n") {
		var s statement
		for line := range strings.SplitSeq(sql, "\n") {
			for prefix, query := range map[string]*string{"-- when ": &s.when, "-- until ": &s.until, "-- each ": &s.each} {
				if text, ok := strings.CutPrefix(line, prefix); ok && *query == "" {
					*query = text
				}
			}
		}
		s.sql, s.then, _ = strings.Cut(strings.TrimSpace(sql), "\n-- then\n")
		if s.sql != "" {
			out = append(out, s)
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
		n, err := db.count(ctx, s.when)
		return n != 0, err
	}
	if ok, err := wanted(); !ok || err != nil {
		return err
	}
	if err := db.await(ctx, s.until); err != nil {
		return err
	}
	if s.each != "" {
		return db.stepEach(ctx, s)
	}
	err := db.patient.Exec(ctx, s.sql)
	if err != nil && s.when != "" {
		if still, againErr := wanted(); againErr == nil && !still {
			return nil
		}
	}
	return err
}

// stepEach runs a statement for each of the texts that it is for.
func (db *DB) stepEach(ctx context.Context, s statement) error {
	var each []string
	err := db.scan(ctx, s.each, func(scan func(...any) error) error {
		var text string
		err := scan(&text)
		each = append(each, text)
		return err
	})
	if err != nil {
		return err
	}
	for _, text := range each {
		for _, sql := range []string{s.sql, s.then} {
			if err := db.patient.Exec(ctx, strings.ReplaceAll(sql, "$each", text)); err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
		}
	}
	return nil
}

// awaited is how long a migration waits for what has to end first.
const awaited = 2 * time.Minute

// await waits until a query answers 0; none is no reason to wait.
func (db *DB) await(ctx context.Context, query string) error {
	if query == "" {
		return nil
	}
	for end := time.Now().Add(awaited); ; {
		n, err := db.count(ctx, query)
		if n == 0 || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d inserts of an older release go on after %v: stop its sinks", n, awaited)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (db *DB) count(ctx context.Context, query string) (n uint64, err error) {
	err = db.patient.QueryRow(ctx, query).Scan(&n)
	return n, err
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
