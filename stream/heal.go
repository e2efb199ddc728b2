package stream

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Healer is the Transform from crash.heal to crash.reprocess: crashes that lacked symbols
// for a while are asked for again by themselves.
//
// Whoever processes a crash of which a source did not answer appends a request to
// crash.heal, in the transaction of the result. The Healer lets it wait until its time has
// come and the sources are well, and asks. What still lacks symbols then waits again, and
// longer, for maxHeals times in all: after that it is for symbols that arrive, or for
// somebody who asks.
type Healer struct {
	Kafka    Kafka
	Instance string
	// Well tells whether the sources that failed are well; it may ask them.
	Well    func(context.Context) bool
	Ready   func(error)
	Metrics *Metrics
	Log     zerolog.Logger
}

const (
	// maxHeals is how often a crash is asked for again.
	maxHeals = 5
	// healFactor is how much longer than the one before each wait is: 1, 5, 25 minutes, 2
	// and 10 hours.
	healFactor = 5
	// healPoll is the most requests of a batch: a batch is as late as its last one.
	healPoll  = 256
	stageHeal = "heal"
)

// healPause is the first wait.
var healPause = time.Minute

// healReason is a request's, for those who read it.
const healReason = "a symbol source did not answer"

// healWait is how long a request waits that is the n'th of its crash, from 1.
func healWait(n int32) time.Duration {
	wait := healPause
	for range min(max(n, 1), maxHeals) - 1 {
		wait *= healFactor
	}
	return wait
}

// Run asks until ctx is done; see Transform.Run.
func (h *Healer) Run(ctx context.Context) error {
	t := Transform{
		Kafka: h.Kafka, Group: schema.GroupHeal, Topic: schema.TopicHeal, Instance: h.Instance, Work: h.work, Stage: stageHeal,
		MostPoll: healPoll, Workers: 1, Ready: h.Ready, Metrics: h.Metrics, Log: h.Log,
	}
	return t.Run(ctx)
}

func (h *Healer) work(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
	request, err := schema.Decode[schema.ReprocessRequest](in.Value)
	if err != nil {
		return []*kgo.Record{DeadLetter(in, schema.DeadRequestBad, stageHeal, 0)}, nil //nolint:nilerr // the letter says it
	}
	switch {
	case time.Since(in.Timestamp) < healWait(request.Attempt):
		return nil, &PassingError{Err: errors.New("its time has not come"), Expected: true, Later: true}
	case !h.Well(ctx):
		return nil, &PassingError{Err: errors.New("a symbol source is not well"), Expected: true, Later: true}
	}
	return []*kgo.Record{{Topic: schema.TopicReprocess, Key: in.Key, Value: in.Value}}, nil
}

// heal is a request for a crash that lacks symbols for a while, or nothing when it has
// been asked for often enough. attempt is that of the request that made the result, 0 of
// the raw pass.
func heal(p *schema.ProcessedCrash, attempt int32) []*kgo.Record {
	if !transient(p) || attempt >= maxHeals {
		return nil
	}
	return ownRequest(schema.TopicHeal, schema.ReprocessRequest{
		CrashID: p.CrashID, Raw: p.Raw, Versions: []int32{p.SignatureVersion}, Attempt: attempt + 1, Reason: healReason,
	})
}

// transient tells whether a symbol source did not answer. What became of each module may
// have been left out of an event that was too large, the note not.
func transient(p *schema.ProcessedCrash) bool {
	transient := func(modules []schema.Module, notes []schema.Note) bool {
		return slices.ContainsFunc(modules, func(m schema.Module) bool { return schema.TransientSymbols(m.Symbols) }) ||
			slices.ContainsFunc(notes, func(n schema.Note) bool { return n.Code == schema.NoteSymbolsTransient })
	}
	return transient(p.Modules, p.Notes) || slices.ContainsFunc(p.AdditionalDumps, func(d schema.AdditionalDump) bool {
		return transient(d.Modules, d.Notes)
	})
}
