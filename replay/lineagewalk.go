package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"aftershock/sinks/clickhouse"
)

// Lineage is what promotions made of a signature, and what they made it of.
type Lineage struct {
	Signature string `json:"signature"`
	// FirstSeen is when the first crash was received of the signature, or of one
	// that it came from; nil when no row and no lineage knows the signature.
	FirstSeen *time.Time `json:"first_seen"`
	CameFrom  []Step     `json:"came_from"` // the last promotion first
	Became    []Step     `json:"became"`    // the first promotion first
	// Cut: there are more signatures than are followed; those of few crashes are
	// left out.
	Cut bool `json:"cut"`
}

// Step is what one promotion made of a signature, or made it of.
type Step struct {
	Epoch       int64  `json:"epoch"`
	FromVersion int32  `json:"from_version"`
	ToVersion   int32  `json:"to_version"`
	Old         string `json:"old"`
	New         string `json:"new"`
	Crashes     int64  `json:"crashes"`
	// Share is which part of the crashes that had Old.
	Share float64 `json:"share"`
	// Majority: New is what most of the crashes that had Old have.
	Majority bool `json:"majority"`

	firstSeen time.Time
}

const (
	// maxFollowed is how many signatures are followed from one promotion to the
	// next, those of the most crashes first.
	maxFollowed = 100
	// maxSteps of a direction are kept.
	maxSteps = 2000
)

// FindLineage follows a signature through all promotions, in both directions, and finds when it
// was first seen.
func FindLineage(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, signature string) (*Lineage, error) {
	out, ancestors, err := followed(ctx, db, l, signature)
	if err != nil {
		return nil, err
	}
	for i := range out.CameFrom {
		out.seen(out.CameFrom[i].firstSeen) // also when the old version is dropped by now
	}
	for i := range out.Became {
		if s := &out.Became[i]; s.Old == signature {
			out.seen(s.firstSeen)
		}
	}
	first, ok, err := firstReceived(ctx, db, l, ancestors)
	if err != nil {
		return nil, fmt.Errorf("lineage: %w", err)
	}
	if ok {
		out.seen(first)
	}
	return out, nil
}

// FollowLineage is FindLineage without FirstSeen, for which all crashes are read.
func FollowLineage(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, signature string) (*Lineage, error) {
	out, _, err := followed(ctx, db, l, signature)
	return out, err
}

// followed answers as well which signatures this one came from, with itself.
func followed(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, signature string) (out *Lineage, ancestors []string, err error) {
	out = &Lineage{Signature: signature, CameFrom: []Step{}, Became: []Step{}}
	epochs, err := epochsOf(ctx, db, l)
	if err != nil {
		return nil, nil, fmt.Errorf("lineage: %w", err)
	}
	w := walk{db: db, limits: l}
	if out.Became, _, err = w.follow(ctx, epochs, signature, forwards); err != nil {
		return nil, nil, fmt.Errorf("lineage: %w", err)
	}
	slices.Reverse(epochs)
	if out.CameFrom, ancestors, err = w.follow(ctx, epochs, signature, backwards); err != nil {
		return nil, nil, fmt.Errorf("lineage: %w", err)
	}
	out.Cut = w.cut
	return out, ancestors, nil
}

func (l *Lineage) seen(at time.Time) {
	if l.FirstSeen == nil || at.Before(*l.FirstSeen) {
		l.FirstSeen = &at
	}
}

func epochsOf(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits) (out []int64, err error) {
	rows, err := db.Query(ctx, l, "SELECT DISTINCT toInt64(epoch) AS e FROM aftershock.lineage ORDER BY e")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		var epoch int64
		if err := rows.Scan(&epoch); err != nil {
			return nil, err
		}
		out = append(out, epoch)
	}
	return out, rows.Err()
}

