package clickhouse

import (
	"context"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"aftershock/schema"
)

// Lacking is a crash that lacks symbols which have come, as a signature version has it.
type Lacking struct {
	CrashID   string
	Version   int32
	Day       time.Time
	Revision  int64
	Signature string
	Raw       schema.Position
	Modules   []string // <debug file>/<debug id>, of those that have come
}

// Arrived is what Lacking looks for.
type Arrived struct {
	Events []schema.SymbolsEvent
	// Upto is the offset of crash.symbols behind the last of them. Crashes that were asked
	// for with it are not asked for again.
	Upto     int64
	Versions []int32
}

// lackingQuery: a module that was not found lacks what has come, and one that was found lacks
// another text, unless that tells less. What nobody has read is another text where lines
// of the one that was there made no sense. Ids are compared in capitals: rows have them as
// the dumps do.
const lackingQuery = `
WITH ? AS keys, ? AS texts, ? AS worse,
    arrayFilter((key, outcome, text) -> key != '' AND (
            outcome IN ('missing', 'denied', 'timeout', 'error', 'malformed')
            OR (outcome IN ('found', 'found_lossy') AND texts[indexOf(keys, key)] != '' AND text != texts[indexOf(keys, key)] AND NOT worse[indexOf(keys, key)])
            OR (outcome = 'found_lossy' AND texts[indexOf(keys, key)] = '')),
        arrayMap((name, id) -> if(has(keys, concat(name, '/', upper(id))), concat(name, '/', upper(id)), ''), modules.debug_file, modules.debug_id),
        modules.symbols, modules.symbols_sha256) AS lacked
SELECT toString(crash_id), toInt32(signature_version), toInt64(revision), signature, raw_topic, raw_partition, raw_offset, lacked
FROM aftershock.$rows FINAL
WHERE signature_version IN (?) AND day = ? AND hasAny(arrayMap(id -> upper(id), modules.debug_id), ?) AND notEmpty(lacked)
    AND (signature_version, crash_id) NOT IN (SELECT signature_version, crash_id FROM aftershock.heals WHERE upto = ?)
ORDER BY raw_topic, raw_partition, raw_offset, signature_version`

const (
	// mostAskedBytes of events stand in one query: servers take 256 KiB by default.
	mostAskedBytes = 128 << 10
	// MostKeyBytes bounds an event's module: no crash that is stored has a longer one.
	MostKeyBytes = 16 << 10
)

// Parts are arrivals of which each fits a query. A crash that lacks modules of several comes
// once if what is known of one part is stored (Asked) before the next is looked for.
func (a Arrived) Parts() (out []Arrived) {
	part := func(events []schema.SymbolsEvent) {
		out = append(out, Arrived{Events: events, Upto: a.Upto, Versions: a.Versions})
	}
	from, bytes := 0, 0
	for i := range a.Events {
		e := &a.Events[i]
		const around = 32                                                   // quotation marks, commas, a truth
		n := 2*len(e.DebugFile) + 2*len(e.DebugID) + len(e.SHA256) + around // escaped
		if bytes += n; bytes > mostAskedBytes && i > from {
			part(a.Events[from:i])
			from, bytes = i, n
		}
	}
	part(a.Events[from:])
	return out
}

// EachLacking hands on the crashes of a population and a day that lack what has come, until
// each fails: in the order of the raw topic, because that is how they are read back fastest.
func (db *DB) EachLacking(ctx context.Context, p Population, day time.Time, a Arrived, each func(Lacking) error) error {
	var keys, texts, ids clickhouse.ArraySet
	var worse clickhouse.ArraySet
	for _, e := range a.Events {
		id := strings.ToUpper(e.DebugID)
		keys, texts, ids = append(keys, e.DebugFile+"/"+id), append(texts, e.SHA256), append(ids, id)
		worse = append(worse, e.Worse)
	}
	if len(keys) == 0 || len(a.Versions) == 0 {
		return nil
	}
	return db.scan(ctx, p.SQL(lackingQuery), func(scan func(...any) error) error {
		l := Lacking{Day: day}
		if err := scan(&l.CrashID, &l.Version, &l.Revision, &l.Signature, &l.Raw.Topic, &l.Raw.Partition, &l.Raw.Offset, &l.Modules); err != nil {
			return err
		}
		return each(l)
	}, keys, texts, worse, a.Versions, day.Format(time.DateOnly), ids, a.Upto)
}

// DaysSince are the days of which versions have rows, the last first.
func (db *DB) DaysSince(ctx context.Context, versions []int32, since time.Time) (days []time.Time, err error) {
	if len(versions) == 0 {
		return nil, nil
	}
	err = db.scan(ctx, "SELECT DISTINCT day FROM aftershock.days WHERE signature_version IN (?) AND day >= ? ORDER BY day DESC", func(scan func(...any) error) error {
		var day time.Time
		if err := scan(&day); err != nil {
			return err
		}
		days = append(days, day)
		return nil
	}, versions, since.Format(time.DateOnly))
	return days, err
}

