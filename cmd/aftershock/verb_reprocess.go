package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// reprocessVerb asks for crashes to be processed again.
type reprocessVerb struct {
	kafkaFlags
	CrashIDs []string `arg:"" optional:"" name:"crashid" help:"Crash ids, with bp- in front of them or without."`
	File     string   `help:"File with more ids, one a line; - is stdin." placeholder:"FILE|-"`
	Versions []int32  `help:"Signature versions that are to make it again; without it all that are live." placeholder:"N"`
	Reason   string   `help:"Why, for those who read the requests." placeholder:"TEXT"`
	DryRun   bool     `help:"Find the crashes, and ask for nothing."`
	whereFlags
}

// maxReasonBytes bounds a reason.
const maxReasonBytes = 1000

// Run asks for what it finds, and fails when there was an id that it did not find.
func (v *reprocessVerb) Run(r *run) error {
	if len(v.Reason) > maxReasonBytes {
		return &usageError{fmt.Sprintf("--reason: want at most %d bytes", maxReasonBytes)}
	}
	if err := v.check(len(v.CrashIDs) > 0 || v.File != ""); err != nil {
		return err
	}
	var ids []string
	if v.Where == "" {
		var err error
		if ids, err = crashIDs(v.CrashIDs, v.File, stream.MaxFind); err != nil {
			return err
		}
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	if err := wantLive(r, kafka, v.Versions); err != nil {
		return err
	}
	var requests []schema.ReprocessRequest
	var missing []error
	if v.Where != "" {
		requests, err = v.selected(r)
	} else {
		requests, missing, err = found(r.ctx, kafka, ids)
	}
	if err != nil {
		return err
	}
	for i := range requests {
		requests[i].Versions, requests[i].Reason = v.Versions, v.Reason
	}
	done := "asked for"
	if v.DryRun {
		done = "would be asked for"
	} else if err := request(r, kafka, requests); err != nil {
		return err
	}
	for _, q := range requests {
		if _, err := fmt.Fprintf(r.stdout, "%s %s/%d/%d %s\n", q.CrashID, q.Raw.Topic, q.Raw.Partition, q.Raw.Offset, done); err != nil {
			return err
		}
	}
	return errors.Join(missing...)
}

// found are requests for the crash ids.
func found(ctx context.Context, kafka stream.Kafka, ids []string) (requests []schema.ReprocessRequest, missing []error, err error) {
	missing, err = stream.FindRaws(ctx, kafka, ids, func(rec *kgo.Record) error {
		requests = append(requests, schema.ReprocessRequest{CrashID: string(rec.Key), Raw: positionOf(rec)})
		return nil
	})
	return requests, missing, err
}

// request asks for them, some at a time.
func request(r *run, kafka stream.Kafka, requests []schema.ReprocessRequest) error {
	asked := 0
	for some := range slices.Chunk(requests, stream.MaxFind) {
		if err := stream.Request(r.ctx, kafka, some); err != nil {
			return fmt.Errorf("after %d of %d crashes were asked for: %w", asked, len(requests), err)
		}
		asked += len(some)
	}
	return nil
}

// wantLive refuses versions for which nothing would come of a request.
func wantLive(r *run, kafka stream.Kafka, versions []int32) error {
	if len(versions) == 0 {
		return nil
	}
	state, err := stream.NewestVersions(r.ctx, kafka)
	if err != nil {
		return err
	}
	live := liveVersions(state)
	for _, number := range versions {
		if !live[number] {
			return &usageError{fmt.Sprintf("--versions: signature version %d is not live", number)}
		}
	}
	return nil
}

// liveVersions are those that crashes are processed for; state may be nil.
func liveVersions(state *schema.VersionEvent) map[int32]bool {
	live := map[int32]bool{}
	if state != nil {
		for _, v := range state.Versions {
			live[v.Number] = v.Processed()
		}
	}
	return live
}
