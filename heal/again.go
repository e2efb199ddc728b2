package heal

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
	"aftershock/symbolcache"
)

// Who processed a crash just before symbols came wrote that it lacks them, and its row may
// reach the tables when the pass has looked already. So each pass is made again: settleTime
// after its events, when nobody works on a crash any more with what was known before them,
// and not before the sinks have stored what was written by then. Until then its events are
// not committed.

const (
	// settleTime is more than a crash waits for a symbol server while it remembers that another
	// module is missing.
	settleTime = symbolcache.DefaultLoadTimeout + time.Minute
	// mostOwed passes wait to be made again; more events wait for them.
	mostOwed = 1000
	// againPause is between looks at whether one can be.
	againPause = time.Second
)

// owed is a pass that is to be made again.
type owed struct {
	records []*kgo.Record
	due     time.Time
	// ends are those of the processed topics at that time, by version; nil before it.
	ends map[int32]map[int32]int64
}

func (h *Healer) owe(records []*kgo.Record) *owed {
	settle := settleTime
	if h.Settle > 0 {
		settle = h.Settle
	}
	return &owed{records: records, due: time.Now().Add(settle)}
}

// stored tells whether the tables have everything that was written when a pass was due.
func (h *Healer) stored(ctx context.Context, o *owed) (bool, error) {
	if time.Now().Before(o.due) {
		return false, nil
	}
	if o.ends == nil {
		ends, err := h.processedEnds(ctx)
		if err != nil {
			return false, err
		}
		o.ends = ends
	}
	for v, ends := range o.ends {
		behind, err := h.groups.Behind(ctx, schema.SinkGroup(clickhouse.Name, v), schema.ProcessedTopic(v), ends)
		if err != nil {
			return false, unlessDropped(err)
		}
		if len(behind) > 0 {
			return false, nil
		}
		delete(o.ends, v)
	}
	return true, nil
}

// processedEnds are where the processed topics end that a sink stores.
func (h *Healer) processedEnds(ctx context.Context) (map[int32]map[int32]int64, error) {
	state := h.Versions.Newest()
	all := map[int32]map[int32]int64{}
	for _, v := range askable(state) {
		if state.Version(v).State == schema.StateArchived {
			v = schema.Archived
		}
		group, topic := schema.SinkGroup(clickhouse.Name, v), schema.ProcessedTopic(v)
		begun, err := h.begun(ctx, group, topic)
		if err != nil {
			return nil, err
		}
		if !begun || all[v] != nil { // nobody stores it
			continue
		}
		spans, err := h.groups.Spans(ctx, topic)
		if err = unlessDropped(err); err != nil {
			return nil, err
		}
		all[v] = map[int32]int64{}
		for p, s := range spans {
			all[v][p] = s.End
		}
	}
	return all, nil
}

// begun tells whether a group has members, or has committed anything.
func (h *Healer) begun(ctx context.Context, group, topic string) (bool, error) {
	members, err := h.groups.Members(ctx, group)
	if err != nil || len(members) > 0 {
		return true, err
	}
	offsets, err := h.groups.Offsets(ctx, group, topic)
	return len(offsets) > 0, unlessDropped(err)
}

// unlessDropped is nil when there is no such topic: then its version was dropped, or has
// not begun.
func unlessDropped(err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil
	}
	return err
}

// again makes those passes again of which it is time, the first first, and returns the others.
func (h *Healer) again(ctx context.Context, cl *kgo.Client, all []*owed) ([]*owed, error) {
	for len(all) > 0 {
		o := all[0]
		stored, err := h.stored(ctx, o)
		switch {
		case ctx.Err() != nil:
			return nil, nil //nolint:nilerr // the end was asked for
		case errors.As(err, new(*stream.AccessError)):
			return nil, err
		case err != nil:
			h.ready(err)
			h.Metrics.failed()
			h.Log.Warn().Err(err).Dur("backoff_ms", maxBackoff).Msg("not known whether the tables have all crashes, trying again")
			o.due = time.Now().Add(maxBackoff)
			return all, nil
		case !stored:
			return all, nil
		}
		if err := h.persist(ctx, o.records); err != nil || ctx.Err() != nil {
			return nil, err
		}
		h.commit(ctx, cl, o.records)
		all = all[1:]
	}
	return nil, nil
}

func (h *Healer) commit(ctx context.Context, cl *kgo.Client, records []*kgo.Record) {
	if err := stream.Commit(ctx, cl, schema.TopicSymbols, records); err != nil && ctx.Err() == nil {
		h.Log.Info().Err(err).Str("group", schema.GroupSymbols).Msg("offsets not committed")
	} else if err == nil {
		h.Kafka.Metrics.Committed(schema.GroupSymbols, records)
	}
}
