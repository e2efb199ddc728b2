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

// ErrMissing is wrapped when crashes would vanish from what is seen.
var ErrMissing = errors.New("crashes that are seen would vanish")

// namedMissing is how many of them a refusal names.
const namedMissing = 20

// complete refuses when more crashes than are accepted have no row in the version
// that is to be seen instead of the one that shows them now.
func (o *Operator) complete(ctx context.Context, moves []change, opts PromoteOptions) error {
	n, first, err := missing(ctx, o.DB, moves, namedMissing)
	if err != nil || n <= opts.AcceptMissing {
		return err
	}
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
		out[i] = fmt.Sprintf("%s (%s/%d/%d, version %d): %s", c.CrashID, c.Raw.Topic, c.Raw.Partition, c.Raw.Offset, c.Version, dead[c.Raw])
	}
	return out, nil
}

// lineage keeps what becomes of each signature.
func (o *Operator) lineage(ctx context.Context, state *schema.VersionEvent) error {
	return storeLineage(ctx, o.DB, state.Activation.Epoch+1, changes(state.Activation.Ranges, state.Promotion.Ranges))
}
