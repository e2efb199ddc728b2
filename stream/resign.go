package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// Resigner is the Transform from the processed crashes of a version's Base to its
// own: the same stacks, signed with its rules. It takes what the version gets from
// nowhere else: the results of raw crashes before its Begins and the answers to
// requests before its BaseRequests; all lie before its BaseEnds.
//
// Of one crash an older result never comes after a newer one. So the answer to a request
// about a raw crash that the version processes itself waits until it has, and later
// requests wait until all is signed again (Reprocessor).
type Resigner struct {
	Kafka    Kafka
	Instance string
	Versions *Following
	// Version is the one to make; it must have a Base.
	Version *schema.SignatureVersion
	// Workers are shared with the processors of this process.
	Workers *Workers
	// Sign signs a crash of which what stands before the threads, and the first and
	// crashing thread, are there. An error, and a panic, make the record a dead letter.
	Sign    func(c *schema.ProcessedCrash) error
	Guard   Guard
	Ready   func(error)
	Metrics *Metrics
	Log     zerolog.Logger

	passed passed
}

const (
	stageResign = "resign"
	// resignPoll is the most records of a batch: to sign one takes little, so that the
	// end of a transaction would cost more than a few.
	resignPoll = 2048
	// resignLook is between looks at whether all is done.
	resignLook = 2 * time.Second
)

// Run signs until ctx is done, or everything is signed: then it leaves the group and
// returns ErrDone.
func (r *Resigner) Run(ctx context.Context) error {
	cl, done, err := r.Kafka.ask()
	if err != nil {
		return fmt.Errorf("resign: %w", err)
	}
	defer done()
	admin := kadm.NewClient(cl)
	if done, err := resigned(ctx, admin, r.Versions, r.Version); err != nil || done {
		return doneOr(err)
	}
	r.passed = passed{admin: admin, group: schema.ProcessGroup(r.Version.Number)}
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel(nil)
	watch.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(resignLook):
			}
			if done, err := resigned(ctx, admin, r.Versions, r.Version); err == nil && done {
				cancel(ErrDone)
			}
		}
	})
	t := Transform{
		Kafka: r.Kafka, Group: schema.ResignGroup(r.Version.Number), Topic: schema.ProcessedTopic(r.Version.Base), Instance: r.Instance,
		Outputs: []string{schema.ProcessedTopic(r.Version.Number)}, MostPoll: resignPoll, Markers: true,
		Work: r.work, Workers: r.Workers.Number(), Stage: stageResign, Version: r.Version.Number, Versions: r.Versions,
		Rest: func(_ []*kgo.Record, took time.Duration) time.Duration {
			return r.Workers.rest(LaneReplay(r.Version.Number), took)
		},
		Guard: r.Guard, Ready: r.Ready, Metrics: r.Metrics, Log: r.Log,
	}
	if err := t.Run(ctx); err != nil {
		return err
	}
	if errors.Is(context.Cause(ctx), ErrDone) {
		return ErrDone
	}
	return nil
}

func doneOr(err error) error {
	if err == nil {
		return ErrDone
	}
	return err
}

// resigned tells whether everything before a version's BaseEnds is signed again, as it
// is when the base is gone.
func resigned(ctx context.Context, admin *kadm.Client, versions *Following, v *schema.SignatureVersion) (bool, error) {
	if state := versions.Newest(); state != nil && state.BaseGone(v) {
		return true, nil
	}
	group, topic := schema.ResignGroup(v.Number), schema.ProcessedTopic(v.Base)
	at, err := groupOffsets(ctx, admin, group, topic)
	if err != nil {
		return false, Named(err, "READ", topic, group, "")
	}
	behind := false
	for _, end := range v.BaseEnds {
		behind = behind || at[end.Partition] < end.Offset
	}
	return !behind, nil
}

