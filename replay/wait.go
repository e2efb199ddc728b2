package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aftershock/schema"
	"aftershock/stream"
)

// pollPause is between two looks at what is waited for.
const pollPause = 200 * time.Millisecond

// await asks until nothing is left to wait for. left says what is, for people. It
// rides out errors: brokers may be away for a moment.
func (o *Operator) await(ctx context.Context, what string, left func(context.Context) (string, error)) error {
	told := time.Now()
	for {
		text, err := left(ctx)
		if err == nil && text == "" {
			return nil
		}
		if errors.As(err, new(*stream.AccessError)) {
			return err
		}
		if time.Since(told) > tellEach {
			told = time.Now()
			o.tell(fmt.Sprintf("waiting for %s: %s", what, orError(text, err)))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %s: %w", what, orError(text, err), context.Cause(ctx))
		case <-time.After(pollPause):
		}
	}
}

// tellEach is how often people are told that something is waited for.
const tellEach = 2 * time.Second

func orError(text string, err error) string {
	if err != nil {
		return err.Error()
	}
	return text
}

// processing are the groups that make a version's processed crashes.
func processing(n int32) []string {
	return []string{schema.ProcessGroup(n), schema.ReprocessGroup(n), schema.ResignGroup(n)}
}

// awaitNobody waits until groups have no members: those that were halted are
// expelled when their sessions time out, and can commit nothing afterwards.
func (o *Operator) awaitNobody(ctx context.Context, g *stream.Groups, groups []string) error {
	return o.await(ctx, "members to leave", func(ctx context.Context) (string, error) {
		members, err := g.Members(ctx, groups...)
		if err != nil || len(members) == 0 {
			return "", err
		}
		return strings.Join(slices.Sorted(maps.Keys(members)), ", "), nil
	})
}

// stopped waits until nobody processes a version any more, and tells how far it
// has come.
func (o *Operator) stopped(ctx context.Context, g *stream.Groups, v *schema.SignatureVersion) (stop, error) {
	if err := o.awaitNobody(ctx, g, processing(v.Number)); err != nil {
		return stop{}, err
	}
	raw, err := come(ctx, g, schema.ProcessGroup(v.Number), schema.TopicRaw, v.Begins)
	if err != nil {
		return stop{}, err
	}
	requests, err := come(ctx, g, schema.ReprocessGroup(v.Number), schema.TopicReprocess, v.BaseRequests)
	return stop{raw, requests}, err
}

// come is how far a group has come in every partition of a topic. Where it has
// committed nothing, it is where it began.
func come(ctx context.Context, g *stream.Groups, group, topic string, begins []schema.PartitionOffset) ([]schema.PartitionOffset, error) {
	offsets, err := g.Offsets(ctx, group, topic)
	if err != nil {
		return nil, err
	}
	spans, err := g.Spans(ctx, topic)
	if err != nil {
		return nil, err
	}
	at := map[int32]int64{}
	for p, s := range spans {
		at[p] = s.From
	}
	for _, b := range begins {
		at[b.Partition] = b.Offset
	}
	maps.Copy(at, offsets)
	return partitionOffsets(at), nil
}

func partitionOffsets(at map[int32]int64) []schema.PartitionOffset {
	out := make([]schema.PartitionOffset, 0, len(at))
	for _, p := range slices.Sorted(maps.Keys(at)) {
		out = append(out, schema.PartitionOffset{Partition: p, Offset: at[p]})
	}
	return out
}

// raise lets until be at least the offsets.
func raise(until map[int32]int64, offsets []schema.PartitionOffset) {
	for _, o := range offsets {
		until[o.Partition] = max(until[o.Partition], o.Offset)
	}
}

// awaitPassed waits until a group has handled all of a topic before until.
func (o *Operator) awaitPassed(ctx context.Context, g *stream.Groups, group, topic string, until map[int32]int64) error {
	return o.await(ctx, group, func(ctx context.Context) (string, error) {
		behind, err := g.Behind(ctx, group, topic, until)
		if err != nil || len(behind) == 0 {
			return "", err
		}
		return fmt.Sprintf("%d records of %s behind", total(behind), topic), nil
	})
}

func total(of map[int32]int64) (sum int64) {
	for _, n := range of {
		sum += n
	}
	return sum
}

// ends are where a topic ends now, open transactions included.
func ends(ctx context.Context, g *stream.Groups, topic string) (map[int32]int64, error) {
	spans, err := g.Spans(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := map[int32]int64{}
	for p, s := range spans {
		out[p] = s.End
	}
	return out, nil
}
