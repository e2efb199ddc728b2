package ask

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"aftershock/sinks/clickhouse"
)

// Select is a statement of a search, with the values of its parameters. It is made of
// expressions of ours alone.
type Select struct {
	SQL    string            `json:"sql"`
	Params map[string]string `json:"parameters"`
}

// Codes of errors of ClickHouse that say something of what was asked.
const (
	codeTimeout = 159
	codeMemory  = 241
	codeRegex   = 427
)

// maxAnswerBytes of an answer that is held whole.
const maxAnswerBytes = 64 << 20

func (st Select) send(ctx context.Context, db *clickhouse.DB, format string) (io.ReadCloser, error) {
	body, err := send(ctx, db, st.SQL, st.Params, format)
	if err != nil {
		return nil, told(err)
	}
	return body, nil
}

// told is an error of the tables; one that who asks can help is refused.
func told(err error) error {
	var exception *ch.Exception
	if errors.As(err, &exception) {
		switch exception.Code {
		case codeTimeout, codeMemory:
			return refuse("this needs more time or memory than one question may take: ask for less time, fewer columns, or fewer facets")
		case codeRegex:
			return refuse("a regular expression that the tables cannot use")
		}
	}
	return fmt.Errorf("search: %w", err)
}

// rows are the statement's rows, as values of JSON.
func (st Select) rows(ctx context.Context, db *clickhouse.DB) (rows [][]json.RawMessage, err error) {
	size := 0
	err = st.each(ctx, db, func(row []json.RawMessage) error {
		for _, v := range row {
			size += len(v)
		}
		if size > maxAnswerBytes {
			return refuse("an answer of more than %d bytes: ask for fewer columns, or a shorter page", maxAnswerBytes)
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// each hands a statement's rows on as they come.
func (st Select) each(ctx context.Context, db *clickhouse.DB, do func(row []json.RawMessage) error) error {
	body, err := st.send(ctx, db, "JSONCompactEachRow")
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // read to the end below, or given up
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxRowBytes)
	for lines.Scan() {
		var row []json.RawMessage
		if err := json.Unmarshal(bytes.Clone(lines.Bytes()), &row); err != nil {
			return fmt.Errorf("search: %w", err) // what ended within the answer as well
		}
		if err := do(row); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("search: %w", err)
	}
	return nil
}
