package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"aftershock/archive"
	"aftershock/blob"
	"aftershock/collector"
	"aftershock/collector/throttle"
	"aftershock/minidump"
	"aftershock/schema"
)

// importVerb appends the crashes of an archive to crash.raw.
type importVerb struct {
	kafkaFlags
	blobFlag
	Source    string  `arg:"" name:"source" help:"A directory, or s3://bucket/prefix?endpoint=URL&region=R: the reference's storage (v1/raw_crash, …), or dumps with .extra, .json or .meta beside."`
	Journal   string  `help:"File that remembers what is imported: the same command goes on after a kill, and imports nothing twice." default:"aftershock-import.journal" placeholder:"FILE"`
	Rules     string  `name:"throttle" help:"Rules that were in force when the crashes came (docs/throttle.md), for their weights: an archive has the names of rules alone." placeholder:"FILE"`
	Rate      float64 `help:"Most crashes a second; 0 for no bound." default:"200"`
	InlineMax int     `help:"Largest compressed dump, in bytes, that travels inside its event." default:"65536"`
	JSON      bool    `help:"Print the report as one JSON object." name:"json"`
}

const (
	// A batch is what is appended between two lines of the journal.
	importBatch      = 200
	importBatchBytes = 32 << 20
	// importExamples of each kind of what was skipped are named.
	importExamples = 5
)

// importReport says what became of an archive.
type importReport struct {
	Crashes  int `json:"crashes"`  // that the archive holds
	Imported int `json:"imported"` // now
	Before   int `json:"before"`   // by an earlier run
	// Unweighted were sampled by rules whose rates nobody has told.
	Unweighted int                 `json:"unweighted"`
	Skipped    map[string]int      `json:"skipped"`
	Examples   map[string][]string `json:"examples"`
}

// Run imports.
func (v *importVerb) Run(r *run) (err error) {
	if v.Rate < 0 {
		return &usageError{"--rate: want 0 or more"}
	}
	i := importer{run: r, rate: v.Rate, report: importReport{Skipped: map[string]int{}, Examples: map[string][]string{}}}
	if v.Rules != "" {
		file, err := throttle.Open(v.Rules)
		if err != nil {
			return &usageError{fmt.Sprintf("--throttle: %v", err)}
		}
		i.rules = file.Rules()
	}
	files, err := archive.OpenFiles(v.Source)
	if err != nil {
		return err
	}
	if i.archive, err = archive.Open(r.ctx, files); err != nil {
		return fmt.Errorf("%s: %w", v.Source, err)
	}
	if i.report.Crashes, err = i.archive.Count(r.ctx); err != nil {
		return err
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	kafka, done, err := kafka.Keep() // each batch asks where crash.raw ends
	if err != nil {
		return err
	}
	defer done()
	blobs, err := openBlobs(r.ctx, v.Blob)
	if err != nil {
		return err
	}
	if i.producer, err = kafka.Producer(); err != nil {
		return err
	}
	defer i.producer.Close()
	if i.journal, err = openImportJournal(r.ctx, v.Journal, v.Source, kafka); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.journal.close()) }()
	i.report.Before = len(i.journal.done)
	i.door = i.newDoor(blobs, v.InlineMax)
	err = errors.Join(i.all(r.ctx), i.print(v.JSON))
	return err
}

// importer appends crashes.
type importer struct {
	run      *run
	archive  archive.Archive
	rules    *throttle.Rules
	rate     float64
	producer *kgo.Client
	door     *collector.Collector
	journal  *importJournal
	bar      *bar
	report   importReport

	batch []imported
	bytes int
	began time.Time
}

// imported is a raw crash and where it lay.
type imported struct {
	path string
	raw  *schema.RawCrash
}

func (i *importer) newDoor(blobs blob.Store, inlineMax int) *collector.Collector {
	return collector.New(collector.Options{
		Blobs: blobs, Annotations: schema.DefaultRegistry, InlineMax: inlineMax, Now: time.Now, Log: i.run.log, Metrics: prometheus.NewRegistry(),
	})
}