// firstReceived is when the first crash with one of the signatures was received, of those
// that are stored.
func firstReceived(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, signatures []string) (first time.Time, ok bool, err error) {
	rows, err := db.Query(ctx, l, "SELECT min(received_at), count() FROM "+clickhouse.Reports.SQL(signaturesTable)+" WHERE signature IN (?)", signatures)
	if err != nil {
		return first, false, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	var n uint64
	for rows.Next() {
		if err := rows.Scan(&first, &n); err != nil {
			return first, false, err
		}
	}
	return first, n > 0, rows.Err()
}

// walk goes from promotion to promotion.
type walk struct {
	db     *clickhouse.DB
	limits clickhouse.Limits
	cut    bool
}

// direction is from which of a step's signatures to which the walk goes.
type direction struct {
	column   string
	from, to func(*Step) string
}

func oldOf(s *Step) string { return s.Old }
func newOf(s *Step) string { return s.New }

var (
	forwards  = direction{"old_signature", oldOf, newOf}
	backwards = direction{"new_signature", newOf, oldOf}
)

// follow takes the steps of the signatures that it has come to, and goes on with what
// they lead to. What no step names keeps its name. It returns as well all names that
// it came to.
func (w *walk) follow(ctx context.Context, epochs []int64, signature string, d direction) (out []Step, all []string, err error) {
	out, all = []Step{}, []string{signature}
	names := all
	for _, epoch := range epochs {
		steps, err := w.steps(ctx, epoch, d.column, names)
		if err != nil {
			return nil, nil, err
		}
		var next []string
		for i := range steps {
			next = append(next, d.to(&steps[i]))
		}
		for _, name := range names {
			if !slices.ContainsFunc(steps, func(s Step) bool { return d.from(&s) == name }) {
				next = append(next, name)
			}
		}
		out = append(out, steps...)
		names = w.bounded(next)
		all = w.bounded(slices.Concat(all, names))
		if len(out) > maxSteps {
			w.cut = true
			return out[:maxSteps], all, nil
		}
	}
	return out, all, nil
}

// bounded are the first maxFollowed names, each once.
func (w *walk) bounded(names []string) []string {
	var out []string
	for _, name := range names {
		switch {
		case slices.Contains(out, name):
		case len(out) == maxFollowed:
			w.cut = true
			return out
		default:
			out = append(out, name)
		}
	}
	return out
}

// steps are those of one promotion, of the most crashes first.
func (w *walk) steps(ctx context.Context, epoch int64, column string, names []string) (out []Step, err error) {
	rows, err := w.db.Query(ctx, w.limits, `
		SELECT toInt64(epoch), toInt32(from_version), toInt32(to_version), old_signature, new_signature, toInt64(crashes), crashes / of_old, majority, first_seen
		FROM (SELECT *, sum(crashes) OVER (PARTITION BY from_version, to_version, old_signature) AS of_old FROM aftershock.lineage WHERE epoch = ?)
		WHERE `+column+` IN (?) ORDER BY crashes DESC, old_signature, new_signature, from_version LIMIT ?`, epoch, names, maxSteps+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		var s Step
		var majority uint8
		if err := rows.Scan(&s.Epoch, &s.FromVersion, &s.ToVersion, &s.Old, &s.New, &s.Crashes, &s.Share, &majority, &s.firstSeen); err != nil {
			return nil, err
		}
		s.Majority = majority != 0
		out = append(out, s)
	}
	return out, rows.Err()
}

// WriteText writes the lineage for people.
func (l *Lineage) WriteText(w io.Writer) error {
	p := printer{w: w}
	p.line("%s", quoted(l.Signature))
	if l.FirstSeen == nil {
		p.line("no crash has this signature, and no promotion knows it")
		return p.err
	}
	p.line("first seen %s, with what it came from", l.FirstSeen.UTC().Format(time.RFC3339))
	p.steps("came from", l.CameFrom)
	p.steps("became", l.Became)
	if l.Cut {
		p.line("and more, which are not followed")
	}
	return p.err
}

func (p *printer) steps(title string, steps []Step) {
	if len(steps) == 0 {
		p.line("%s: no promotion changed it", title)
		return
	}
	p.line("%s:", title)
	for i := range steps {
		s := &steps[i]
		if i == 0 || steps[i-1].Epoch != s.Epoch || steps[i-1].FromVersion != s.FromVersion || steps[i-1].ToVersion != s.ToVersion {
			p.line("  epoch %d, signature version %d to %d", s.Epoch, s.FromVersion, s.ToVersion)
		}
		most := ""
		if s.Majority {
			most = " (most of it)"
		}
		p.line("  %7d  %6s of %s → %s%s", s.Crashes, percent(s.Share), quoted(s.Old), quoted(s.New), most)
	}
}

// WriteJSON writes the lineage as one object.
func (l *Lineage) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(l)
}
