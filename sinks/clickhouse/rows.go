package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"aftershock/redact"
	"aftershock/schema"
	"aftershock/sinks"
)

// row is what the rows of both databases are made of.
type row struct {
	p   *schema.ProcessedCrash
	pub *schema.TelemetryCrash
	at  schema.Position
	id  uuid.UUID
	day time.Time
}

var _ sinks.Sink = (*DB)(nil)

// shares of a large batch are written at once: one is made while the server stores another.
// A share of fewer than leastShare rows is not worth the part that it becomes.
const (
	shares     = 2
	leastShare = 1000
)

// Write stores the rows of each population in its tables, in both databases.
func (db *DB) Write(ctx context.Context, in []sinks.Row) error {
	if len(in) < shares*leastShare {
		return db.write(ctx, in)
	}
	var writes errgroup.Group
	for share := range slices.Chunk(in, (len(in)+shares-1)/shares) {
		writes.Go(func() error { return db.write(ctx, share) })
	}
	return writes.Wait()
}

// write stores what is public first: what is refused there is nowhere.
func (db *DB) write(ctx context.Context, in []sinks.Row) error {
	rows, err := db.rows(ctx, in)
	if err != nil {
		return err
	}
	for _, of := range Populations {
		if err := db.announce(ctx, rows[of]); err != nil {
			return err
		}
	}
	for _, t := range tables {
		if len(rows[t.of]) == 0 {
			continue
		}
		if err := db.insert(ctx, t, rows[t.of]); err != nil {
			return fmt.Errorf("insert into %s: %w", t.name, refused(err))
		}
	}
	return nil
}

// rows makes the public view of each crash, and takes the populations apart.
func (db *DB) rows(ctx context.Context, in []sinks.Row) (map[Population][]row, error) {
	rows := map[Population][]row{}
	for i := range in {
		p := in[i].Processed
		if p.Revision < 0 { // ver would wrap round and win over every other
			return nil, &sinks.RefusedError{Code: "negative_revision", Err: fmt.Errorf("revision %d: want 0 or more", p.Revision)}
		}
		registry := db.Annotations
		if db.Registries != nil {
			var err error
			if registry, err = db.Registries(ctx, p.RegistryHash); err != nil {
				return nil, err
			}
		}
		pub, err := redact.Public(p, registry)
		if err != nil {
			return nil, &sinks.RefusedError{Code: "public_view", Err: err}
		}
		id, err := uuid.Parse(p.CrashID) // of the form of a crash id, which is lower case
		if err != nil {
			return nil, &sinks.RefusedError{Code: "crash_id", Err: err}
		}
		of := PopulationOf(p.Kind)
		if rows[of] == nil {
			rows[of] = make([]row, 0, len(in))
		}
		rows[of] = append(rows[of], row{p: p, pub: pub, at: in[i].Position, id: id, day: crashDay(p.CrashID)})
	}
	return rows, nil
}

// refusals are the codes of ClickHouse's exceptions that blame the data: sent
// again, the rows meet the same. Everything else may pass.
var refusals = map[int32]string{
	6: "cannot_parse_text", 27: "cannot_parse_input", 33: "cannot_read_all_data", 41: "cannot_parse_datetime", 53: "type_mismatch",
	69: "argument_out_of_bound", 70: "cannot_convert_type", 72: "cannot_parse_number", 117: "incorrect_data", 131: "too_large_string_size",
	128: "too_large_array_size", 190: "sizes_of_arrays_differ", 349: "cannot_insert_null", 407: "decimal_overflow", 469: "violated_constraint",
}

// refused makes a sinks.RefusedError of what blames the rows.
func refused(err error) error {
	var exception *ch.Exception
	if errors.As(err, &exception) {
		if code, ok := refusals[exception.Code]; ok {
			return &sinks.RefusedError{Code: code, Err: err}
		}
	}
	return err
}

// table is where a population's rows go: the statement is made once.
type table struct {
	of      Population
	name    string
	columns []column
	insert  string
	kept    chan *block
}

func newTable(of Population, name string, columns ...column) *table {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = "`" + c.name + "`"
	}
	return &table{
		of: of, name: name, columns: columns, insert: "INSERT INTO " + name + " (" + strings.Join(names, ", ") + ")",
		kept: make(chan *block, maxKeptBlocks),
	}
}

var tables = newTables()

func newTables() (all []*table) {
	for _, p := range Populations {
		all = append(all,
			newTable(p, "aftershock."+p.Rows, slices.Concat(keyColumns(), publicColumns(), factColumns(), annotationColumns(schema.ClassPublic))...),
			newTable(p, "aftershock_protected."+p.Rows, slices.Concat(keyColumns(), protectedColumns(), protectedFactColumns(), annotationColumns(schema.ClassProtected))...))
	}
	return all
}

// anyDays lets a block have rows of more days than the server's 100: those of a quiet product
// that is replayed.
var anyDays = ch.Settings{"max_partitions_per_insert_block": 0}

// insert sends the rows as one block.
func (db *DB) insert(ctx context.Context, t *table, rows []row) error {
	b := t.block()
	body, err := b.pack(rows)
	if err != nil {
		return err
	}
	if err := db.conn.InsertFormat(ch.Context(ctx, ch.WithSettings(anyDays)), "Native", t.insert, frames{bytes.NewReader(body)}); err != nil {
		return err // and the block is left alone: a request that failed may still be sending it
	}
	t.keep(b)
	return nil
}

// version orders the results of one crash within a signature version: by
// revision, then the lower raw offset wins, because the first raw record of a
// crash id is the crash.
func version(revision, rawOffset int64) chproto.UInt128 {
	return chproto.UInt128{High: uint64(revision), Low: math.MaxUint64 - uint64(rawOffset)}
}

func keyColumns() []column {
	return []column{
		{"signature_version", one(uint32s, func(r *row) uint32 { return uint32(r.p.SignatureVersion) })},
		{"day", one(days, func(r *row) time.Time { return r.day })},
		{"crash_id", one(uuids, func(r *row) uuid.UUID { return r.id })},
		{"received_at", one(milliseconds, func(r *row) time.Time { return r.p.ReceivedAt })},
		{"revision", one(uint64s, func(r *row) uint64 { return uint64(r.p.Revision) })},
		{"ver", one(uint128s, func(r *row) chproto.UInt128 { return version(r.p.Revision, r.p.Raw.Offset) })},
		{"raw_topic", one(word, func(r *row) string { return r.p.Raw.Topic })},
		{"raw_partition", one(int32s, func(r *row) int32 { return r.p.Raw.Partition })},
		{"raw_offset", one(int64s, func(r *row) int64 { return r.p.Raw.Offset })},
		{"processed_topic", one(word, func(r *row) string { return r.at.Topic })},
		{"processed_partition", one(int32s, func(r *row) int32 { return r.at.Partition })},
		{"processed_offset", one(int64s, func(r *row) int64 { return r.at.Offset })},
	}
}