// all imports what the journal has not.
func (i *importer) all(ctx context.Context) error {
	i.bar = i.run.bar("imported", i.report.Crashes)
	i.bar.add(i.report.Before)
	defer i.bar.end()
	i.began = time.Now()
	err := i.archive.Each(ctx, func(path string) bool { return !i.journal.done[path] }, func(c *archive.Crash, skip *archive.SkipError) error {
		if skip != nil {
			i.skip(skip.Path, skip.Code, skip.Err)
			return nil //nolint:nilerr // it is counted
		}
		raw, err := i.made(ctx, c)
		if code := collector.Reason(err); code != "" {
			i.skip(c.Path, code, err)
			return nil
		}
		if wrong := (*archive.SkipError)(nil); errors.As(err, &wrong) {
			i.skip(c.Path, wrong.Code, wrong.Err)
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.Path, err)
		}
		i.batch = append(i.batch, imported{c.Path, raw})
		for _, d := range raw.Dumps {
			i.bytes += len(d.Inline)
		}
		if len(i.batch) < i.batchSize() && i.bytes < importBatchBytes {
			return nil
		}
		return i.flush(ctx)
	})
	return errors.Join(err, i.flush(ctx))
}

// batchSize lets something be done twice a second.
func (i *importer) batchSize() int {
	if i.rate == 0 {
		return importBatch
	}
	return min(max(int(i.rate/2), 1), importBatch)
}

// skip counts what is not imported.
func (i *importer) skip(path, code string, err error) {
	i.run.log.Warn().Str("path", path).Str("code", code).Err(err).Msg("skipped")
	i.report.Skipped[code]++
	if len(i.report.Examples[code]) < importExamples {
		i.report.Examples[code] = append(i.report.Examples[code], plain(path))
	}
	i.bar.add(1)
}

