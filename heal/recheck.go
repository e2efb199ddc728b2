package heal

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// Rechecker asks the sources again, every now and then, for the modules that crashes lack
// most, and tells of what they have by now: somebody may have put it there without a word,
// or a server of others' may have got it.
type Rechecker struct {
	Kafka    stream.Kafka
	DB       Sought
	Versions *stream.Following
	// Ask asks the sources for a module, whatever is remembered of it.
	Ask func(ctx context.Context, debugFile, debugID string) Answer
	// Every is how often; Days is how far back crashes are looked at, 0: DefaultDays.
	Every   time.Duration
	Days    int
	Metrics *Metrics // may be nil
	Log     zerolog.Logger

	mu   sync.Mutex
	told map[string]string // sha256 by key, of what has been told
}

// Sought are the modules that crashes lack most; *clickhouse.DB knows.
type Sought interface {
	MostSought(ctx context.Context, versions []int32, since time.Time, limit int) ([]clickhouse.Sought, error)
}

// Answer is what the sources say of a module.
type Answer struct {
	Outcome string // found, missing, …
	// SHA256 is that of the text, BadLines how many of its lines make no sense, where there
	// is one.
	SHA256   string
	BadLines int64
}

// mostSought modules are asked for: what fewer crashes lack waits for somebody who tells.
const mostSought = 500

// Arrived keeps what has been told: what a source has had since then is no news, even where
// processors have other sources and lack it still. It is for Arrivals.Run.
func (r *Rechecker) Arrived(e *schema.SymbolsEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told == nil {
		r.told = map[string]string{}
	}
	r.told[e.Key()] = e.SHA256
}

// Run asks until ctx is done, for the first time after Every.
func (r *Rechecker) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(r.Every):
		}
		if err := r.Once(ctx); err != nil && ctx.Err() == nil {
			r.Log.Warn().Err(err).Msg("sources not asked for what crashes lack")
		}
	}
}

// Once asks for each module once.
func (r *Rechecker) Once(ctx context.Context) error {
	state := r.Versions.Newest()
	if state == nil {
		return errNoVersions
	}
	days := r.Days
	if days <= 0 {
		days = DefaultDays
	}
	sought, err := r.DB.MostSought(ctx, askable(state), time.Now().UTC().AddDate(0, 0, -days), mostSought)
	if err != nil {
		return err
	}
	var events []schema.SymbolsEvent
	for _, s := range sought {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a := r.Ask(ctx, s.DebugFile, s.DebugID)
		r.Metrics.recheck(a.Outcome)
		e := schema.SymbolsEvent{DebugFile: s.DebugFile, DebugID: s.DebugID, SHA256: a.SHA256, BadLines: a.BadLines, By: "aftershock", Reason: schema.SymbolsRecheck}
		if a.SHA256 != "" && !r.knows(&e) {
			events = append(events, e)
		}
	}
	if len(events) == 0 {
		return nil
	}
	if err := stream.Announce(ctx, r.Kafka, events); err != nil {
		return err
	}
	for i := range events {
		r.Arrived(&events[i]) // it also comes from the log
	}
	r.Log.Info().Int("modules", len(events)).Int("asked", len(sought)).Msg("sources have symbols that crashes lack")
	return nil
}

func (r *Rechecker) knows(e *schema.SymbolsEvent) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told[e.Key()] == e.SHA256
}
