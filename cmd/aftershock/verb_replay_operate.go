package main

import (
	"encoding/json"
	"fmt"
	"time"

	"aftershock/processor"
	"aftershock/replay"
	"aftershock/schema"
)

// operatorFlags are those of every operation.
type operatorFlags struct {
	kafkaFlags
	Why string `help:"Why, for those who read the versions log." placeholder:"TEXT"`
}

func (f *operatorFlags) operator(r *run) (*replay.Operator, error) {
	if len(f.Why) > maxReasonBytes {
		return nil, &usageError{fmt.Sprintf("--why: want at most %d bytes", maxReasonBytes)}
	}
	kafka, err := f.kafka(r.log)
	if err != nil {
		return nil, err
	}
	return &replay.Operator{
		Kafka: kafka, Who: operator(), Why: f.Why, Now: time.Now, Log: r.log,
		Tell: func(text string) { say(r.stderr, "%s\n", text) },
	}, nil
}

// do calls do with an operator.
func (f *operatorFlags) do(r *run, do func(*replay.Operator) error) error {
	o, err := f.operator(r)
	if err != nil {
		return err
	}
	return do(o)
}

// storeFlags are those of operations that look at rows.
type storeFlags struct {
	operatorFlags
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port." name:"clickhouse-url" placeholder:"URL" required:""`
}

// with calls do with an operator who can see the rows.
func (f *storeFlags) with(r *run, do func(*replay.Operator) error) error {
	o, err := f.operator(r)
	if err != nil {
		return err
	}
	db, err := r.tables(f.ClickhouseURL)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	o.DB = db
	return do(o)
}

// replayStartVerb begins a version.
type replayStartVerb struct {
	operatorFlags
	Ruleset string  `help:"Directory or file of the new ruleset; \"default\" is the one that ships with this release." required:"" placeholder:"DIR|FILE"`
	From    moment  `help:"Crashes received since then; without it all that crash.raw has, and all to come. A time, or how long ago." placeholder:"TIME"`
	To      moment  `help:"Crashes received before then; without it all to come." placeholder:"TIME"`
	Source  string  `help:"raw: walk every dump again. processed: sign what the version that is seen has made, when nothing but the ruleset differs." enum:"raw,processed" default:"raw"`
	Base    int32   `help:"With --source processed: the version to sign again; without it the one that is seen." placeholder:"N"`
	Share   float64 `help:"Share of each processor's workers, above 0 and at most 1." default:"0.5"`
	JSON    bool    `help:"Print the new version as JSON." name:"json"`
}

// Run starts it and says how to go on.
func (v *replayStartVerb) Run(r *run) error {
	switch {
	case !v.From.IsZero() && !v.To.IsZero() && !v.From.Before(v.To.Time):
		return &usageError{"--from: want a time before --to"}
	case v.Base != 0 && v.Source != schema.SourceProcessed:
		return &usageError{"--base: only with --source processed"}
	}
	if err := checkShare(v.Share); err != nil {
		return err
	}
	ruleset, err := openRulesetOrDefault(v.Ruleset)
	if err != nil {
		return err
	}
	o, err := v.operator(r)
	if err != nil {
		return err
	}
	started, err := o.Start(r.ctx, replay.StartOptions{
		Ruleset: ruleset, ProcessVersion: processor.Version, Registry: schema.DefaultRegistry,
		From: v.From.Time, To: v.To.Time, Source: v.Source, Base: v.Base, Share: v.Share,
	})
	if err != nil {
		return err
	}
	if v.JSON {
		return json.NewEncoder(r.stdout).Encode(map[string]any{"version": started.Number, "ruleset_hash": started.RulesetHash, "source": started.Source})
	}
	say(r.stdout, "signature version %d has begun: replay status says how far it is\n", started.Number)
	return nil
}

func checkShare(share float64) error {
	if share <= 0 || share > 1 {
		return &usageError{"--share: want more than 0 and at most 1 (replay pause lets it wait)"}
	}
	return nil
}

// versionArg names a version.
type versionArg struct {
	Version int32 `arg:"" help:"Number of the signature version."`
}

type replayPauseVerb struct {
	operatorFlags
	versionArg
}

// Run lets the replay wait.
func (v *replayPauseVerb) Run(r *run) error {
	return v.do(r, func(o *replay.Operator) error { return o.Pause(r.ctx, v.Version) })
}

type replayResumeVerb struct {
	operatorFlags
	versionArg
}

// Run lets it go on.
func (v *replayResumeVerb) Run(r *run) error {
	return v.do(r, func(o *replay.Operator) error { return o.Resume(r.ctx, v.Version) })
}

type replaySetVerb struct {
	operatorFlags
	versionArg
	Share float64 `help:"Share of each processor's workers, above 0 and at most 1." required:""`
}

