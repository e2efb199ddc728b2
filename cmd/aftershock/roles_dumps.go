package main

import (
	"context"
	"errors"
	"fmt"

	"aftershock/blob"
	"aftershock/schema"
	"aftershock/stream"
	"aftershock/web"
)

// dumpFinder finds the dumps of crashes by their raw events, for pages.
type dumpFinder struct {
	kafka stream.Kafka
	blobs blob.Store
}

// Dump is the original bytes of a dump; the main one, if it has no name.
func (d dumpFinder) Dump(ctx context.Context, crashID, name string) ([]byte, error) {
	if _, err := schema.CrashDay(crashID); err != nil {
		return nil, fmt.Errorf("%w: %w", web.ErrNoDump, err)
	}
	rec, err := stream.FindRaw(ctx, d.kafka, crashID)
	if errors.Is(err, stream.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", web.ErrNoDump, err)
	}
	if err != nil {
		return nil, err
	}
	raw, err := schema.Decode[schema.RawCrash](rec.Value)
	if err != nil {
		return nil, fmt.Errorf("%s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	found := raw.Main()
	if name != "" {
		found = nil
		for i := range raw.Dumps {
			if raw.Dumps[i].Name == name {
				found = &raw.Dumps[i]
			}
		}
	}
	if found == nil {
		return nil, web.ErrNoDump
	}
	data, err := stream.FetchDump(ctx, d.blobs, found)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", web.ErrNoDump, err)
	}
	return data, err
}
