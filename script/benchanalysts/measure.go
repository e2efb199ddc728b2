package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"aftershock/ask"
	"aftershock/sinks/clickhouse"
)

// questionMemory is what a question may have; one that needs more fails.
const questionMemory = 512 << 20

// columns that the compared questions read.
const comparedColumns = "signature_version, day, received_at, revision, ver, signature, product, version, build_id, os, process_type, install_time, startup_crash, throttle_rate"

// byMonth makes the tables of before, as migration 0009 had them: partitions of months in
// several parts, ids as text, and every row asked whether it is seen. They need only some
// columns: no question reads others.
func (b *bench) byMonth(ctx context.Context) error {
	for _, statement := range []string{
		"CREATE DATABASE IF NOT EXISTS before",
		"CREATE TABLE IF NOT EXISTS before.crash_rows ENGINE = ReplacingMergeTree(ver) PARTITION BY (signature_version, toYYYYMM(day)) ORDER BY (signature_version, day, crash_id) AS SELECT toString(crash_id) AS crash_id, " + comparedColumns + " FROM aftershock.crash_rows LIMIT 0",
		"SYSTEM STOP MERGES before.crash_rows",
		`CREATE OR REPLACE VIEW before.crashes AS
WITH (SELECT argMax(ranges, epoch) FROM aftershock.activation) AS active
SELECT * EXCEPT (ver) FROM before.crash_rows FINAL
WHERE has(tupleElement(active, 'signature_version'), signature_version)
  AND arrayExists(r -> tupleElement(r, 'signature_version') = signature_version AND tupleElement(r, 'from') <= received_at AND received_at < tupleElement(r, 'to'), active)`,
	} {
		if _, err := b.ask(ctx, statement, nil); err != nil {
			return err
		}
	}
	have, err := b.number(ctx, "SELECT count() FROM before.crash_rows")
	if err != nil || have != 0 {
		return err
	}
	const parts = 10 // of a month
	for i := range parts {
		say("the tables of before: %d of %d", i+1, parts)
		_, err := b.ask(ctx, fmt.Sprintf("INSERT INTO before.crash_rows SELECT toString(crash_id), %s FROM aftershock.crash_rows WHERE sipHash64(crash_id) %% %d = %d SETTINGS max_insert_threads = 1, min_insert_block_size_rows = 2000000, min_insert_block_size_bytes = 0", comparedColumns, parts, i), nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// compared are the measures of both designs: of before as one would have asked then.
var compared = []struct{ name, before, now string }{
	{
		"all-time top 50", "SELECT signature, count() AS n FROM before.crashes GROUP BY signature ORDER BY n DESC, signature LIMIT 50",
		"SELECT signature, n FROM (SELECT signature_id, count() AS n FROM aftershock.crashes GROUP BY signature_id) AS c ANY LEFT JOIN aftershock.signature_names AS s USING (signature_id) ORDER BY n DESC, signature LIMIT 50",
	},
	{"a signature by day and version", "SELECT day, version, count() FROM before.crashes WHERE signature = {signature:String} GROUP BY day, version ORDER BY day, version", "SELECT day, version, count() FROM aftershock.crashes WHERE signature = {signature:String} GROUP BY day, version ORDER BY day, version"},
	{"a facet of a signature", "SELECT os, count() FROM before.crashes WHERE signature = {signature:String} GROUP BY os ORDER BY os", "SELECT os, count() FROM aftershock.crashes WHERE signature = {signature:String} GROUP BY os ORDER BY os"},
	{
		"substring of signatures", "SELECT signature, count() AS n FROM before.crashes WHERE positionCaseInsensitive(signature, 'queue') > 0 GROUP BY signature ORDER BY n DESC, signature LIMIT 50",
		"SELECT signature, n FROM (SELECT signature_id, count() AS n FROM aftershock.crashes WHERE signature_id IN (SELECT signature_id FROM aftershock.signature_names WHERE positionCaseInsensitive(signature, 'queue') > 0) GROUP BY signature_id) AS c ANY LEFT JOIN aftershock.signature_names AS s USING (signature_id) ORDER BY n DESC, signature LIMIT 50",
	},
	{
		"first seen of all signatures", "SELECT signature, min(received_at) AS first FROM before.crashes GROUP BY signature ORDER BY first DESC, signature LIMIT 50",
		"SELECT signature, first FROM (SELECT signature_id, min(received_at) AS first FROM aftershock.crashes GROUP BY signature_id) AS c ANY LEFT JOIN aftershock.signature_names AS s USING (signature_id) ORDER BY first DESC, signature LIMIT 50",
	},
	{"a crash by its id, some columns", "SELECT signature, product, version, os FROM before.crashes WHERE crash_id = {crash:String}", "SELECT signature, product, version, os FROM aftershock.crashes WHERE crash_id = {crash:String}"},
	{"the same of crash_by_id", "", "SELECT signature, product, version, os FROM aftershock.crash_by_id WHERE crash_id = {crash:String}"},
	{"a crash by its id, everything", "", "SELECT * FROM aftershock.crashes AS c INNER JOIN aftershock_protected.crashes AS p ON c.crash_id = p.crash_id WHERE c.crash_id = {crash:String} AND p.crash_id = {crash:String}"},
	{"the same of crash_by_id", "", "SELECT * FROM aftershock.crash_by_id AS c INNER JOIN aftershock_protected.crash_by_id AS p ON c.crash_id = p.crash_id WHERE c.crash_id = {crash:String} AND p.crash_id = {crash:String}"},
}

// compare times both designs in turns. Their answers must be the same.
func (b *bench) compare(ctx context.Context) error {
	found, err := b.given(ctx)
	if err != nil {
		return err
	}
	parameters := url.Values{"param_signature": {found["signature"]}, "param_crash": {found["crash"]}}
	for _, c := range compared {
		say("%s", c.name)
		m := measure{name: c.name}
		for range b.runs + 1 { // the first warms up
			now, err := b.ask(ctx, c.now, parameters)
			if err != nil {
				return err
			}
			m.now = append(m.now, now.took)
			if c.before == "" {
				continue
			}
			before, err := b.ask(ctx, c.before, parameters)
			if err != nil {
				return err
			}
			m.before = append(m.before, before.took)
			if fmt.Sprint(now.Data) != fmt.Sprint(before.Data) {
				return fmt.Errorf("%s: the answers differ", c.name)
			}
		}
		b.page.compared = append(b.page.compared, m)
	}
	return nil
}

// given are values that questions need.
func (b *bench) given(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	for name, statement := range map[string]string{
		"signature": "SELECT signature FROM aftershock.crash_rows GROUP BY signature ORDER BY abs(count() - (SELECT count() / 200 FROM aftershock.crash_rows)), signature LIMIT 1", // half a percent of all
		"crash":     "SELECT toString(crash_id) FROM aftershock.crash_rows WHERE day = (SELECT max(day) - 3 FROM aftershock.days) LIMIT 1",
		"builds":    "SELECT arrayStringConcat(arraySort(groupArray(build_id)), ' ') FROM (SELECT build_id FROM aftershock.crash_rows WHERE build_id != '' GROUP BY build_id ORDER BY count() DESC LIMIT 2)",
		"function":  "SELECT arrayJoin(`stack.function`) AS f FROM (SELECT `stack.function` FROM aftershock.crash_rows LIMIT 100000) WHERE f != '' GROUP BY f ORDER BY abs(count() - 500), f LIMIT 1",
		"module":    "SELECT arrayJoin(modules_in_stack) AS m FROM aftershock.crash_rows GROUP BY m ORDER BY count() DESC, m LIMIT 1",
		"missing":   "SELECT arrayJoin(missing_symbols) AS m FROM aftershock.crash_rows GROUP BY m ORDER BY count() DESC, m LIMIT 1",
		"product":   "SELECT product FROM aftershock.crash_rows GROUP BY product ORDER BY count() DESC LIMIT 1",
		"frame":     "SELECT arrayJoin(arrayFlatten(`threads.stack`)) AS f FROM (SELECT `threads.stack` FROM aftershock_protected.crash_rows LIMIT 20000) WHERE f != '' GROUP BY f ORDER BY abs(count() - 500), f LIMIT 1",
		"now":       "SELECT toString(toDateTime(max(day) + 1, 'UTC')) FROM aftershock.crash_rows",
	} {
		a, err := b.ask(ctx, statement, nil)
		if err != nil {
			return nil, err
		}
		if len(a.Data) != 1 {
			return nil, fmt.Errorf("nothing is found by: %s", statement)
		}
		found[name] = fmt.Sprint(a.Data[0][0])
	}
	return found, nil
}

// questions times each of the cookbook, with its defaults and what it must be given.
func (b *bench) questions(ctx context.Context) error {
	found, err := b.given(ctx)
	if err != nil {
		return err
	}
	now, err := time.Parse(time.DateTime, found["now"])
	if err != nil {
		return err
	}
	var builds [2]string
	if _, err := fmt.Sscan(found["builds"], &builds[0], &builds[1]); err != nil {
		return err
	}
	given := map[string]map[string]string{
		"top-by-build": {"build_from": builds[0], "build_to": builds[1]}, "search": {"text": "queue"}, "function": {"function": found["function"]}, "module": {"module": found["module"]},
		"missing-symbols-crashes": {"module": found["missing"]}, "version-moves": {"old": "1", "new": "2"}, "crash-free-sessions": {"product": found["product"]}, "regressions": {"old": builds[0], "new": builds[1]},
		"any-thread": {"frame": found["frame"]},
	}
	for _, q := range ask.Queries() {
		if slices.ContainsFunc(q.Params, func(p ask.Param) bool { return p.Name == "signature" && p.Required }) {
			given[q.Name] = map[string]string{"signature": found["signature"]}
		}
		values, err := q.Values(given[q.Name], now)
		if err != nil {
			return err
		}
		say("%02d %s", q.Number, q.Name)
		m, err := b.question(ctx, q, values)
		if err != nil {
			return fmt.Errorf("%s: %w", q.Name, err)
		}
		b.page.questions = append(b.page.questions, m)
	}
	return nil
}

func (b *bench) question(ctx context.Context, q ask.Query, values map[string]string) (m measure, err error) {
	m.name = q.Name
	parameters := url.Values{"max_memory_usage": {fmt.Sprint(questionMemory)}, "use_query_condition_cache": {"0"}}
	for name, value := range values {
		parameters["param_"+name] = []string{value}
	}
	if b.page.cold, err = b.forget(ctx); err != nil {
		return m, err
	}
	for range b.runs + 1 {
		a, err := b.ask(ctx, q.SQL, parameters)
		if err != nil {
			return m, err
		}
		m.now = append(m.now, a.took) // the first is cold
		m.bytes, m.rows = a.Statistics.Bytes, a.Statistics.Rows
	}
	return m, nil
}

// forget empties the engine's caches, and the system's where it may.
func (b *bench) forget(ctx context.Context) (system bool, err error) {
	for _, cache := range []string{"MARK", "UNCOMPRESSED", "QUERY CONDITION", "INDEX MARK", "INDEX UNCOMPRESSED"} {
		if _, err := b.ask(ctx, "SYSTEM DROP "+cache+" CACHE", nil); err != nil {
			return false, err
		}
	}
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0) == nil, nil
}

// storage tells what the crashes take.
func (b *bench) storage(ctx context.Context) error {
	db, err := b.open()
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // only asked
	b.page.stats, err = db.Stats(ctx)
	return err
}

func (b *bench) open() (*clickhouse.DB, error) {
	return clickhouse.Open("http://aftershock:"+b.token+"@"+b.listen, nil)
}

// measure is how long a statement took, each time.
type measure struct {
	name        string
	now, before []time.Duration
	bytes, rows uint64
}

// median is that of the runs after the first.
func median(of []time.Duration) time.Duration {
	if len(of) < 2 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of[1:]))
	return sorted[len(sorted)/2]
}
