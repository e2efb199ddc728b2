package main

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

type dlqRetryVerb struct {
	kafkaFlags
	letterFilter
	Until    moment     `help:"Those before then: a time, or how long ago." placeholder:"TIME"`
	Position []letterAt `help:"This letter, as list --positions prints it. Repeat it." placeholder:"PARTITION/OFFSET"`
	All      bool       `help:"Every letter that the other flags choose, also those whose class says that trying again cannot help. Wanted when nothing else chooses."`
	Max      int        `help:"Ask for at most so many crashes." default:"10000"`
	DryRun   bool       `help:"Say what would be asked for, and ask for nothing."`
}

// hopeless are the classes of letters that will come to the same end.
var hopeless = map[string]bool{
	schema.DeadRawUndecodable: true, schema.DeadCrashID: true, schema.DeadRequestBad: true, schema.DeadRawGone: true,
}

// retry is what comes of letters.
type retry struct {
	kafka    stream.Kafka
	live     map[int32]bool
	requests []schema.ReprocessRequest
	asked    map[asking]bool // of two letters about one thing, the first is enough
	finding  []finding
	letters  int
	left     int
	more     bool
}

// asking is what a request is for.
type asking struct {
	crashID string
	version int32
}

// finding is a crash whose raw position the letter does not tell.
type finding struct {
	at      string
	asking  asking
	attempt int32
}

// errMax ends reading.
var errMax = errors.New("as many as --max allows")

// maxLeftOut is how many letters are named that are not retried; the rest is counted.
const maxLeftOut = 100

// Run asks for what it may, and fails when something was left out.
func (v *dlqRetryVerb) Run(r *run) error {
	if v.Class == "" && v.Stage == "" && v.Since.IsZero() && v.Until.IsZero() && len(v.Position) == 0 && !v.All {
		return &usageError{"choose letters with --class, --stage, --since, --until or --position, or take --all"}
	}
	if v.Max < 1 || v.Max > stream.MaxFind {
		return &usageError{fmt.Sprintf("--max: want 1 to %d", stream.MaxFind)}
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	state, err := stream.NewestVersions(r.ctx, kafka)
	if err != nil {
		return err
	}
	t := &retry{kafka: kafka, live: liveVersions(state), asked: map[asking]bool{}}
	if err := v.choose(r, t); err != nil && !errors.Is(err, errMax) {
		return err
	}
	if err := v.find(r, t); err != nil {
		return err
	}
	done := "asked for"
	if v.DryRun {
		done = "would be asked for"
	} else if err := stream.Request(r.ctx, kafka, t.requests); err != nil {
		return err
	}
	for _, q := range t.requests {
		if _, err := fmt.Fprintf(r.stdout, "%s %s/%d/%d versions %v attempt %d %s\n", plain(q.CrashID), plain(q.Raw.Topic), q.Raw.Partition, q.Raw.Offset, q.Versions, q.Attempt, done); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(r.stdout, "%d letters chosen, %d crashes %s, %d letters left out\n", t.letters, len(t.requests), done, t.left); err != nil {
		return err
	}
	if t.left > 0 {
		err = fmt.Errorf("%d dead letters were left out", t.left)
	}
	if t.more {
		err = errors.Join(err, fmt.Errorf("there are more letters than --max %d crashes: choose fewer, or raise it (to %d at most)", v.Max, stream.MaxFind))
	}
	return err
}

// choose reads the letters.
func (v *dlqRetryVerb) choose(r *run, t *retry) error {
	take := func(rec *kgo.Record) error {
		l := letterOf(rec)
		if !v.takes(rec, l) || !v.Until.IsZero() && !rec.Timestamp.Before(v.Until.Time) {
			return nil
		}
		t.letters++
		return v.take(r, t, rec, l)
	}
	if len(v.Position) == 0 {
		return stream.EachSince(r.ctx, t.kafka, schema.TopicDeadLetter, v.Since.Time, take)
	}
	for _, at := range v.Position {
		rec, err := stream.RawAt(r.ctx, t.kafka, at.position())
		if err == nil {
			err = take(rec)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take makes the request that retries a letter, or says why there is none.
func (v *dlqRetryVerb) take(r *run, t *retry, rec *kgo.Record, l stream.Letter) error {
	leave := func(why string) error { t.leave(r, letterPosition(rec), l.Class, why); return nil }
	if hopeless[l.Class] && !v.All {
		return leave("trying again cannot help (--all tries nevertheless)")
	}
	if !t.live[l.SignatureVersion] {
		return leave(fmt.Sprintf("signature version %d is not live: nobody would process it", l.SignatureVersion))
	}
	q := schema.ReprocessRequest{CrashID: string(rec.Key), Raw: l.From, Versions: []int32{l.SignatureVersion}, Attempt: l.Attempt, Reason: "dlq retry"}
	found := true
	switch {
	case l.From.Topic == schema.TopicRaw:
	case l.From.Topic == schema.TopicReprocess:
		was, err := schema.Decode[schema.ReprocessRequest](rec.Value)
		if err != nil {
			return leave("the request cannot be decoded")
		}
		// Only the version that failed: for the others it may have been done.
		q.CrashID, q.Raw, q.Reason = was.CrashID, was.Raw, was.Reason
	case schema.IsProcessedTopic(l.From.Topic):
		// Processed again it comes to the sinks with a higher revision.
		head, err := schema.DecodeHead(rec.Value)
		if found = err == nil; found {
			q.CrashID, q.Raw = head.CrashID, head.Raw
		}
	default:
		return leave("it does not say which crash it is of")
	}
	if _, err := schema.CrashDay(q.CrashID); err != nil {
		return leave("its key is no crash id")
	}
	what := asking{q.CrashID, l.SignatureVersion}
	if t.asked[what] {
		return nil
	}
	if len(t.asked) == v.Max {
		t.more = true
		return errMax
	}
	t.asked[what] = true
	if !found {
		t.finding = append(t.finding, finding{letterPosition(rec), what, l.Attempt})
		return nil
	}
	t.requests = append(t.requests, q)
	return nil
}

// leave names a letter that is not retried.
func (t *retry) leave(r *run, position, class, why string) {
	if t.left++; t.left <= maxLeftOut {
		say(r.stdout, "%s %s left out: %s\n", position, class, why)
	}
}

// find looks for the raw crashes that letters do not tell the position of.
func (v *dlqRetryVerb) find(r *run, t *retry) error {
	if len(t.finding) == 0 {
		return nil
	}
	ids := make([]string, len(t.finding))
	for i, f := range t.finding {
		ids[i] = f.asking.crashID
	}
	at := map[string]schema.Position{}
	if _, err := stream.FindRaws(r.ctx, t.kafka, ids, func(rec *kgo.Record) error {
		at[string(rec.Key)] = positionOf(rec)
		return nil
	}); err != nil {
		return err
	}
	for _, f := range t.finding {
		raw, ok := at[f.asking.crashID]
		if !ok {
			t.leave(r, f.at, schema.DeadProcessedBad, "its raw crash is not there any more")
			continue
		}
		t.requests = append(t.requests, schema.ReprocessRequest{
			CrashID: f.asking.crashID, Raw: raw, Versions: []int32{f.asking.version}, Attempt: f.attempt, Reason: "dlq retry",
		})
	}
	return nil
}
