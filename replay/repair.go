package replay

import (
	"context"
	"errors"
	"fmt"

	"aftershock/schema"
	"aftershock/stream"
)

// maxNamedGone is how many partitions the event names.
const maxNamedGone = 100

// Repair lets groups go on behind what is gone, at the first record that there is, and
// writes that into the versions log: it is an operator's decision, and says for ever
// which records were never consumed.
func (o *Operator) Repair(ctx context.Context, gone []stream.Gone) error {
	if len(gone) == 0 {
		return nil
	}
	_, err := stream.OperateWith(ctx, o.Kafka, func(now *schema.VersionEvent) (stream.Operation, error) {
		if now == nil {
			return stream.Operation{}, errors.New("crash.versions is empty: topics create announces the first signature version")
		}
		e := o.stamp(now.Clone(), schema.OpRepair, 0)
		for _, g := range gone[:min(len(gone), maxNamedGone)] {
			e.Why += fmt.Sprintf("; %s", g)
		}
		return stream.Operation{Event: e, Offsets: stream.GoOn(gone)}, nil
	})
	return err
}
