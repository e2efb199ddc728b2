// Package heal makes crashes again that lacked symbols, once the symbols have come.
//
// Who brings symbols appends to crash.symbols (stream.Announce). Healer finds the crashes
// that lack them in the tables and asks for each to be processed again; Rechecker asks
// the sources for what crashes lack most, and appends what it finds. What sources did not
// answer while a crash was processed is asked for without any of this: see stream.Healer.
package heal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// Healer asks for the crashes that lack symbols which have come.
//
// Events that come together are one pass, so that a crash is asked for once however many of
// its modules have come. A pass goes from the last day back, newest crashes first, and asks
// for no more than MostWaiting that have not been processed. It is made once more for
// crashes whose rows were on their way (again.go). It is at least once: after a
// kill it begins again, and asks for what still lacks symbols. What it has asked for is
// kept in the tables (clickhouse.EachHealed), and is not asked for again in that pass; and
// only events begin one. So a file that helps nobody costs each crash one try.
type Healer struct {
	Kafka    stream.Kafka
	DB       Tables
	Versions *stream.Following
	Instance string
	// Days is how far back crashes are looked for; 0: DefaultDays.
	Days int
	// MostWaiting crashes that were asked for are not yet processed; 0: DefaultWaiting.
	MostWaiting int64
	// Settle is how long after its events a pass is made again at the soonest; 0: settleTime.
	Settle  time.Duration
	Ready   func(error)
	Metrics *Metrics // may be nil
	Log     zerolog.Logger

	groups *stream.Groups
}

// Tables are where crashes are looked for; *clickhouse.DB is one.
type Tables interface {
	// DaysSince are the days of which versions have rows, the last first.
	DaysSince(ctx context.Context, versions []int32, since time.Time) ([]time.Time, error)
	// EachLacking hands on the crashes of a day that lack what has come.
	EachLacking(ctx context.Context, p clickhouse.Population, day time.Time, a clickhouse.Arrived, each func(clickhouse.Lacking) error) error
	// Asked stores that crashes were asked for.
	Asked(ctx context.Context, p clickhouse.Population, upto int64, at time.Time, crashes []clickhouse.Lacking) error
}

// Defaults of a Healer, and of a Rechecker.
const (
	DefaultDays    = 28
	DefaultWaiting = 20_000
)

const (
	// Of events that come one after the other the last is waited for, but none for long: a
	// build's upload is one pass, and its first crashes are made again in seconds.
	quietTime = time.Second
	mostTime  = 3 * time.Second
	// mostEvents are one pass: more make the next one.
	mostEvents = 1000
	// asking is how many crashes are asked for at a time.
	asking = 1000
	// waitingPause is between looks at what is not yet processed.
	waitingPause = 200 * time.Millisecond
	minBackoff   = 200 * time.Millisecond
	maxBackoff   = 10 * time.Second
	// healReason is that of the requests, for those who read them.
	healReason = "symbols have come"
)

// Run heals until ctx is done; then it returns nil. It rides out brokers and tables that are
// away: what it could not do it does again. What it may not do is an error.
func (h *Healer) Run(ctx context.Context) error {
	defer h.Kafka.Leave(ctx, schema.GroupSymbols, h.Instance)
	var err error
	if h.groups, err = stream.NewGroups(h.Kafka); err != nil {
		return err
	}
	defer h.groups.Close()
	for {
		err := h.session(ctx)
		if !stream.Repaired(err) || ctx.Err() != nil {
			return err
		}
		h.Log.Info().Err(err).Str("group", schema.GroupSymbols).Msg("going on")
	}
}

