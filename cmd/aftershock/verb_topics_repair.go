package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"aftershock/replay"
	"aftershock/stream"
)

// topicsRepairVerb is for groups whose offsets are out of range.
type topicsRepairVerb struct {
	operatorFlags
	Group     string `help:"Only that consumer group." placeholder:"NAME"`
	Topic     string `help:"Only that topic." placeholder:"NAME"`
	Partition []int  `help:"Only that partition. Repeat it." placeholder:"N"`
	GoOn      bool   `help:"Let what is listed go on at the first record that there is. Without it nothing is changed."`
	JSON      bool   `name:"json" help:"One JSON object a partition."`
}

// errGoneUnread: somebody has to decide.
var errGoneUnread = errors.New("records are gone that were never consumed, and those partitions rest: --go-on lets them go on behind the gap")

// Run lists what is gone, and lets it go on.
func (v *topicsRepairVerb) Run(r *run) error {
	return v.do(r, func(o *replay.Operator) error {
		groups, err := stream.NewGroups(o.Kafka)
		if err != nil {
			return err
		}
		defer groups.Close()
		gone, err := groups.Gone(r.ctx)
		if err != nil {
			return err
		}
		gone = slices.DeleteFunc(gone, func(g stream.Gone) bool {
			return v.Group != "" && g.Group != v.Group || v.Topic != "" && g.Topic != v.Topic ||
				len(v.Partition) > 0 && !slices.Contains(v.Partition, int(g.Partition))
		})
		for _, g := range gone {
			if v.JSON {
				if err := json.NewEncoder(r.stdout).Encode(g); err != nil {
					return err
				}
				continue
			}
			say(r.stdout, "%s\n", g)
		}
		switch {
		case len(gone) == 0:
			if !v.JSON {
				say(r.stdout, "no group's offset is out of range\n")
			}
			return nil
		case !v.GoOn:
			return fmt.Errorf("%d partitions: %w", len(gone), errGoneUnread)
		}
		if err := o.Repair(r.ctx, gone); err != nil {
			return err
		}
		if !v.JSON {
			say(r.stdout, "%d partitions go on at the first record that there is; members notice within 10 seconds\n", len(gone))
		}
		return nil
	})
}
