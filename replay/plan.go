package replay

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// PlanOptions ask what a ruleset would change.
type PlanOptions struct {
	Ruleset *signature.Ruleset
	// Registry is the annotation registry of the version that would begin; nil is that of the
	// version that is compared with.
	Registry *schema.Registry
	// From and To bound received_at, half open; zero for no bound.
	From, To time.Time
	// Sample is how many processed crashes are looked at, about.
	Sample int64
	// Kind is whose signatures are compared: schema.KindPing, or reports.
	Kind string
	// Base is the version that is compared with; 0 for the one that is seen of
	// crashes that come now.
	Base int32
	// Tell is told of examples while the sample is signed, MaxPlanExamples at most, one after the
	// other; nil for nobody. It must not wait.
	Tell func(PlanExample)
}

// Plan is what a ruleset would change, tried on a sample.
type Plan struct {
	Base int32 `json:"base"`
	// Kind is schema.KindPing when pings are compared; empty: reports.
	Kind string `json:"kind,omitempty"`
	// Sampled crashes are of the range, and OtherKind as well, which are not compared. All
	// is how many there are in crash.raw, of both kinds.
	Sampled   int                `json:"sampled"`
	OtherKind int                `json:"other_kind,omitempty"`
	All       int64              `json:"all"`
	Changed   int                `json:"changed"`
	Changes   []signature.Change `json:"changes"`
	// Products are those of the sampled crashes, of the most first.
	Products []ProductMoves `json:"products"`
	// Warnings are what somebody should look at before a replay, in words; empty for nothing.
	Warnings []string `json:"warnings,omitempty"`
	// EventBytes is the size of a processed crash on average, uncompressed.
	EventBytes int64 `json:"event_bytes"`
	// Estimates of a replay of all of the range, of both kinds.
	Raw       Estimate  `json:"raw"`
	Processed *Estimate `json:"processed,omitempty"`
	// Refused says why the source processed is out of the question.
	Refused string `json:"processed_refused,omitempty"`
	// Annotations are the entries of the registry that change; RegistryUnknown says that
	// nobody has the registry that they are to be compared with.
	Annotations     []schema.Change `json:"annotations,omitempty"`
	RegistryUnknown bool            `json:"registry_unknown,omitempty"`
}

// What are the crashes that are compared: crashes, or pings.
func (p *Plan) What() string { return clickhouse.PopulationOf(p.Kind).View }

// Estimate is what a replay would take.
type Estimate struct {
	Crashes int64 `json:"crashes"`
	// CoreSeconds is the time of one core; a fleet divides it by its cores and the
	// replay's share.
	CoreSeconds float64 `json:"core_seconds"`
	// TopicBytes is the size of the new processed topic before compression.
	TopicBytes int64 `json:"topic_bytes"`
}

// What a core does, about: measured on a slow one with crashes of small programs
// (docs/operations.md). Browsers' take longer from raw.
const (
	rawACoreSecond       = 1000
	processedACoreSecond = 3000
)

// Plan signs a sample of what is processed already with another ruleset. It writes
// nothing.
func (o *Operator) Plan(ctx context.Context, opts PlanOptions) (*Plan, error) {
	state, err := stream.NewestVersions(ctx, o.Kafka)
	if err != nil {
		return nil, err
	}
	if state == nil {
		return nil, errors.New("crash.versions is empty: there is nothing to compare with")
	}
	if opts.Base == 0 {
		opts.Base = state.Activation.Seen(o.Now())
	}
	_, base, err := version(state, opts.Base)
	if err == nil && base.Gone() {
		err = fmt.Errorf("signature version %d is %s", base.Number, base.State)
	}
	if err != nil {
		return nil, err
	}
	was, err := RulesetOf(ctx, o.Kafka, base)
	if err != nil {
		return nil, err
	}
	p := &Plan{Base: base.Number}
	if schema.KindOf(opts.Kind) == schema.KindPing {
		p.Kind = schema.KindPing
	}
	comparison := signature.NewComparison(was, opts.Ruleset)
	products := map[string]*ProductMoves{}
	examples := &planExamples{was: was, is: opts.Ruleset, tell: opts.Tell, told: map[[2]string]bool{}}
	looked, bytes, err := o.sample(ctx, opts, comparison, examples, products)
	if err != nil {
		return nil, err
	}
	p.Products = productMoves(products)
	p.Sampled, p.Changed = comparison.Crashes()
	p.OtherKind = looked - p.Sampled
	p.Changes = comparison.Changes()
	if looked > 0 {
		p.EventBytes = bytes / int64(looked)
	}
	if err := o.annotations(ctx, p, base, opts.Registry); err != nil {
		return nil, err
	}
	if err := o.warn(ctx, p); err != nil {
		return nil, err
	}
	return p, o.estimate(ctx, p, state, base, opts)
}

