package ask

import (
	"context"
	"encoding/json"

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
	err = stacks.each(ctx, db, values, maxRowBytes, func(line []byte) error {
		var one Stack
		if err := json.Unmarshal(line, &one); err != nil {
			return err
		}
		all = append(all, one)
		return nil
	})
	return all, err
}
