package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aftershock/generate"
	"aftershock/schema"
	"aftershock/sinks"
	"aftershock/sinks/clickhouse"
)

// generatedRows are the tables of a ClickHouse.
type generatedRows struct{ db *clickhouse.DB }

// openGeneratedRows makes the tables and, where no activation says what the views show, lets
// them show the version.
func openGeneratedRows(r *run, raw string, version int32) (*generatedRows, error) {
	url, err := r.withPassword(raw)
	if err != nil {
		return nil, err
	}
	db, err := openClickHouse(url)
	if err != nil {
		return nil, err
	}
	err = migrate(r.ctx, db, url, r.log)
	epoch := int64(0)
	if err == nil {
		epoch, err = db.Epoch(r.ctx)
	}
	if err == nil && epoch == 0 {
		err = db.Activate(r.ctx, schema.Activation{Epoch: 1, Ranges: []schema.ActiveRange{{From: schema.TimeBegin, To: schema.TimeEnd, SignatureVersion: version}}})
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &generatedRows{db}, nil
}

func (t *generatedRows) foreign(ctx context.Context) (_ string, err error) {
	rows, err := t.db.Query(ctx, clickhouse.Limits{}, "SELECT count() FROM aftershock.crash_rows WHERE raw_topic != ?", generate.RawTopic)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var n uint64
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			return "", err
		}
	}
	if err := rows.Err(); err != nil || n == 0 {
		return "", err
	}
	return fmt.Sprintf("the tables hold %d rows of crashes that are not generated", n), nil
}

func (t *generatedRows) write(ctx context.Context, g *generate.Crashes, from, to int) error {
	rows := make([]sinks.Row, 0, to-from)
	for i := from; i < to; i++ {
		rows = append(rows, sinks.Row{Processed: g.At(i), Position: g.Position(i)})
	}
	// As a sink does: a server that merges much at the moment has no memory for a block, and has
	// it a second later. What is there already is stored once.
	for tried := 1; ; tried++ {
		err := t.db.Write(ctx, rows)
		if err == nil || tried == generateTries || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// generateTries is how often a block is written at most.
const generateTries = 5

func (t *generatedRows) close() error { return t.db.Close() }
