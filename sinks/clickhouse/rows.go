package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"aftershock/redact"
	"aftershock/schema"
	"aftershock/sinks"
)

// column is a column of a table and where its value comes from.
type column struct {
	name  string
	value func(r *row) any
}

// row is what both tables' rows are made of.
type row struct {
	p   *schema.ProcessedCrash
	pub *schema.TelemetryCrash
	at  schema.Position
	// Nested columns, one slice a column.
	stack   stack
	modules modules
}

var _ sinks.Sink = (*DB)(nil)

// Write stores the rows in both databases.
func (db *DB) Write(ctx context.Context, in []sinks.Row) error {
	rows := make([]row, len(in))
	for i := range in {
		pub, err := redact.Public(in[i].Processed, db.Annotations)
		if err != nil {
			return &sinks.RefusedError{Code: "public_view", Err: err}
		}
		rows[i] = row{p: in[i].Processed, pub: pub, at: in[i].Position, stack: newStack(pub.Frames), modules: newModules(pub.Modules)}
	}
	for _, t := range tables {
		if err := db.insert(ctx, t, rows); err != nil {
			return fmt.Errorf("insert into %s: %w", t.name, refused(err))
		}
	}
	return nil
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

// table is where rows go: the statement is made once.
type table struct {
	name    string
	columns []column
	insert  string
}

func newTable(name string, columns ...column) table {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = "`" + c.name + "`"
	}
	return table{name: name, columns: columns, insert: "INSERT INTO " + name + " (" + strings.Join(names, ", ") + ")"}
}

var tables = []table{
	newTable("aftershock.crash_rows", append(keyColumns(), publicColumns()...)...),
	newTable("aftershock_protected.crash_rows", append(keyColumns(), protectedColumns()...)...),
}

func (db *DB) insert(ctx context.Context, t table, rows []row) (err error) {
	b, err := db.conn.PrepareBatch(ctx, t.insert)
	if err != nil {
		return err
	}
	defer b.Close() //nolint:errcheck // after Send it does nothing; before, the error is known
	return appendRows(b, t, rows)
}

func appendRows(b driver.Batch, t table, rows []row) error {
	values := make([]any, len(t.columns))
	for i := range rows {
		for j := range t.columns {
			values[j] = t.columns[j].value(&rows[i])
		}
		if err := b.Append(values...); err != nil { // nothing has been sent
			return &sinks.RefusedError{Code: "append", Err: err}
		}
	}
	return b.Send()
}

// version orders the results of one crash within a signature version: by
// revision, then the lower raw offset wins, because the first raw record of a
// crash id is the crash.
func version(revision, rawOffset int64) *big.Int {
	v := new(big.Int).Lsh(big.NewInt(revision), 64)
	return v.Or(v, new(big.Int).SetUint64(math.MaxUint64-uint64(rawOffset)))
}

func keyColumns() []column {
	return []column{
		{"signature_version", func(r *row) any { return uint32(r.p.SignatureVersion) }},
		{"day", func(r *row) any { return crashDay(r.p.CrashID) }},
		{"crash_id", func(r *row) any { return r.p.CrashID }},
		{"received_at", func(r *row) any { return r.p.ReceivedAt }},
		{"revision", func(r *row) any { return uint64(r.p.Revision) }},
		{"ver", func(r *row) any { return version(r.p.Revision, r.p.Raw.Offset) }},
		{"raw_topic", func(r *row) any { return r.p.Raw.Topic }},
		{"raw_partition", func(r *row) any { return r.p.Raw.Partition }},
		{"raw_offset", func(r *row) any { return r.p.Raw.Offset }},
		{"processed_topic", func(r *row) any { return r.at.Topic }},
		{"processed_partition", func(r *row) any { return r.at.Partition }},
		{"processed_offset", func(r *row) any { return r.at.Offset }},
	}
}