// annotations says which entries of the registry change.
func (o *Operator) annotations(ctx context.Context, p *Plan, base *schema.SignatureVersion, registry *schema.Registry) error {
	if registry == nil || registry.Hash() == base.RegistryHash {
		return nil
	}
	old, err := stream.NewRegistries(o.Kafka, registry).Of(ctx, base.RegistryHash)
	if errors.Is(err, stream.ErrNoRegistry) {
		p.RegistryUnknown = true
		return nil
	}
	if err == nil {
		p.Annotations = registry.Changes(old)
	}
	return err
}

// RulesetOf is a version's ruleset.
func RulesetOf(ctx context.Context, k stream.Kafka, v *schema.SignatureVersion) (*signature.Ruleset, error) {
	texts, err := stream.Ruleset(ctx, k, v)
	if err != nil {
		return nil, err
	}
	files := make(map[string]string, len(texts))
	for _, f := range texts {
		files[f.Name] = f.Text
	}
	r, err := signature.FromFiles(files)
	if err != nil {
		return nil, fmt.Errorf("signature version %d: %w", v.Number, err)
	}
	return r, nil
}

// sample compares what it finds of the kind in the processed topic. It returns how many
// crashes it has looked at, and their bytes, of both kinds.
func (o *Operator) sample(ctx context.Context, opts PlanOptions, c *signature.Comparison, examples *planExamples, products map[string]*ProductMoves) (looked int, bytes int64, err error) {
	workers, ctx := errgroup.WithContext(ctx)
	values := make(chan []byte, 256)
	var mu sync.Mutex
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() error {
			for value := range values {
				if ctx.Err() != nil {
					continue // what is left of the queue
				}
				head, err := schema.DecodeHead(value)
				if err != nil || !opts.covers(head.ReceivedAt) {
					continue // a replay makes a dead letter of it
				}
				p, err := schema.DecodeSignable(value) // what rules read, and no more
				if err != nil {
					continue // as above
				}
				compared := schema.KindOf(p.Crash.Kind) == schema.KindOf(opts.Kind)
				var crash *signature.Crash
				var from, to string
				if compared {
					crash = signature.FromProcessed(&p.Crash)
					from, to = c.Sign(crash) // most of the work: all hands do it
				}
				mu.Lock()
				if compared {
					changed := c.Count(crash, from, to)
					countProduct(products, productOf(&p.Crash), changed)
					if changed {
						examples.look(head.CrashID, crash, from, to)
					}
				}
				looked++
				bytes += int64(len(value))
				mu.Unlock()
			}
			return nil
		})
	}
	err = stream.Sample(ctx, o.Kafka, schema.ProcessedTopic(opts.Base), opts.Sample, func(r *kgo.Record) error {
		select {
		case values <- r.Value:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	close(values)
	return looked, bytes, errors.Join(err, workers.Wait())
}

func (p PlanOptions) covers(received time.Time) bool {
	return (p.From.IsZero() || !received.Before(p.From)) && (p.To.IsZero() || received.Before(p.To))
}

// estimate says what a replay of the range would take.
func (o *Operator) estimate(ctx context.Context, p *Plan, now *schema.VersionEvent, base *schema.SignatureVersion, opts PlanOptions) error {
	g, err := stream.NewGroups(o.Kafka)
	if err != nil {
		return err
	}
	defer g.Close()
	v := schema.SignatureVersion{ // nothing but rules and registry would differ
		ProcessVersion: base.ProcessVersion, RegistryHash: base.RegistryHash, Base: base.Number, From: bound(opts.From), To: bound(opts.To),
	}
	if opts.Registry != nil {
		v.RegistryHash = opts.Registry.Hash()
	}
	first, err := firstOf(ctx, g, &v)
	if err != nil {
		return err
	}
	last, err := ends(ctx, g, schema.TopicRaw)
	if err == nil && !opts.To.IsZero() {
		last, err = g.At(ctx, schema.TopicRaw, opts.To)
	}
	if err != nil {
		return err
	}
	for partition, end := range last {
		p.All += max(end-first[partition], 0)
	}
	took := func(aSecond float64) Estimate {
		return Estimate{p.All, float64(p.All) / aSecond, p.All * p.EventBytes}
	}
	p.Raw = took(rawACoreSecond)
	err = resignable(base, &v)
	if err == nil {
		err = o.reachesBack(ctx, g, now, base, &v)
	}
	if err != nil {
		p.Refused = err.Error()
		return nil
	}
	p.Processed = new(took(processedACoreSecond))
	return nil
}
