package main

import (
	"encoding/json"
	"fmt"
	"time"

	"aftershock/symbolserver/store"
)

// symbolsGCVerb drops what has had its time in a symbol store.
type symbolsGCVerb struct {
	symbolStoreFlag
	TryOlder  dayCount `help:"Age of the files of tried builds that are dropped." default:"28d" placeholder:"DAYS"`
	KeptOlder dayCount `help:"Age of the files of upstreams that are dropped; they come again when somebody asks for them. Without it, they stay." placeholder:"DAYS"`
	DryRun    bool     `help:"Change nothing; only print what would be dropped."`
	JSON      bool     `help:"One JSON object a file, and one for the total." name:"json"`
}

// leftoverAge is how old what a broken write left must be: no write takes that long.
const leftoverAge = 24 * time.Hour

// droppedFile is a line of the output.
type droppedFile struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// Run prints each file before it goes on to the next.
func (v *symbolsGCVerb) Run(r *run) error {
	s, err := v.openExisting(r.ctx)
	if err != nil {
		return err
	}
	var files, bytes int64
	lines := json.NewEncoder(r.stdout)
	now := time.Now()
	var kept time.Time
	if v.KeptOlder > 0 {
		kept = now.Add(-v.KeptOlder.duration())
	}
	err = store.Collect(r.ctx, s, store.Collection{
		TriedBefore: now.Add(-v.TryOlder.duration()), KeptBefore: kept, LeftBefore: now.Add(-leftoverAge), Remove: !v.DryRun,
		Dropped: func(what string, size int64) error {
			files++
			bytes += size
			if v.JSON {
				return lines.Encode(droppedFile{what, size})
			}
			_, err := fmt.Fprintf(r.stdout, "%s  %d bytes\n", what, size)
			return err
		},
	})
	if err != nil {
		return fmt.Errorf("%w (%d files dropped until then)", err, files)
	}
	if v.JSON {
		return lines.Encode(map[string]any{"files": files, "total_bytes": bytes, "dropped": !v.DryRun})
	}
	did := "dropped"
	if v.DryRun {
		did = "would be dropped (--dry-run)"
	}
	_, err = fmt.Fprintf(r.stdout, "%d files, %d bytes %s\n", files, bytes, did)
	return err
}

// symbolsIndexVerb makes the index of code ids again.
type symbolsIndexVerb struct {
	symbolStoreFlag
	JSON bool `help:"Print one JSON object." name:"json"`
}

// Run reads the first lines of every symbol file.
func (v *symbolsIndexVerb) Run(r *run) error {
	s, err := v.openExisting(r.ctx)
	if err != nil {
		return err
	}
	all := 0
	if r.screen != nil { // else nobody wants to know how many there are
		err := s.List(r.ctx, "", func(o store.Object) error {
			if p, err := store.ParsePath(o.Path); err == nil && p.IsSym() {
				all++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	bar := r.bar("indexed", all)
	done, err := store.RebuildIndex(r.ctx, s, func(int) { bar.add(1) })
	bar.end()
	if err != nil {
		return fmt.Errorf("%w (%d files were read until then; what is done stays done)", err, done.Files)
	}
	if v.JSON {
		return json.NewEncoder(r.stdout).Encode(done)
	}
	_, err = fmt.Fprintf(r.stdout, "%d symbol files, %d of them without a MODULE line; %d entries written, %d dropped\n", done.Files, done.Bad, done.Written, done.Dropped)
	return err
}