// session is one membership of the group.
func (h *Healer) session(ctx context.Context) error {
	cl, err := h.Kafka.GroupClient(schema.GroupSymbols, schema.TopicSymbols, h.Instance)
	if err != nil {
		return err
	}
	defer cl.Close()
	losses := h.Kafka.NewLosses(schema.GroupSymbols, schema.TopicSymbols, h.Log)
	h.ready(nil)
	var all []*owed
	for {
		records, err := h.collect(ctx, cl, losses, len(all))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("group %s: %w", schema.GroupSymbols, stream.Named(err, "READ", schema.TopicSymbols, schema.GroupSymbols, ""))
		}
		if len(records) > 0 {
			if err := h.persist(ctx, records); err != nil {
				return err
			}
			all = append(all, h.owe(records))
		}
		if all, err = h.again(ctx, cl, all); err != nil {
			return fmt.Errorf("group %s: %w", schema.GroupSymbols, err)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (h *Healer) ready(err error) {
	if h.Ready != nil {
		h.Ready(err)
	}
}

// collect waits for events, and for those that come with them; not for long, and maybe for
// none, when passes are owed.
func (h *Healer) collect(ctx context.Context, cl *kgo.Client, losses *stream.Losses, owed int) (records []*kgo.Record, err error) {
	if owed >= mostOwed {
		select {
		case <-ctx.Done():
		case <-time.After(againPause):
		}
		return nil, ctx.Err()
	}
	var last context.Context // when none is waited for any more
	for len(records) < mostEvents {
		poll, cancel := losses.Patience(ctx)
		if last != nil {
			cancel()
			poll, cancel = context.WithTimeout(last, quietTime)
		} else if owed > 0 {
			cancel()
			poll, cancel = context.WithTimeout(ctx, againPause)
		}
		fetches := cl.PollRecords(poll, mostEvents-len(records))
		err := losses.Look(ctx, poll, cl, fetches)
		quiet := poll.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if losses.Err() != nil {
			h.ready(losses.Err())
		}
		h.Kafka.Metrics.Polled(schema.GroupSymbols, fetches)
		records = append(records, fetches.Records()...)
		if last == nil && len(records) > 0 {
			var done context.CancelFunc
			last, done = context.WithTimeout(ctx, mostTime)
			defer done()
		} else if quiet && (last != nil || owed > 0) {
			break
		}
	}
	return records, nil
}

// persist makes the pass, again until it is done or ctx is.
func (h *Healer) persist(ctx context.Context, records []*kgo.Record) error {
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := h.pass(ctx, records)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end was asked for
		}
		if err == nil {
			h.ready(nil)
			return nil
		}
		if errors.As(err, new(*stream.AccessError)) {
			return fmt.Errorf("group %s: %w", schema.GroupSymbols, err)
		}
		h.ready(err)
		h.Metrics.failed()
		h.Log.Warn().Err(err).Dur("backoff_ms", backoff).Msg("crashes that lack symbols not all asked for, trying again")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
		}
	}
}

// pass asks for all crashes that lack what the events tell of.
func (h *Healer) pass(ctx context.Context, records []*kgo.Record) error {
	state := h.Versions.Newest()
	if state == nil {
		return errNoVersions
	}
	a := clickhouse.Arrived{Events: newest(records, h.Log), Upto: records[len(records)-1].Offset + 1, Versions: askable(state)}
	h.Metrics.came(len(a.Events))
	start, asked := time.Now(), 0
	days, err := h.DB.DaysSince(ctx, a.Versions, start.UTC().AddDate(0, 0, -h.days()))
	if err != nil {
		return err
	}
	for _, day := range days {
		for _, p := range clickhouse.Populations {
			n, err := h.day(ctx, p, day, a)
			asked += n
			if err != nil {
				return err
			}
		}
	}
	h.Log.Info().Int("modules", len(a.Events)).Int("crashes", asked).Int64("upto", a.Upto).Dur("took_ms", time.Since(start)).Msg("symbols have come: crashes that lacked them are made again")
	return nil
}

func (h *Healer) days() int {
	if h.Days > 0 {
		return h.Days
	}
	return DefaultDays
}

// day asks for the crashes of a day, and returns for how many.
func (h *Healer) day(ctx context.Context, p clickhouse.Population, day time.Time, a clickhouse.Arrived) (asked int, err error) {
	var some []clickhouse.Lacking
	ask := func() error {
		if err := h.ask(ctx, p, a, some); err != nil {
			return err
		}
		asked += len(some)
		some = some[:0]
		return nil
	}
	each := func(l clickhouse.Lacking) error {
		if some = append(some, l); int64(len(some)) < min(asking, h.mostWaiting()) {
			return nil
		}
		return ask()
	}
	for _, part := range a.Parts() {
		if err := h.DB.EachLacking(ctx, p, day, part, each); err != nil {
			return asked, err
		}
		if len(some) == 0 {
			continue
		}
		if err := ask(); err != nil { // before the next: it leaves out who was asked for
			return asked, err
		}
	}
	return asked, nil
}

