package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const days = 28

var databases = []string{"aftershock", "aftershock_protected"}

// copies are the rows of a day under other ids, on another of the days and of other installs.
// Both databases get the same ids.
const copies = `INSERT INTO $database.crash_rows
SELECT * EXCEPT (other_day, days_later, other, other_id) REPLACE (other_day AS day, other_id AS crash_id, received_at + toIntervalDay(days_later) AS received_at, 'copy $copy' AS raw_topic$more)
FROM
(
    SELECT *, toDate('$begin') + (toInt32(day) - toInt32(toDate('$begin')) + $copy) % $days AS other_day, toInt32(other_day) - toInt32(day) AS days_later,
        lower(hex(MD5(concat(toString(crash_id), '$copy')))) AS other, toUUID(concat(substring(other, 1, 8), substring(toString(crash_id), 9, 16), substring(other, 9, 6), formatDateTime(other_day, '%y%m%d'))) AS other_id
    FROM $database.crash_rows
    WHERE day = '$day' AND NOT startsWith(raw_topic, 'copy ')
)
SETTINGS max_partitions_per_insert_block = 0, max_insert_threads = 2, min_insert_block_size_rows = 200000, min_insert_block_size_bytes = 0`

// fill makes the tables and the crashes that are lacking.
func (b *bench) fill(ctx context.Context) error {
	made, err := b.generate(ctx)
	if err != nil {
		return err
	}
	begin, err := b.ask(ctx, "SELECT toString(min(day)) FROM aftershock.crash_rows", nil)
	if err != nil {
		return err
	}
	first, err := time.Parse(time.DateOnly, fmt.Sprint(begin.Data[0][0]))
	if err != nil {
		return err
	}
	for n := 1; n < (b.rows+made-1)/made; n++ {
		have, err := b.number(ctx, fmt.Sprintf("SELECT least((SELECT uniqExact(day) FROM aftershock.crash_rows WHERE raw_topic = 'copy %d'), (SELECT uniqExact(day) FROM aftershock_protected.crash_rows WHERE raw_topic = 'copy %d'))", n, n))
		if err != nil {
			return err
		}
		if have == days {
			continue
		}
		say("copy %d of %d", n, (b.rows+made-1)/made-1)
		for day := range days {
			for _, database := range databases {
				more := ""
				if database == "aftershock" {
					more = fmt.Sprintf(", install_time + %d AS install_time", n*7919)
				}
				statement := strings.NewReplacer("$database", database, "$copy", fmt.Sprint(n), "$days", fmt.Sprint(days), "$more", more,
					"$begin", first.Format(time.DateOnly), "$day", first.AddDate(0, 0, day).Format(time.DateOnly)).Replace(copies)
				if _, err := b.ask(ctx, statement, nil); err != nil {
					return err
				}
			}
		}
	}
	// Days that the copies are of are announced as a sink would.
	_, err = b.ask(ctx, "INSERT INTO aftershock.days SELECT signature_version, day, min(received_at), max(received_at) FROM aftershock.crash_rows GROUP BY signature_version, day", nil)
	return err
}

// generate lets the program make crashes, unless there are some.
func (b *bench) generate(ctx context.Context) (int, error) {
	const generated = "SELECT count() FROM aftershock.crash_rows WHERE NOT startsWith(raw_topic, 'copy ')"
	tables, err := b.number(ctx, "SELECT count() FROM system.tables WHERE database = 'aftershock' AND name = 'crash_rows'")
	if err != nil {
		return 0, err
	}
	if tables != 0 {
		if err := b.migrate(ctx); err != nil { // an older release may have made them
			return 0, err
		}
		if n, err := b.number(ctx, generated); err != nil || n >= uint64(b.crashes) {
			return int(n), err
		}
	}
	say("generating %d crashes", b.crashes)
	program := exec.CommandContext(ctx, b.program, "generate", "crashes", "--count", fmt.Sprint(b.crashes), "--days", fmt.Sprint(days), //nolint:gosec // flags of ours
		"--clickhouse-url", "http://"+b.listen, "--clickhouse-password-file", filepath.Join(b.dir, "token"))
	program.Stdout, program.Stderr = os.Stderr, os.Stderr
	if err := program.Run(); err != nil {
		return 0, fmt.Errorf("generate: %w", err)
	}
	n, err := b.number(ctx, generated)
	return int(n), err
}

func (b *bench) migrate(ctx context.Context) error {
	db, err := b.open()
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // it has answered
	_, err = db.Migrate(ctx)
	return err
}

// settle waits until the days have one part, as those of the field have that are over.
func (b *bench) settle(ctx context.Context) error {
	for _, database := range databases {
		parts, err := b.ask(ctx, "SELECT partition_id FROM system.parts WHERE active AND database = '"+database+"' AND table = 'crash_rows' GROUP BY partition_id HAVING count() > 1", nil)
		if err != nil {
			return err
		}
		for i, p := range parts.Data {
			say("%s: merging day %d of %d", database, i+1, len(parts.Data))
			if _, err := b.ask(ctx, fmt.Sprintf("OPTIMIZE TABLE %s.crash_rows PARTITION ID '%v' FINAL", database, p[0]), nil); err != nil {
				return err
			}
		}
	}
	return nil
}
