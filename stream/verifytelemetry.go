package stream

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// published looks for crashes in crash.telemetry. Its records have no raw position,
// and compaction leaves one a key: they are looked for by crash id, so many at a
// time, and reading ends when all are found.
type published struct {
	*census
	waiting map[crashKey]wanted
	oldest  time.Time // received_at
	wanted  int64
	missing *offsetSet
}

// wanted is a crash that must be published since an epoch in a revision, or a higher
// one.
type wanted struct{ rawOffset, revision, epoch int64 }

// want looks for a crash that is shown since an epoch, sooner or later.
func (p *published) want(ctx context.Context, key []byte, head *schema.ProcessedHead, epoch int64) error {
	id, ok := crashKeyOf(key)
	if !ok {
		return nil
	}
	if len(p.waiting) == 0 || head.ReceivedAt.Before(p.oldest) {
		p.oldest = head.ReceivedAt
	}
	before, again := p.waiting[id]
	if !again {
		p.wanted++
	}
	p.waiting[id] = wanted{head.Raw.Offset, max(before.revision, head.Revision), epoch}
	if len(p.waiting) < p.limits.waiting {
		return nil
	}
	return p.find(ctx)
}

// look looks for the last ones.
func (p *published) look(ctx context.Context) error {
	if err := p.find(ctx); err != nil {
		return err
	}
	sink := VerifiedSink{Name: schema.TopicTelemetry, Lag: p.publishedLag, Want: p.wanted}
	sink.Missing = p.missing.where(func(offset int64) bool {
		p.found.holes.add(offset)
		return true
	})
	p.found.Tables = append(p.found.Tables, sink)
	return nil
}

// find reads crash.telemetry until all that are waited for are found. A record's
// time there is its crash's.
func (p *published) find(ctx context.Context) error {
	if len(p.waiting) == 0 {
		return nil
	}
	from, err := after(ctx, p.admin, schema.TopicTelemetry, p.oldest)
	if err != nil {
		return err
	}
	at := p.cut.telemetry[p.number]
	at.From = max(at.From, from[p.number])
	err = p.Kafka.read(ctx, schema.TopicTelemetry, map[int32]Span{p.number: at}, maxSilence, data(func(r *kgo.Record) error {
		id, ok := crashKeyOf(r.Key)
		if w, waiting := p.waiting[id]; ok && waiting && p.fulfils(r, w) {
			delete(p.waiting, id)
		}
		if len(p.waiting) == 0 {
			return errFound
		}
		return nil
	}))
	if err != nil && !errors.Is(err, errFound) {
		return err
	}
	for _, w := range p.waiting {
		p.missing.add(w.rawOffset)
	}
	clear(p.waiting)
	return nil
}

// fulfils tells whether a record of the key is what is waited for, or newer, or
// says that the crash was to be forgotten.
func (p *published) fulfils(r *kgo.Record, w wanted) bool {
	if len(r.Value) == 0 {
		return true
	}
	// The identity is <crash id>/<signature version>/<revision>/<epoch>.
	parts := strings.Split(identity(r), "/")
	if len(parts) != 4 || parts[1] != strconv.Itoa(int(p.Version)) || parts[3] != strconv.FormatInt(w.epoch, 10) {
		return false
	}
	revision, err := strconv.ParseInt(parts[2], 10, 64)
	return err == nil && revision >= w.revision
}

// publishedOffsets are how far all groups that publish the version have come of its
// topic: what lies before has been through each. none tells that no group does.
func (v *Verifier) publishedOffsets(ctx context.Context, admin *kadm.Client) (offsets map[int32]int64, none bool, err error) {
	groups := v.Activation.TelemetryGroups(v.Version)
	for i, group := range groups {
		one, err := groupOffsets(ctx, admin, group, schema.ProcessedTopic(v.Version))
		if err != nil {
			return nil, false, err
		}
		if i == 0 {
			offsets = one
		}
		for p, at := range offsets {
			offsets[p] = min(at, one[p])
		}
	}
	return offsets, len(groups) == 0, nil
}