// flush appends a batch, between two lines of the journal.
func (i *importer) flush(ctx context.Context) error {
	if len(i.batch) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	if err := i.journal.begin(ctx, i.batch); err != nil {
		return err
	}
	g, producing := errgroup.WithContext(ctx)
	for _, c := range i.batch {
		g.Go(func() error { return produce(producing, i.producer, c.raw) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := i.journal.end(i.batch); err != nil {
		return err
	}
	i.report.Imported += len(i.batch)
	i.bar.add(len(i.batch))
	i.batch, i.bytes = i.batch[:0], 0
	if i.rate > 0 {
		due := i.began.Add(time.Duration(float64(i.report.Imported) / i.rate * float64(time.Second)))
		pause(ctx, time.Until(due))
	}
	return ctx.Err()
}

// metadata is what the reference's collector says beside the annotations.
type metadata struct {
	Rule      string            `json:"throttle_rule"`
	Agent     string            `json:"user_agent"`
	Kind      string            `json:"payload"`
	Zipped    string            `json:"payload_compressed"`
	Size      int64             `json:"payload_size"`
	Checksums map[string]string `json:"dump_checksums"`
}

// Codes of crashes that are skipped here.
const (
	skipDigest   = "dump_digest"
	skipMetadata = "metadata"
)

// made is the raw crash of one of the archive.
func (i *importer) made(ctx context.Context, c *archive.Crash) (*schema.RawCrash, error) {
	k := &collector.Kept{Received: c.Received, Annotations: c.Annotations, Rule: "imported", Payload: schema.Payload{Kind: "import"}}
	if _, err := schema.CrashDay(c.ID); err == nil {
		k.CrashID = c.ID
	}
	if k.Annotations == nil {
		k.Annotations = map[string]string{}
	}
	for _, d := range c.Dumps {
		if d.Name == schema.MainDump {
			fromDump(d.Data, c.JSON != nil, k.Annotations)
		}
		k.Dumps = append(k.Dumps, collector.KeptDump{Name: d.Name, Data: d.Data})
	}
	var meta metadata
	var odd error
	if c.JSON != nil {
		k.JSON = bytes.NewReader(c.JSON)
		k.Take = func(name, value string) bool { return takes(k, &meta, name, value, &odd) }
	}
	k.Rate = func(annotations map[string]string) float64 { return i.weight(k, annotations) }
	raw, err := i.door.Make(ctx, k)
	if err == nil {
		err = odd
	}
	if err != nil {
		return nil, err
	}
	for _, d := range raw.Dumps {
		if sum, told := meta.Checksums[d.Name]; told && len(sum) == 2*len(d.SHA256) && sum != hex.EncodeToString(d.SHA256[:]) {
			return nil, &archive.SkipError{Path: c.Path, Code: skipDigest, Err: fmt.Errorf("the dump %s is not the one that came", plain(d.Name))}
		}
	}
	return raw, nil
}

// fromDump adds what Crashpad keeps in the dump of its process, and sends as annotations,
// when nothing beside the dump says more.
func fromDump(data []byte, more bool, annotations map[string]string) {
	if more || len(annotations) > 0 {
		return
	}
	dump, err := minidump.Parse(data)
	if err != nil || dump.Crashpad == nil {
		return
	}
	for _, a := range dump.Crashpad.Annotations {
		if a.Kind == minidump.AnnotationSimple && a.Module < 0 {
			annotations[a.Name] = a.Value
		}
	}
	if dump.Crashpad.ClientID != "" {
		annotations["guid"] = dump.Crashpad.ClientID
	}
}

// takes tells whether a member of the reference's raw crash is an annotation, and reads
// what its collector has added.
func takes(k *collector.Kept, meta *metadata, name, value string, odd *error) bool {
	switch name {
	case "metadata":
		if err := json.Unmarshal([]byte(value), meta); err != nil {
			*odd = &archive.SkipError{Code: skipMetadata, Err: err}
			return false
		}
		if meta.Rule != "" {
			k.Rule = meta.Rule
		}
		k.Payload = schema.Payload{Kind: meta.Kind, Gzip: meta.Zipped == "1", Size: meta.Size, UserAgent: meta.Agent}
		return false
	case "submitted_timestamp":
		if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
			k.Received = at
		}
		return false
	case "uuid":
		if k.CrashID == "" {
			k.CrashID = value
		}
		return false
	case "version":
		return value != "2" // the number of the collector's own format
	}
	return true
}

// weight is the rate of the rule that let a crash in.
func (i *importer) weight(k *collector.Kept, annotations map[string]string) float64 {
	if k.Rule == "imported" {
		return 1
	}
	if i.rules != nil {
		rep := throttle.Report{Annotations: annotations, CrashID: k.CrashID, Received: k.Received}
		for _, d := range k.Dumps {
			if d.Name == schema.MainDump {
				rep.Dump = throttle.Dump{Present: true, Size: int64(len(d.Data)), Kind: throttle.KindMinidump}
			}
		}
		if share, known := i.rules.Share(rep, k.Rule); known && share > 0 {
			return share
		}
	}
	i.report.Unweighted++
	return 1
}

// print tells what became of the archive.
func (i *importer) print(asJSON bool) error {
	if asJSON {
		return json.NewEncoder(i.run.stdout).Encode(i.report)
	}
	rep := &i.report
	say(i.run.stdout, "%d crashes: %d imported, %d before, %d skipped\n", rep.Crashes, rep.Imported, rep.Before, sum(rep.Skipped))
	for _, code := range slices.Sorted(maps.Keys(rep.Skipped)) {
		say(i.run.stdout, "  %d skipped, %s: such as %s\n", rep.Skipped[code], code, rep.Examples[code][0])
	}
	if rep.Unweighted > 0 {
		say(i.run.stdout, "  %d were let in by rules whose rates are not known and weigh 1: --throttle names the rules that were in force\n", rep.Unweighted)
	}
	return nil
}

func sum(of map[string]int) (n int) {
	for _, k := range of {
		n += k
	}
	return n
}
