package ask

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"aftershock/internal/spreadsheet"
	"aftershock/sinks/clickhouse"
)

// Answer is a table: every value as a person reads it, empty for NULL.
type Answer struct {
	Columns []Column
	Rows    [][]string
}

// Column is a column of an Answer. Type is ClickHouse's.
type Column struct{ Name, Type string }

// Numeric tells whether the column's values are numbers.
func (c Column) Numeric() bool {
	for _, kind := range []string{"UInt", "Int", "Float", "Decimal"} {
		if strings.HasPrefix(strings.TrimPrefix(c.Type, "Nullable("), kind) {
			return true
		}
	}
	return false
}

// Moments tells whether the column's values are times, in UTC. A day is none.
func (c Column) Moments() bool {
	return strings.HasPrefix(strings.TrimPrefix(c.Type, "Nullable("), "DateTime")
}

// Moments tells whether the field's values are times, in UTC. A day is none.
func (f Field) Moments() bool { return Column{Type: f.Type}.Moments() }

const (
	// maxRows of an Answer; Stream has no bound.
	maxRows = 100_000
	// maxRowBytes of one row.
	maxRowBytes = 4 << 20
)

// Stream writes the answer as ClickHouse does in one of its formats. values are those that
// Values returned.
func (q Query) Stream(ctx context.Context, db *clickhouse.DB, values map[string]string, format string, w io.Writer) error {
	body, err := send(ctx, db, q.SQL, values, format)
	if err != nil {
		return fmt.Errorf("%s: %w", q.Name, err)
	}
	_, err = io.Copy(w, body)
	if closed := body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("%s: %w", q.Name, err)
	}
	return nil
}

// CSV writes the answer as CSV with a line of names. Values are as Ask has them, and no cell is a
// formula where the table is opened.
func (q Query) CSV(ctx context.Context, db *clickhouse.DB, values map[string]string, w io.Writer) error {
	body, err := send(ctx, db, q.SQL, values, "JSONCompactEachRowWithNames")
	if err != nil {
		return fmt.Errorf("%s: %w", q.Name, err)
	}
	defer body.Close() //nolint:errcheck // read to the end below, or given up
	out := csv.NewWriter(w)
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxRowBytes)
	for lines.Scan() {
		var values []json.RawMessage
		if err := json.Unmarshal(lines.Bytes(), &values); err != nil {
			return fmt.Errorf("%s: %w", q.Name, err)
		}
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = shown(v)
		}
		if err := out.Write(spreadsheet.Row(cells)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", q.Name, err)
	}
	out.Flush()
	return out.Error()
}

// inUTC makes the server take times and days of a statement for UTC, as Values writes them,
// wherever it stands.
var inUTC = ch.Settings{"session_timezone": "UTC"}

// send asks a statement with its parameters, for an answer in one of ClickHouse's formats. A Memory
// that ctx is In may answer.
func send(ctx context.Context, db *clickhouse.DB, sql string, values map[string]string, format string) (io.ReadCloser, error) {
	return recall(ctx, db, sql, values, format, func() (io.ReadCloser, error) {
		return db.Conn().QueryFormat(ch.Context(ctx, ch.WithParameters(values), ch.WithSettings(inUTC)), format, sql)
	})
}

// Ask reads the answer. More than 100,000 rows are an error.
func (q Query) Ask(ctx context.Context, db *clickhouse.DB, values map[string]string) (*Answer, error) {
	return Statement{q.Name, q.SQL}.Ask(ctx, db, values)
}

// readAnswer reads names, types and rows, a JSON array a line.
func readAnswer(r io.Reader) (*Answer, error) {
	a := &Answer{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxRowBytes)
	for n := 0; lines.Scan(); n++ {
		var values []json.RawMessage
		if err := json.Unmarshal(lines.Bytes(), &values); err != nil {
			return nil, err
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = shown(v)
		}
		switch n {
		case 0:
			for _, name := range row {
				a.Columns = append(a.Columns, Column{Name: name})
			}
		case 1:
			for i, kind := range row {
				a.Columns[i].Type = kind
			}
		default:
			if len(a.Rows) == maxRows {
				return nil, fmt.Errorf("more than %d rows: ask for CSV or JSON, or for less", maxRows)
			}
			a.Rows = append(a.Rows, row)
		}
	}
	return a, lines.Err()
}

// shown is a JSON value as a person reads it: a text without quotes, a list with commas, and
// null as nothing.
func shown(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	var list []json.RawMessage
	if json.Unmarshal(v, &list) == nil && string(v) != "null" {
		var all []string
		for _, e := range list {
			all = append(all, shown(e))
		}
		return strings.Join(all, ", ")
	}
	if string(v) == "null" {
		return ""
	}
	return string(v)
}