// Asked stores that crashes of a population were asked for again.
func (db *DB) Asked(ctx context.Context, p Population, upto int64, at time.Time, crashes []Lacking) error {
	err := db.batch(ctx, "INSERT INTO aftershock.heals (upto, asked_at, kind, signature_version, day, crash_id, revision, signature, modules)", func(add func(...any) error) error {
		for _, c := range crashes {
			if err := add(uint64(upto), at, p.Kind, uint32(c.Version), c.Day, c.CrashID, uint64(c.Revision), c.Signature, c.Modules); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return named(err)
	}
	return nil
}

// Healed is what became of the crashes of one signature that were asked for because symbols
// had come.
type Healed struct {
	Upto int64 `json:"upto"` // of the pass
	// Asked is when the first of them was asked for.
	Asked        time.Time `json:"asked"`
	Version      int32     `json:"signature_version"`
	OldSignature string    `json:"old_signature"`
	// NewSignature is empty of crashes that have not been made again, or are gone.
	NewSignature string `json:"new_signature"`
	Crashes      int64  `json:"crashes"`
	// Whole are those of them that lack nothing more of what had come.
	Whole int64 `json:"whole"`
}

// healedQuery looks up the rows of what was asked for: the crash id says the day, and the
// partition as well.
const healedQuery = `
WITH asked AS (SELECT * FROM aftershock.heals FINAL WHERE asked_at >= ? AND kind = ?)
SELECT toInt64(a.upto), min(a.asked_at), toInt32(a.signature_version), a.signature, if(c.revision > a.revision, c.signature, '') AS now,
    toInt64(count()), toInt64(countIf(c.revision > a.revision AND NOT hasAny(a.modules, c.lacks)))
FROM asked AS a
LEFT JOIN
(
    SELECT signature_version, crash_id, revision, signature,
        arrayFilter((key, outcome) -> outcome IN ('missing', 'denied', 'timeout', 'error', 'malformed'),
            arrayMap((name, id) -> concat(name, '/', upper(id)), modules.debug_file, modules.debug_id), modules.symbols) AS lacks
    FROM aftershock.$rows FINAL
    WHERE day IN (SELECT day FROM asked) AND (signature_version, crash_id) IN (SELECT signature_version, crash_id FROM asked)
) AS c ON c.signature_version = a.signature_version AND c.crash_id = a.crash_id
GROUP BY a.upto, a.signature_version, a.signature, now
ORDER BY a.upto DESC, count() DESC, a.signature, now, a.signature_version
LIMIT ?`

// EachHealed hands on what became of the crashes of a population that were asked for since a
// time: by pass, the last first, and the most crashes first. limit bounds the rows.
func (db *DB) EachHealed(ctx context.Context, l Limits, p Population, since time.Time, limit int, each func(Healed) error) error {
	rows, err := db.Query(ctx, l, p.SQL(healedQuery), since.UTC(), p.Kind, limit)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		var h Healed
		if err := rows.Scan(&h.Upto, &h.Asked, &h.Version, &h.OldSignature, &h.NewSignature, &h.Crashes, &h.Whole); err != nil {
			return named(err)
		}
		if err := each(h); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return named(err)
	}
	return nil
}

// Sought is a module that crashes lack, and how many do.
type Sought struct {
	DebugFile, DebugID string
	Crashes            int64
}

// MostSought are the modules that most reports of versions lack since a day, at most limit.
func (db *DB) MostSought(ctx context.Context, versions []int32, since time.Time, limit int) (sought []Sought, err error) {
	if len(versions) == 0 {
		return nil, nil
	}
	err = db.scan(ctx, Reports.SQL(`
SELECT name, id, toInt64(count()) AS crashes
FROM aftershock.$rows FINAL
ARRAY JOIN modules.debug_file AS name, modules.debug_id AS id, modules.symbols AS outcome
WHERE signature_version IN (?) AND day >= ? AND outcome IN ('missing', 'denied', 'timeout', 'error', 'malformed') AND id != ''
GROUP BY name, id
ORDER BY crashes DESC, name, id
LIMIT ?`), func(scan func(...any) error) error {
		var s Sought
		if err := scan(&s.DebugFile, &s.DebugID, &s.Crashes); err != nil {
			return err
		}
		sought = append(sought, s)
		return nil
	}, versions, since.Format(time.DateOnly), limit)
	return sought, err
}

// Missing is a module of which no source had symbols.
type Missing struct {
	DebugFile, DebugID, CodeFile, CodeID string
	Version                              string // of the module
	// Crashes lack it, and Signatures are theirs: names behind which it may hide.
	Crashes, Signatures int64
	First, Last         time.Time
	Said                []string // outcomes: what sources said
}

// MissingSymbols are the modules that most reports lack which are seen and were received since a
// time, at most limit.
func (db *DB) MissingSymbols(ctx context.Context, l Limits, since time.Time, limit int) (all []Missing, err error) {
	rows, err := db.Query(ctx, l, `
SELECT name, id, any(filename), any(code), any(built), toInt64(count()) AS crashes, toInt64(uniqExact(signature_id)), min(received_at), max(received_at), arraySort(groupUniqArray(CAST(outcome, 'String')))
FROM aftershock.crashes
ARRAY JOIN modules.debug_file AS name, modules.debug_id AS id, modules.filename AS filename, modules.code_id AS code, modules.version AS built, modules.symbols AS outcome
WHERE day >= ? AND received_at >= ? AND outcome IN ('missing', 'denied', 'timeout', 'error', 'malformed')
GROUP BY name, id
ORDER BY crashes DESC, name, id
LIMIT ?`, since.UTC().AddDate(0, 0, -1).Format(time.DateOnly), since.UTC(), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		var m Missing
		if err := rows.Scan(&m.DebugFile, &m.DebugID, &m.CodeFile, &m.CodeID, &m.Version, &m.Crashes, &m.Signatures, &m.First, &m.Last, &m.Said); err != nil {
			return nil, named(err)
		}
		all = append(all, m)
	}
	if err := rows.Err(); err != nil {
		return nil, named(err)
	}
	return all, nil
}
