package stream

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// HeaderSymbols is of a request to process a crash again because symbols have come: the
// offset of crash.symbols that whoever processes it must have come past. It is no field of
// the request, which older releases read as well.
const HeaderSymbols = "aftershock_symbols"

// Arrivals follows crash.symbols for a process that remembers what symbols there were. It
// is safe for concurrent use. Nil is for one that remembers nothing.
type Arrivals struct {
	kafka  Kafka
	began  bool
	before int64 // the log's end when it began to be followed

	mu     sync.Mutex
	next   int64     // the offset behind what was followed
	looked time.Time // when the log's end was last asked for by who waits
}

// NewArrivals is a follower that has seen nothing yet; Run lets it see.
func NewArrivals(k Kafka) *Arrivals { return &Arrivals{kafka: k} }

// Run hands on each event of the log, from the first, until ctx is done: those that were
// there before as well, for what is remembered may be older. at says since when what is
// remembered is no news: now, or of an event that was there before, when it was appended,
// with a margin for the clock of who appended it. It rides out brokers that are away.
func (a *Arrivals) Run(ctx context.Context, arrived func(e *schema.SymbolsEvent, at time.Time)) {
	for ctx.Err() == nil {
		err := a.follow(ctx, arrived)
		if ctx.Err() != nil {
			return
		}
		a.kafka.Log.Warn().Err(err).Msg("log of symbols not readable, trying again")
		select {
		case <-ctx.Done():
		case <-time.After(followPause):
		}
	}
}

// appendMargin is how wrong the clocks of those who append may be, compared with ours. What was
// loaded in that time after an event is loaded once more.
const appendMargin = 5 * time.Minute

// follow is Run until the first error.
func (a *Arrivals) follow(ctx context.Context, arrived func(*schema.SymbolsEvent, time.Time)) error {
	spans, err := a.kafka.committedSpans(ctx, schema.TopicSymbols)
	if err != nil {
		return err
	}
	a.mu.Lock()
	if a.next > spans[0].End { // somebody has made the log anew
		a.next = 0
	}
	from := kgo.NewOffset().AtStart()
	if a.next > spans[0].From {
		from = kgo.NewOffset().At(a.next)
	}
	a.mu.Unlock()
	if !a.began {
		a.began, a.before = true, spans[0].End
	}
	cl, err := kgo.NewClient(append(a.kafka.Options(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{schema.TopicSymbols: {0: from}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fetchError(fetches); err != nil {
			return Named(err, "READ", schema.TopicSymbols, "", "")
		}
		for _, r := range fetches.Records() {
			// An event that cannot be read is of a later release, or nobody's: nothing can be
			// forgotten for it, and nobody waits for it.
			if event, err := schema.Decode[schema.SymbolsEvent](r.Value); err == nil {
				at := time.Now()
				if r.Offset < a.before && r.Timestamp.Add(appendMargin).Before(at) {
					at = r.Timestamp.Add(appendMargin)
				}
				arrived(event, at)
			}
			a.mu.Lock()
			a.next = max(a.next, r.Offset+1)
			a.mu.Unlock()
		}
	}
}

// endLook is between looks at whether the log reaches as far as a request says.
const endLook = 5 * time.Second

// passed returns nil when the log has been followed past what a request names, else a
// PassingError. An offset that the log does not have names nothing any more: it was made anew since,
// and nobody would ever come there.
func (a *Arrivals) passed(ctx context.Context, request *kgo.Record) error {
	offset, ok := symbolsOffset(request)
	if a == nil || !ok {
		return nil
	}
	a.mu.Lock()
	known := a.next > offset
	look := !known && time.Since(a.looked) > endLook
	if look {
		a.looked = time.Now()
	}
	a.mu.Unlock()
	if known {
		return nil
	}
	if look {
		if spans, err := a.kafka.committedSpans(ctx, schema.TopicSymbols); err == nil && offset >= spans[0].End {
			return nil
		}
	}
	return &PassingError{Err: fmt.Errorf("%s: offset %d has not come", schema.TopicSymbols, offset), Expected: true}
}

// symbolsOffset is a request's HeaderSymbols.
func symbolsOffset(r *kgo.Record) (int64, bool) {
	for _, h := range r.Headers {
		if h.Key == HeaderSymbols {
			offset, err := strconv.ParseInt(string(h.Value), 10, 64)
			return offset, err == nil
		}
	}
	return 0, false
}

// RequestSymbols is Request for crashes whose symbols have come: up to that offset of
// crash.symbols everybody who works on one has heard of them.
func RequestSymbols(ctx context.Context, k Kafka, requests []schema.ReprocessRequest, offset int64) error {
	return request(ctx, k, requests, kgo.RecordHeader{Key: HeaderSymbols, Value: strconv.AppendInt(nil, offset, 10)})
}

// Announce appends that symbols have come, and returns when all replicas have it.
func Announce(ctx context.Context, k Kafka, events []schema.SymbolsEvent) error {
	records := make([]*kgo.Record, len(events))
	for i := range events {
		value, err := schema.Encode(&events[i])
		if err != nil {
			return err
		}
		records[i] = &kgo.Record{Topic: schema.TopicSymbols, Key: []byte(events[i].Key()), Value: value}
	}
	producer, err := k.Producer()
	if err != nil {
		return err
	}
	defer producer.Close()
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("append to %s: %w", schema.TopicSymbols, Named(err, "WRITE", schema.TopicSymbols, "", ""))
	}
	return nil
}
