package replay

import (
	"slices"
	"time"

	"aftershock/schema"
)

// Show is the activation's ranges once version is seen for received_at in
// [from, to). What is seen anew gets the epoch; what showed that version before
// keeps its own.
func Show(ranges []schema.ActiveRange, version int32, from, to time.Time, epoch int64) []schema.ActiveRange {
	now := schema.Activation{Ranges: ranges}
	var out []schema.ActiveRange
	for _, r := range pieces(ranges, []schema.ActiveRange{{From: from, To: to}}) {
		inside := !r.From.Before(from) && r.From.Before(to)
		switch seen := now.Range(r.From); {
		case inside && (seen == nil || seen.SignatureVersion != version):
			r.SignatureVersion, r.Epoch = version, epoch
		case seen != nil:
			r.SignatureVersion, r.Epoch = seen.SignatureVersion, seen.Epoch
		default:
			continue
		}
		if n := len(out); n > 0 && out[n-1].SignatureVersion == r.SignatureVersion && out[n-1].Epoch == r.Epoch && out[n-1].To.Equal(r.From) {
			out[n-1].To = r.To
			continue
		}
		out = append(out, r)
	}
	return out
}

// pieces are the times between the edges of all ranges, ascending: none of the
// ranges ends within a piece.
func pieces(ranges ...[]schema.ActiveRange) []schema.ActiveRange {
	var edges []time.Time
	for _, r := range slices.Concat(ranges...) {
		edges = append(edges, r.From, r.To)
	}
	slices.SortFunc(edges, time.Time.Compare)
	var out []schema.ActiveRange
	for i := 1; i < len(edges); i++ {
		if edges[i-1].Before(edges[i]) {
			out = append(out, schema.ActiveRange{From: edges[i-1], To: edges[i]})
		}
	}
	return out
}

// change is received_at in [from, to) that one version loses to another; 0 for
// none.
type change struct {
	from, to      time.Time
	loser, winner int32
}

// changes are what differs between two activations.
func changes(before, after []schema.ActiveRange) []change {
	was, is := schema.Activation{Ranges: before}, schema.Activation{Ranges: after}
	var out []change
	for _, r := range pieces(before, after) {
		c := change{r.From, r.To, was.Seen(r.From), is.Seen(r.From)}
		switch n := len(out); {
		case c.loser == c.winner:
		case n > 0 && out[n-1].loser == c.loser && out[n-1].winner == c.winner && out[n-1].to.Equal(c.from):
			out[n-1].to = c.to
		default:
			out = append(out, c)
		}
	}
	return out
}

// winners and losers are the versions that gain and lose something, ascending.
func winners(of []change) []int32 {
	return versionsOf(of, func(c change) int32 { return c.winner })
}

func losers(of []change) []int32 {
	return versionsOf(of, func(c change) int32 { return c.loser })
}

func versionsOf(of []change, which func(change) int32) []int32 {
	var out []int32
	for _, c := range of {
		if n := which(c); n != 0 && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
