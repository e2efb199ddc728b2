package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// rawVerbs are about raw crashes of doors that are not ours.
type rawVerbs struct {
	Check rawCheckVerb `cmd:"" help:"Read raw crashes, and tell which break the contract of docs/raw-events.md, and how."`
}

// rawCheckVerb checks records of crash.raw.
type rawCheckVerb struct {
	kafkaFlags
	Last int64  `help:"Check about so many, the last of every partition." default:"10000" placeholder:"N"`
	Blob string `help:"Blob store: dumps and annotations that lie there are fetched and checked as well. A directory, or s3://bucket/prefix?endpoint=URL&region=R." placeholder:"DIR|URL"`
	JSON bool   `help:"Print one JSON object a record that breaks it." name:"json"`
}

// maxChecked bounds --last.
const maxChecked = 100_000_000

// brokenRecord is a record with what is wrong with it.
type brokenRecord struct {
	Partition  int32              `json:"partition"`
	Offset     int64              `json:"offset"`
	CrashID    string             `json:"crash_id"`
	Violations []stream.Violation `json:"violations"`
}

// Run prints what breaks the contract, and fails when something does.
func (v *rawCheckVerb) Run(r *run) error {
	if v.Last < 1 || v.Last > maxChecked {
		return &usageError{fmt.Sprintf("--last: want 1 to %d", maxChecked)}
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	c := stream.RawChecker{Kafka: kafka, Registry: schema.DefaultRegistry}
	if v.Blob != "" {
		if c.Blobs, err = openBlobs(r.ctx, v.Blob); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(r.stdout)
	all, broken, counts := 0, 0, map[string]int{}
	err = c.Last(r.ctx, v.Last, func(rec *kgo.Record, found []stream.Violation) error {
		if all++; len(found) == 0 {
			return nil
		}
		broken++
		for _, f := range found {
			counts[f.Code]++
		}
		b := brokenRecord{rec.Partition, rec.Offset, plain(string(rec.Key)), found}
		if v.JSON {
			return json.NewEncoder(out).Encode(b)
		}
		for _, f := range found {
			if _, err := fmt.Fprintf(out, "partition %d offset %d  %.40s  %s: %s\n", b.Partition, b.Offset, b.CrashID, f.Code, plain(f.What)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !v.JSON {
		err = printViolations(out, counts)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if broken > 0 {
		return fmt.Errorf("raw check: %d of %d records break the contract", broken, all)
	}
	say(r.stderr, "%d records keep the contract\n", all)
	return nil
}

// printViolations says of each code how often it was found, and what becomes of such records.
func printViolations(out *bufio.Writer, counts map[string]int) error {
	if len(counts) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w) //nolint:errcheck // Flush tells
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		i := slices.IndexFunc(stream.RawViolations, func(c schema.Code) bool { return c.Code == code })
		fmt.Fprintf(w, "%d\t%s\t%s\n", counts[code], code, stream.RawViolations[i].Doc) //nolint:errcheck // as above
	}
	return w.Flush()
}
