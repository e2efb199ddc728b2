// Package bugs knows which bugs are about which signatures, and how they stand: it reads lists of
// them (csv.go), and asks trackers (tracker.go).
//
// Everything of a bug may be seen by anybody. So a Bugzilla is asked without a key, which would see
// what its owner does. GitHub is asked with a token if there is one, for it takes few requests
// without; a repository that is not public is refused then.
package bugs

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"aftershock/sinks/clickhouse"
)

// MaxText is of one field of a bug, in bytes.
const MaxText = 4096

// Limits of a list.
type Limits struct{ Bytes, Bugs int }

// MaxImported are of a list that an operator imports, and MaxPushed of one that comes by HTTP.
var (
	MaxImported = Limits{64 << 20, 1_000_000}
	MaxPushed   = Limits{16 << 20, 100_000}
)

// ReadCSV reads a list: CSV with a line of names first, in any order: signature, bug, and perhaps
// url, summary and state. Other columns are left out. It is read whole, or refused.
func ReadCSV(in io.Reader, most Limits) ([]clickhouse.Bug, error) {
	limited := &io.LimitedReader{R: in, N: int64(most.Bytes) + 1}
	rows := csv.NewReader(limited)
	names, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("want a line of names: %w", err)
	}
	for i := range names {
		names[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(names[i], "\uFEFF")))
	}
	for _, needed := range []string{"signature", "bug"} {
		if !slices.Contains(names, needed) {
			return nil, fmt.Errorf("want the columns signature and bug, have %.200q", names)
		}
	}
	var all []clickhouse.Bug
	for {
		row, err := rows.Read()
		switch {
		case limited.N <= 0:
			return nil, fmt.Errorf("more than %d bytes", most.Bytes)
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case len(all) == most.Bugs:
			return nil, fmt.Errorf("more than %d bugs", most.Bugs)
		}
		var b clickhouse.Bug
		for i, value := range row {
			field := fieldOf(&b, names[i])
			switch {
			case field == nil:
			case len(value) > MaxText || !utf8.ValidString(value):
				line, _ := rows.FieldPos(i)
				return nil, fmt.Errorf("line %d: %s is longer than %d bytes, or no text", line, names[i], MaxText)
			default:
				*field = strings.TrimSpace(value)
			}
		}
		if b.Signature == "" || b.Bug == "" {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("line %d: want a signature and a bug", line)
		}
		all = append(all, b)
	}
}

// fieldOf is the field that a column fills, nil for none.
func fieldOf(b *clickhouse.Bug, column string) *string {
	switch column {
	case "signature":
		return &b.Signature
	case "bug":
		return &b.Bug
	case "url":
		return &b.URL
	case "summary":
		return &b.Summary
	case "state":
		return &b.State
	}
	return nil
}
