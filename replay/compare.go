package replay

import (
	"context"
	"errors"

	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// Compare is the diff of what two versions made of reports, with examples that are explained.
// limit bounds the pairs and changes that are listed.
func (o *Operator) Compare(ctx context.Context, db *clickhouse.DB, a, b int32, limit int, limits clickhouse.Limits) (*Diff, error) {
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return nil, err
	}
	if state == nil {
		return nil, errors.New("crash.versions is empty")
	}
	_, was, err := version(state, a)
	if err != nil {
		return nil, err
	}
	_, is, err := version(state, b)
	if err != nil {
		return nil, err
	}
	q := DiffQuery{A: was, B: is, Limit: limit, Limits: limits}
	d, err := q.Run(ctx, db)
	if err != nil {
		return nil, err
	}
	return d, d.Explain(ctx, db, o.Kafka, was, is)
}
