package ask

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"aftershock/sinks/clickhouse"
)

// Stack is one that crashes have, from the top as far as a tree goes.
type Stack struct {
	Path    []string `json:"path"`
	Crashes int      `json:"crashes,string"`
	All     int      `json:"all,string"` // crashes of the signature, whatever their stack
	Example string   `json:"example"`    // a crash id
}

// stacks are of a signature's crashes.
var stacks = statement("stacks")

// Stacks of a signature's crashes from the top, those of the most crashes first. Parameters:
// signature, from, to, and the filter's.
func Stacks(ctx context.Context, db *clickhouse.DB, values map[string]string) (all []Stack, err error) {
	body, err := db.Conn().QueryFormat(ch.Context(ctx, ch.WithParameters(values), ch.WithSettings(inUTC)), "JSONEachRow", stacks.sql)
	if err != nil {
		return nil, fmt.Errorf("stacks: %w", err)
	}
	defer body.Close() //nolint:errcheck // read to the end below
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxRowBytes)
	for lines.Scan() {
		var one Stack
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, fmt.Errorf("stacks: %w", err)
		}
		all = append(all, one)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("stacks: %w", err)
	}
	return all, nil
}
