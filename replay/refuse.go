package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
)

// Why a promotion is refused.
var (
	// ErrMissing: crashes would vanish from what is seen.
	ErrMissing = errors.New("crashes that are seen would vanish")
	// ErrTransient: crashes would be seen without symbols that they had.
	ErrTransient = errors.New("crashes lack symbols for a while that they did not lack before")
)

// namedMissing is how many of them a refusal names.
const namedMissing = 20

// look is what has been looked at: crashes received before a time whose rows are of the
// processed records before some offsets, by version and partition.
type look struct {
	before time.Time
	stored map[int32]map[int32]int64
}

// recent is the condition of a version's rows that were not looked at. Nil has looked at
// nothing.
func (l *look) recent(version int32) string {
	if l == nil {
		return "1"
	}
	var offsets []string
	at := l.stored[version]
	for p := range int32(len(at)) { // partitions are 0, 1, …; of one that is not there everything is recent
		offsets = append(offsets, fmt.Sprint(at[p]))
	}
	stored := "1"
	if len(offsets) > 0 {
		stored = "processed_offset >= [" + strings.Join(offsets, ", ") + "][processed_partition + 1]"
	}
	return fmt.Sprintf("(received_at >= fromUnixTimestamp64Milli(%d, 'UTC') OR %s)", l.before.UnixMilli(), stored)
}

// refuseLosses refuses when more crashes than are accepted have no row in the version
// that is to be seen instead of the one that shows them now, or lack symbols for a while
// in it alone. Rows that seen has looked at are not looked at again.
func (o *Operator) refuseLosses(ctx context.Context, moves []change, seen *look, opts PromoteOptions) error {
	n, first, err := missing(ctx, o.DB, moves, seen, namedMissing)
	if err != nil {
		return err
	}
	if n > opts.AcceptMissing {
		return o.refuseMissing(ctx, moves, n, first)
	}
	return o.refuseTransient(ctx, moves, seen, opts.AcceptTransient)
}

func (o *Operator) refuseMissing(ctx context.Context, moves []change, n int64, first []MissingCrash) error {
	why, err := o.whyMissing(ctx, winners(moves), first)
	if err != nil {
		return err
	}
	more := ""
	if n > int64(len(first)) {
		more = fmt.Sprintf("\n  and %d more", n-int64(len(first)))
	}
	return fmt.Errorf("%w: %d are not in the new version (--accept-missing %d lets them):\n  %s%s", ErrMissing, n, n, strings.Join(why, "\n  "), more)
}

// whyMissing says of each crash what is known of it.
func (o *Operator) whyMissing(ctx context.Context, in []int32, crashes []MissingCrash) ([]string, error) {
	dead := map[schema.Position]string{}
	for _, c := range crashes {
		dead[c.Raw] = "not processed in the new version; verify --version tells more"
	}
	err := stream.EachSince(ctx, o.Kafka, schema.TopicDeadLetter, time.Time{}, func(r *kgo.Record) error {
		l, err := stream.ReadLetter(r)
		if err != nil || !slices.Contains(in, l.SignatureVersion) {
			return nil //nolint:nilerr // nobody's
		}
		if _, is := dead[l.From]; is {
			dead[l.From] = fmt.Sprintf("dead in version %d: %s", l.SignatureVersion, l.Class)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]string, len(crashes))
	for i, c := range crashes {
		what := ""
		if c.Kind == schema.KindPing {
			what = "ping "
		}
		out[i] = fmt.Sprintf("%s%s (%s/%d/%d, version %d): %s", what, c.CrashID, c.Raw.Topic, c.Raw.Partition, c.Raw.Offset, c.Version, dead[c.Raw])
	}
	return out, nil
}
