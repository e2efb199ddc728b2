package clickhouse

import (
	"context"
	"fmt"
)

// Purge removes all rows of a signature version, of every table that is partitioned
// by it. Nobody may be writing rows of it.
func (db *DB) Purge(ctx context.Context, version int32) error {
	rows, err := db.conn.Query(ctx, `SELECT DISTINCT p.database, p.table, p.partition_id
		FROM system.parts AS p INNER JOIN system.tables AS t ON t.database = p.database AND t.name = p.table
		WHERE p.active AND p.database IN ('aftershock', 'aftershock_protected')
		  AND splitByChar(',', trimLeft(t.partition_key, '('))[1] = 'signature_version' AND splitByChar(',', trimLeft(p.partition, '('))[1] = ?`, fmt.Sprint(version))
	if err != nil {
		return fmt.Errorf("purge signature version %d: %w", version, err)
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	var drops []string
	for rows.Next() {
		var database, table, id string
		if err := rows.Scan(&database, &table, &id); err != nil {
			return fmt.Errorf("purge signature version %d: %w", version, err)
		}
		drops = append(drops, fmt.Sprintf("ALTER TABLE `%s`.`%s` DROP PARTITION ID '%s'", database, table, id))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("purge signature version %d: %w", version, err)
	}
	for _, drop := range drops {
		// Servers refuse to drop what is larger than 50 GB unless the statement says that it is meant.
		if err := db.conn.Exec(ctx, drop+" SETTINGS max_partition_size_to_drop = 0"); err != nil {
			return fmt.Errorf("purge signature version %d: %w", version, err)
		}
	}
	return nil
}
