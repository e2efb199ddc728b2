package clickhouse

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
)

// kept are the tables whose rows are of a day, and go when that is too old.
func kept() (tables []string) {
	for _, p := range Populations {
		tables = append(tables, "aftershock."+p.Rows, "aftershock_protected."+p.Rows, "aftershock."+p.Signatures)
	}
	return append(tables, "aftershock.deferred_rows", "aftershock.days")
}

// ttl is how the server writes a retention.
var ttl = regexp.MustCompile(`\sTTL day \+ toIntervalDay\((\d+)\)`)

// Retain makes the tables drop rows of days that are more than some ago; 0 keeps all. Which
// signatures there were and what became of them stays. It changes nothing that is as it shall
// be, so that any number of sinks may ask for the same.
func (db *DB) Retain(ctx context.Context, days int) error {
	for _, table := range kept() {
		var made string
		if err := db.conn.QueryRow(ctx, "SELECT create_table_query FROM system.tables WHERE concat(database, '.', name) = ?", table).Scan(&made); err != nil {
			return fmt.Errorf("retention of %s: %w", table, err)
		}
		have := 0
		if m := ttl.FindStringSubmatch(made); m != nil {
			have, _ = strconv.Atoi(m[1]) // digits
		}
		if have == days {
			continue
		}
		statement := "ALTER TABLE " + table + " REMOVE TTL"
		if days > 0 {
			statement = fmt.Sprintf("ALTER TABLE %s MODIFY TTL day + toIntervalDay(%d)", table, days)
		}
		if err := db.patient.Exec(ctx, statement); err != nil {
			return fmt.Errorf("retention of %s: %w", table, err)
		}
	}
	return nil
}