// Run sets the share.
func (v *replaySetVerb) Run(r *run) error {
	if err := checkShare(v.Share); err != nil {
		return err
	}
	return v.do(r, func(o *replay.Operator) error { return o.SetShare(r.ctx, v.Version, v.Share) })
}

// promoteFlags are an operator's decisions about a promotion.
type promoteFlags struct {
	AcceptMissing   int64         `help:"How many crashes may vanish from what is seen." placeholder:"N"`
	AcceptTransient int64         `help:"How many crashes may be seen without symbols that a source did not give, and that they have now." placeholder:"N"`
	CatchUp         time.Duration `help:"How long the version may take to come near the live end, before anything is touched." default:"10m"`
	Hold            time.Duration `help:"How long new crashes may stay unseen while it is done; then everything goes on as before." default:"2m"`
}

func (f *promoteFlags) options() (replay.PromoteOptions, error) {
	if f.AcceptMissing < 0 || f.AcceptTransient < 0 || f.CatchUp <= 0 || f.Hold <= 0 {
		return replay.PromoteOptions{}, &usageError{"--accept-missing, --accept-transient, --catch-up, --hold: want them above 0"}
	}
	return replay.PromoteOptions{AcceptMissing: f.AcceptMissing, AcceptTransient: f.AcceptTransient, CatchUp: f.CatchUp, Hold: f.Hold}, nil
}

type replayPromoteVerb struct {
	storeFlags
	promoteFlags
	versionArg
	From  moment `help:"Crashes received since then; without it all that the version is made for. A time, or how long ago." placeholder:"TIME"`
	To    moment `help:"Crashes received before then; without it all that the version is made for." placeholder:"TIME"`
	Abort bool   `help:"End a promotion that was begun and not finished: everything goes on as before."`
}

// Run promotes, or ends a promotion.
func (v *replayPromoteVerb) Run(r *run) error {
	opts, err := v.options()
	if err != nil {
		return err
	}
	from, to := v.From.Time, v.To.Time
	if from.IsZero() {
		from = schema.TimeBegin
	}
	if to.IsZero() {
		to = schema.TimeEnd
	}
	if !from.Before(to) {
		return &usageError{"--from: want a time before --to"}
	}
	return v.with(r, func(o *replay.Operator) error {
		if v.Abort {
			return o.Abort(r.ctx, v.Version)
		}
		took, err := o.Promote(r.ctx, v.Version, from.Truncate(time.Millisecond), to.Truncate(time.Millisecond), opts)
		if err != nil {
			return err
		}
		say(r.stdout, "signature version %d is seen: replay rollback shows again what was seen before\n", v.Version)
		say(r.stdout, "what came was not seen for %v; the views flipped in %v\n", took.Held.Round(time.Millisecond), took.Views.Round(time.Millisecond))
		return nil
	})
}

type replayRollbackVerb struct {
	storeFlags
	promoteFlags
	Epoch int64 `help:"Only if what is seen has this epoch, as replay status --json tells it: a second rollback undoes the first." placeholder:"N"`
}

// Run rolls back.
func (v *replayRollbackVerb) Run(r *run) error {
	opts, err := v.options()
	if err != nil {
		return err
	}
	return v.with(r, func(o *replay.Operator) error {
		before, err := o.Rollback(r.ctx, v.Epoch, opts)
		if err != nil {
			return err
		}
		for _, seen := range before.Ranges {
			say(r.stdout, "signature version %d is seen again of crashes received from %s to %s\n", seen.SignatureVersion, edge(seen.From), edge(seen.To))
		}
		return nil
	})
}

// edge is a time, or that it is none.
func edge(t time.Time) string {
	switch {
	case t.Equal(schema.TimeBegin):
		return "the beginning"
	case t.Equal(schema.TimeEnd):
		return "now on"
	}
	return t.UTC().Format(time.RFC3339)
}

type replayRetireVerb struct {
	operatorFlags
	versionArg
}

// Run stops it.
func (v *replayRetireVerb) Run(r *run) error {
	return v.do(r, func(o *replay.Operator) error { return o.Retire(r.ctx, v.Version) })
}

type replayArchiveVerb struct {
	operatorFlags
	versionArg
}

// Run archives it.
func (v *replayArchiveVerb) Run(r *run) error {
	return v.do(r, func(o *replay.Operator) error { return o.Archive(r.ctx, v.Version) })
}

type replayDropVerb struct {
	storeFlags
	versionArg
}

// Run removes it.
func (v *replayDropVerb) Run(r *run) error {
	return v.with(r, func(o *replay.Operator) error { return o.Drop(r.ctx, v.Version) })
}