// work makes the crash with the version's signature, its dead letter, or nothing for
// what the version has from elsewhere.
func (r *Resigner) work(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
	if in.Attrs.IsControl() || in.Offset >= offsetOf(r.Version.BaseEnds, in.Partition) {
		return nil, nil
	}
	state := r.Versions.Newest()
	if v := state.Version(r.Version.Number); v == nil || v.State != schema.StateLive {
		return nil, &PassingError{Err: errNotNow, Expected: true}
	}
	head, err := schema.DecodeHead(in.Value)
	if err != nil {
		return r.dead(in, schema.DeadProcessedBad, err), nil
	}
	begins := offsetOf(r.Version.Begins, head.Raw.Partition)
	if head.Raw.Topic != schema.TopicRaw { // it was made up: there is nowhere else to have it from
		begins = math.MaxInt64
	}
	switch {
	case !state.Processes(r.Version.Number, head.ReceivedAt):
		r.Metrics.leftOut(schema.ResignGroup(r.Version.Number))
		return nil, nil
	case head.Revision == 0 && head.Raw.Offset >= begins:
		return nil, nil
	case head.Revision > offsetOf(r.Version.BaseRequests, head.Raw.Partition): // that of offset + 1
		return nil, nil
	case head.Raw.Offset >= begins:
		// What nobody can process any more is signed: there is nothing better.
		if err := r.passed.wait(ctx, head.Raw); err != nil && !errors.Is(err, ErrGone) {
			return nil, err
		}
	}
	lane := LaneReplay(r.Version.Number)
	if err := r.Workers.take(ctx, lane); err != nil {
		return nil, &PassingError{Err: err, Expected: errors.Is(err, errPaused)}
	}
	defer r.Workers.give(lane)
	value, class, err := r.sign(in.Value)
	if err != nil {
		return r.dead(in, class, err), nil
	}
	return []*kgo.Record{processedRecord(r.Version.Number, in.Key, value, head.Revision)}, nil
}

// sign returns the event with another signature. With an error comes the class of the
// dead letter.
func (r *Resigner) sign(value []byte) (out []byte, class string, err error) {
	defer func() {
		if v := recover(); v != nil {
			// The value may quote the crash: only its type is logged.
			out, class, err = nil, schema.DeadPanic, fmt.Errorf("panic (%T) while signing\n%s", v, debug.Stack())
		}
	}()
	s, err := schema.DecodeSignable(value)
	if err == nil {
		err = r.Sign(&s.Crash)
	}
	if err != nil {
		return nil, schema.DeadProcessedBad, err
	}
	if out, err = s.Encode(); err != nil {
		return nil, schema.DeadProcess, err
	}
	if len(out) > schema.MaxProcessedBytes {
		return nil, schema.DeadEventTooLarge, fmt.Errorf("processed crash of %d bytes", len(out))
	}
	return out, "", nil
}

func (r *Resigner) dead(in *kgo.Record, class string, err error) []*kgo.Record {
	r.Log.Error().Err(err).Str("topic", in.Topic).Int32("partition", in.Partition).Int64("offset", in.Offset).
		Str("class", class).Str("stage", stageResign).Msg("dead-lettered")
	return []*kgo.Record{DeadLetter(in, class, stageResign, r.Version.Number)}
}

// resigning knows whether a version's Base is signed again; nothing is in it of a version
// that has none.
type resigning struct {
	admin    *kadm.Client
	versions *Following
	version  *schema.SignatureVersion

	mu    sync.Mutex
	done  bool
	asked time.Time
}

// wait returns nil when it is, else a PassingError.
func (r *resigning) wait(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done || r.version == nil || r.version.Base == 0 {
		return nil
	}
	if time.Since(r.asked) > passedAge {
		done, err := resigned(ctx, r.admin, r.versions, r.version)
		if err != nil {
			return passing(err)
		}
		r.done, r.asked = done, time.Now()
	}
	if r.done {
		return nil
	}
	return &PassingError{Err: fmt.Errorf("%s is not done", schema.ResignGroup(r.version.Number)), Expected: true}
}