// ask asks for crashes, and then stores that it did: who is killed in between asks again,
// which does no harm.
func (h *Healer) ask(ctx context.Context, p clickhouse.Population, a clickhouse.Arrived, crashes []clickhouse.Lacking) error {
	if err := h.room(ctx, int64(len(crashes))); err != nil {
		return err
	}
	requests := map[string]*schema.ReprocessRequest{}
	var ids []string
	for _, c := range crashes {
		r := requests[c.CrashID]
		if r == nil {
			r = &schema.ReprocessRequest{CrashID: c.CrashID, Raw: c.Raw, Reason: healReason}
			requests[c.CrashID] = r
			ids = append(ids, c.CrashID)
		}
		r.Versions = append(r.Versions, c.Version)
	}
	all := make([]schema.ReprocessRequest, len(ids))
	for i, id := range ids {
		all[i] = *requests[id]
	}
	if err := stream.RequestSymbols(ctx, h.Kafka, all, a.Upto-1); err != nil {
		return err
	}
	h.Metrics.asked(p.Kind, len(crashes))
	return h.DB.Asked(ctx, p, a.Upto, time.Now(), crashes)
}

func (h *Healer) mostWaiting() int64 {
	if h.MostWaiting > 0 {
		return h.MostWaiting
	}
	return DefaultWaiting
}

// room waits until so many more may wait to be processed, or nothing waits.
func (h *Healer) room(ctx context.Context, more int64) error {
	for {
		waiting, err := h.waiting(ctx)
		if err != nil {
			return err
		}
		h.Metrics.waits(waiting)
		if waiting+more <= h.mostWaiting() || waiting == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(waitingPause):
		}
	}
}

// waiting is how many requests the version that is furthest behind has not processed, of those
// that somebody processes: one that nobody does holds up no other.
func (h *Healer) waiting(ctx context.Context) (most int64, err error) {
	state := h.Versions.Newest()
	var groups []string
	for _, v := range askable(state) {
		if state.Version(v).State == schema.StateArchived {
			v = schema.Archived // one group makes crashes of all of them
		}
		if group := schema.ReprocessGroup(v); !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	members, err := h.groups.Members(ctx, groups...)
	if err != nil {
		return 0, err
	}
	served := slices.ContainsFunc(groups, func(g string) bool { return members[g] > 0 })
	for _, group := range groups {
		if served && members[group] == 0 {
			continue
		}
		lag, err := h.groups.Lag(ctx, group, schema.TopicReprocess)
		if err != nil {
			return 0, err
		}
		most = max(most, lag.Records)
	}
	return most, nil
}

// newest is the last event of each module.
func newest(records []*kgo.Record, log zerolog.Logger) (events []schema.SymbolsEvent) {
	at := map[string]int{}
	for _, r := range records {
		e, err := schema.Decode[schema.SymbolsEvent](r.Value)
		if err == nil && len(e.Key()) > clickhouse.MostKeyBytes {
			err = fmt.Errorf("a key of %d bytes", len(e.Key()))
		}
		if err != nil {
			log.Warn().Err(err).Int64("offset", r.Offset).Msg("no event of symbols")
			continue
		}
		if i, ok := at[e.Key()]; ok {
			events[i] = *e
			continue
		}
		at[e.Key()] = len(events)
		events = append(events, *e)
	}
	return events
}

// askable are the versions that requests can be for.
func askable(state *schema.VersionEvent) (versions []int32) {
	for _, v := range state.Versions {
		if v.Processed() || v.State == schema.StateArchived && state.Activation.Names(v.Number) {
			versions = append(versions, v.Number)
		}
	}
	slices.Sort(versions)
	return versions
}

// errNoVersions: nobody has told yet which versions there are.
var errNoVersions = errors.New("the versions log has not come")
