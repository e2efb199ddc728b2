package replay

import (
	"context"
	"fmt"
	"slices"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// Drop removes everything of a version but its number: its rows, its topic, its
// groups. It is refused while the activation names the version, and while another
// one is still being made of it. A replay that runs is ended by it.
//
//	drop     nobody reads or writes the version any more
//	wait     until its groups have no members
//	purge    the partitions of its rows
//	delete   its groups and its topic
//	dropped
//
// When it is killed in between, it goes on with the next call.
func (o *Operator) Drop(ctx context.Context, n int32) error {
	g, err := stream.NewGroups(o.Kafka)
	if err != nil {
		return err
	}
	defer g.Close()
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return err
	}
	making, err := o.making(ctx, g, state, n)
	if err != nil {
		return err
	}
	if err := o.steer(ctx, n, schema.OpDrop, func(now *schema.VersionEvent, n int32) (*schema.VersionEvent, error) {
		return dropping(now, n, making)
	}); err != nil {
		return err
	}
	groups, err := groupsOf(ctx, g, n)
	if err != nil {
		return err
	}
	if err := o.awaitNobody(ctx, g, groups); err != nil {
		return err
	}
	if err := o.DB.Purge(ctx, n); err != nil {
		return err
	}
	if err := g.Delete(ctx, schema.ProcessedTopic(n), groups...); err != nil {
		return err
	}
	return o.insist(ctx, o.stamping(n, schema.OpDropped, dropped))
}

// making are the versions that are still being made of version n.
func (o *Operator) making(ctx context.Context, g *stream.Groups, state *schema.VersionEvent, n int32) (map[int32]bool, error) {
	out := map[int32]bool{}
	if state == nil {
		return out, nil
	}
	if v := state.Version(n); v != nil && v.Gone() {
		return out, nil // nothing was, when that was decided, and its topic may be gone
	}
	for _, v := range state.Versions {
		if v.Base != n || v.Gone() {
			continue
		}
		behind, err := g.Behind(ctx, schema.ResignGroup(v.Number), schema.ProcessedTopic(n), offsetsOf(v.BaseEnds))
		if err != nil {
			return nil, err
		}
		out[v.Number] = len(behind) > 0
	}
	return out, nil
}

// groupsOf are all consumer groups of a version.
func groupsOf(ctx context.Context, g *stream.Groups, n int32) ([]string, error) {
	published, err := g.Named(ctx, fmt.Sprintf("sink.telemetry.v%d.", n))
	if err != nil {
		return nil, err
	}
	return slices.Concat(processing(n), []string{schema.SinkGroup(clickhouse.Name, n)}, published), nil
}
