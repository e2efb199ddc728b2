package ask

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"aftershock/sinks/clickhouse"
)

// MaxLookups is how many signatures or bugs are looked up at once.
const MaxLookups = 100

// lookup binds values, and refuses too many of them.
func lookup(what string, b bound, values []string) (string, error) {
	if len(values) == 0 || len(values) > MaxLookups {
		return "", refuse("%s: want from 1 to %d", what, MaxLookups)
	}
	var places []string
	for _, v := range values {
		if len(v) > maxValueBytes {
			return "", refuse("%s: a value of more than %d bytes", what, maxValueBytes)
		}
		places = append(places, b.bind("String", v))
	}
	return strings.Join(places, ", "), nil
}

// FirstDates are signature, time and build of when signatures were first seen.
func FirstDates(ctx context.Context, db *clickhouse.DB, signatures []string) ([][]json.RawMessage, error) {
	b := bound{}
	places, err := lookup("signatures", b, signatures)
	if err != nil {
		return nil, err
	}
	return Select{"SELECT signature, min(first_seen), minIf(first_build, first_build != '')\nFROM aftershock.signature_first_seen\nWHERE signature IN (" + places + ")\nGROUP BY signature\nORDER BY signature", b}.rows(ctx, db)
}

// BugsOf are bug and signature of the bugs of signatures, with all signatures of each.
func BugsOf(ctx context.Context, db *clickhouse.DB, signatures []string) ([][]json.RawMessage, error) {
	b := bound{}
	places, err := lookup("signatures", b, signatures)
	if err != nil {
		return nil, err
	}
	return bugs(ctx, db, "SELECT bug FROM aftershock.bugs WHERE signature IN ("+places+")", b)
}

// SignaturesOf are bug and signature of the signatures of bugs.
func SignaturesOf(ctx context.Context, db *clickhouse.DB, of []string) ([][]json.RawMessage, error) {
	b := bound{}
	places, err := lookup("bug_ids", b, of)
	if err != nil {
		return nil, err
	}
	return bugs(ctx, db, places, b)
}

// bugs are those that an expression of ours lists.
func bugs(ctx context.Context, db *clickhouse.DB, list string, b bound) ([][]json.RawMessage, error) {
	return Select{"SELECT bug, signature\nFROM aftershock.bugs\nWHERE bug IN (" + list + ")\nORDER BY bug, signature", b}.rows(ctx, db)
}

// versionsTime is how far back a build is looked for.
const versionsTime = 180 * 24 * time.Hour

// VersionsOf are the versions of a build, as clients say them.
func VersionsOf(ctx context.Context, db *clickhouse.DB, product, channel, build string, now time.Time) ([][]json.RawMessage, error) {
	b := bound{}
	for _, v := range []string{product, channel, build} {
		if _, err := lookup("product, channel and build_id", bound{}, []string{v}); err != nil || v == "" {
			return nil, refuse("want product, channel and build_id")
		}
	}
	return Select{"SELECT DISTINCT version\nFROM aftershock.crashes\nWHERE day >= " + b.bind("Date", now.Add(-versionsTime).UTC().Format(time.DateOnly)) +
		" AND product = " + b.bind("String", product) + " AND channel = " + b.bind("String", channel) + " AND build_id = " + b.bind("String", build) + " AND version != ''\nORDER BY version", b}.rows(ctx, db)
}

// MaxProcessed are asked for at once by Processed.
const MaxProcessed = 1000

// Processed tells which of some crashes are seen. The ids are UUIDs.
func Processed(ctx context.Context, db *clickhouse.DB, ids []string) (map[string]bool, error) {
	if len(ids) > MaxProcessed {
		return nil, refuse("crash ids: want at most %d", MaxProcessed)
	}
	for _, id := range ids {
		if !isUUID(id) {
			return nil, refuse("%.40q is no crash id", id)
		}
	}
	b := bound{}
	rows, err := Select{"SELECT toString(crash_id)\nFROM aftershock.crash_by_id\nWHERE crash_id IN (" + b.bind("Array(UUID)", "['"+strings.Join(ids, "','")+"']") + ")", b}.rows(ctx, db)
	there := map[string]bool{}
	for _, row := range rows {
		there[shown(row[0])] = true
	}
	return there, err
}
