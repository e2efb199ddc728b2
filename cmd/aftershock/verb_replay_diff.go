package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"aftershock/replay"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// rowFlags are those of verbs that ask ClickHouse.
type rowFlags struct {
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port." name:"clickhouse-url" placeholder:"URL" required:""`
	MaxMemory     int64  `help:"Bytes of memory that each query may use at the server." default:"1610612736"`
}

// minQueryMemory is what any query needs.
const minQueryMemory = 64 << 20

// maxQueryTime ends a query that would never.
const maxQueryTime = 10 * time.Minute

// Validate is called by the flags' parser.
func (f *rowFlags) Validate() error {
	if f.MaxMemory < minQueryMemory {
		return fmt.Errorf("--max-memory: want at least %d", minQueryMemory)
	}
	return nil
}

func (f *rowFlags) limits() clickhouse.Limits {
	return clickhouse.Limits{MemoryBytes: f.MaxMemory, Time: maxQueryTime}
}

// open connects; the caller closes it.
func (f *rowFlags) open(r *run) (*clickhouse.DB, error) { return r.tables(f.ClickhouseURL) }

// replayDiffVerb compares what two versions made of crashes.
type replayDiffVerb struct {
	kafkaFlags
	rowFlags
	A         int32  `arg:"" optional:"" help:"The signature version that is compared with."`
	B         int32  `arg:"" optional:"" help:"The one that is looked at."`
	Revisions int32  `help:"Instead of two versions: compare the newest revision of each crash of this one, that has several, with the one before." placeholder:"N"`
	Pings     bool   `help:"Compare crash pings, which reports are never counted with."`
	From      moment `help:"Crashes received since then; without it what both versions cover. A time, or how long ago." placeholder:"TIME"`
	To        moment `help:"Crashes received before then." placeholder:"TIME"`
	Limit     int    `help:"How many changes and pairs are listed; the totals are always of all." default:"50"`
	JSON      bool   `help:"Print one JSON object." name:"json"`
	CSV       bool   `help:"Print a line for each pair, as CSV." name:"csv"`
	HTML      string `help:"Write a report that needs nothing else into this file, too; - prints it." name:"html" placeholder:"FILE" type:"path"`
}

// check refuses what the flags' parser cannot see.
func (v *replayDiffVerb) check() error {
	switch {
	case v.Revisions != 0 && (v.A != 0 || v.B != 0):
		return &usageError{"replay diff: want two versions or --revisions, not both"}
	case v.Revisions == 0 && (v.A == 0 || v.B == 0):
		return &usageError{"replay diff: want two signature versions, or --revisions N"}
	case v.Revisions == 0 && v.A == v.B:
		return &usageError{"replay diff: want two versions that differ; --revisions compares within one"}
	case v.JSON && v.CSV:
		return &usageError{"replay diff: want --json or --csv, not both"}
	case v.HTML == "-" && (v.JSON || v.CSV):
		return &usageError{"replay diff: only one report can be printed: give --html a file"}
	case v.Limit < 1 || v.Limit > replay.MaxDiffLimit:
		return &usageError{fmt.Sprintf("--limit: want 1 to %d", replay.MaxDiffLimit)}
	case !v.From.IsZero() && !v.To.IsZero() && !v.From.Before(v.To.Time):
		return &usageError{"--from: want a time before --to"}
	}
	return nil
}

// Run prints the diff.
func (v *replayDiffVerb) Run(r *run) error {
	if err := v.check(); err != nil {
		return err
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	if v.Revisions != 0 {
		v.A, v.B = v.Revisions, v.Revisions
	}
	a, b, err := v.versions(r, kafka)
	if err != nil {
		return err
	}
	db, err := v.open(r)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	query := replay.DiffQuery{A: a, B: b, Population: population(v.Pings), From: v.From.Time, To: v.To.Time, Revisions: v.Revisions != 0, Limit: v.Limit, Limits: v.limits()}
	d, err := query.Run(r.ctx, db)
	if err != nil {
		return err
	}
	if err := d.Explain(r.ctx, db, kafka, a, b); err != nil {
		if r.ctx.Err() != nil {
			return err
		}
		r.log.Warn().Err(err).Msg("examples are not explained")
	}
	return v.write(r, d)
}

// versions are the two, which must have rows.
func (v *replayDiffVerb) versions(r *run, kafka stream.Kafka) (a, b *schema.SignatureVersion, err error) {
	state, err := stream.NewestVersions(r.ctx, kafka)
	if err != nil {
		return nil, nil, err
	}
	if state == nil {
		return nil, nil, errors.New("crash.versions is empty: no signature version was announced")
	}
	for _, n := range []int32{v.A, v.B} {
		found := state.Version(n)
		switch {
		case found == nil:
			return nil, nil, &usageError{fmt.Sprintf("replay diff: there is no signature version %d", n)}
		case found.Gone():
			return nil, nil, &usageError{fmt.Sprintf("replay diff: signature version %d is %s, and its rows with it", n, found.State)}
		}
	}
	return state.Version(v.A), state.Version(v.B), nil
}

// write prints the report that is asked for, and the page to its file.
func (v *replayDiffVerb) write(r *run, d *replay.Diff) error {
	report := d.WriteText
	switch {
	case v.JSON:
		report = d.WriteJSON
	case v.CSV:
		report = d.WriteCSV
	case v.HTML == "-":
		report = d.WriteHTML
	}
	if v.HTML != "" && v.HTML != "-" {
		if err := writeReport(v.HTML, d.WriteHTML); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
	}
	out := bufio.NewWriter(r.stdout)
	return errors.Join(report(out), out.Flush())
}

func writeReport(path string, report func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	return errors.Join(report(out), out.Flush(), f.Close())
}
