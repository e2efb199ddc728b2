package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"aftershock/replay"
	"aftershock/schema"
	"aftershock/signature"
)

// replayPlanVerb tries a ruleset.
type replayPlanVerb struct {
	operatorFlags
	Ruleset string `help:"Directory or file of the new ruleset; \"default\" is the one that ships with this release." required:"" placeholder:"DIR|FILE"`
	From    moment `help:"Crashes received since then; without it all. A time, or how long ago." placeholder:"TIME"`
	To      moment `help:"Crashes received before then; without it all." placeholder:"TIME"`
	Sample  int64  `help:"How many processed crashes to look at, about: they lie evenly over what there is." default:"20000"`
	Pings   bool   `help:"Compare the signatures of crash pings instead of reports."`
	Base    int32  `help:"The version to compare with; without it the one that is seen." placeholder:"N"`
	// Tables have the bugs of signatures.
	ClickhouseURL string `help:"ClickHouse's HTTP interface, to warn of signatures with different bugs that would become one." name:"clickhouse-url" placeholder:"URL"`
	Format        string `help:"How it is printed: for a terminal, or as a comment for a code review." enum:"text,markdown" default:"text"`
	Strict        bool   `help:"End with exit code 1 when something is warned of: more than 1 % of a product moves, or signatures with different bugs become one."`
	JSON          bool   `help:"Print one JSON object." name:"json"`
}

// maxSample bounds a sample: a replay tells more.
const maxSample = 10_000_000

// Run prints the preview.
func (v *replayPlanVerb) Run(r *run) error {
	switch {
	case v.Sample < 1 || v.Sample > maxSample:
		return &usageError{fmt.Sprintf("--sample: want 1 to %d", maxSample)}
	case !v.From.IsZero() && !v.To.IsZero() && !v.From.Before(v.To.Time):
		return &usageError{"--from: want a time before --to"}
	}
	ruleset, err := openRulesetOrDefault(v.Ruleset)
	if err != nil {
		return err
	}
	o, err := v.operator(r)
	if err != nil {
		return err
	}
	if v.ClickhouseURL != "" {
		if o.DB, err = r.tables(v.ClickhouseURL); err != nil {
			return err
		}
		defer o.DB.Close() //nolint:errcheck // nothing is left in it
	}
	collectLess()
	opts := replay.PlanOptions{Ruleset: ruleset, Registry: schema.DefaultRegistry, From: v.From.Time, To: v.To.Time, Sample: v.Sample, Base: v.Base}
	if v.Pings {
		opts.Kind = schema.KindPing
	}
	plan, err := o.Plan(r.ctx, opts)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(r.stdout)
	switch {
	case v.JSON:
		err = json.NewEncoder(out).Encode(plan)
	case v.Format == "markdown":
		err = plan.WriteMarkdown(out)
	default:
		err = v.print(out, plan)
	}
	if err = errors.Join(err, out.Flush()); err == nil && v.Strict && len(plan.Warnings) > 0 {
		err = fmt.Errorf("--strict: %d warnings", len(plan.Warnings))
	}
	return err
}

func (v *replayPlanVerb) print(out io.Writer, p *replay.Plan) error {
	if err := p.WriteChanges(out); err != nil {
		return err
	}
	printAnnotations(out, p)
	for _, text := range p.Warnings {
		say(out, "warning: %s\n", text)
	}
	say(out, "%d of %d %s change their signature, of a sample of %d in %d (version %d)\n", p.Changed, p.Sampled, p.What(), p.Sampled+p.OtherKind, p.All, p.Base)
	line := func(source string, e *replay.Estimate) {
		say(out, "--source %-9s about %v of one core, and %s in the new topic before compression\n", source,
			time.Duration(e.CoreSeconds*float64(time.Second)).Round(time.Second), bytesText(e.TopicBytes))
	}
	line(schema.SourceRaw, &p.Raw)
	if p.Processed != nil {
		line(schema.SourceProcessed, p.Processed)
	} else {
		say(out, "--source processed: %s\n", p.Refused)
	}
	return nil
}

// printAnnotations tells which entries of the annotation registry change.
func printAnnotations(out io.Writer, p *replay.Plan) {
	if p.RegistryUnknown {
		say(out, "the annotation registry changes; nobody has kept the one of version %d to compare it with\n", p.Base)
	}
	text := func(e *schema.AnnotationInfo) string {
		if e == nil {
			return "unknown (protected)"
		}
		s := string(e.Class)
		if e.Class == schema.ClassPublic {
			s += " " + string(e.Type)
		}
		if e.Means != "" {
			s += ", fills " + e.Means
		}
		return s
	}
	for _, c := range p.Annotations {
		say(out, "annotation %s: %s -> %s\n", plain(c.Name), text(c.Was), text(c.Is))
	}
	if len(p.Annotations) > 0 {
		say(out, "public annotations are in the column annotations of crashes and in crash.telemetry; the columns that they fill change with them\n")
	}
}

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}

// openRulesetOrDefault opens a ruleset; "default" is the one that ships.
func openRulesetOrDefault(path string) (*signature.Ruleset, error) {
	if path == "default" {
		path = ""
	}
	return openRuleset(path)
}
