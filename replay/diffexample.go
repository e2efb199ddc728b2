package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// maxExplained is how many pairs get an example that is signed again: each is read
// from Kafka for itself.
const maxExplained = 20

// Explain signs an example of each of the largest pairs with both versions'
// rulesets: the stack is the one that A's walk found. So it tells what the rules
// alone do to it, and which of their lines.
func (d *Diff) Explain(ctx context.Context, db *clickhouse.DB, k stream.Kafka, a, b *schema.SignatureVersion) error {
	if d.Revisions {
		return nil // the rules are the same, and the older revision has no row any more
	}
	was, err := RulesetOf(ctx, k, a)
	if err != nil {
		return err
	}
	is, err := RulesetOf(ctx, k, b)
	if err != nil {
		return err
	}
	explained := d.Pairs[:min(maxExplained, len(d.Pairs))]
	var ids []string
	for i := range explained {
		if len(explained[i].Examples) > 0 {
			ids = append(ids, explained[i].Examples[0].CrashID)
		}
	}
	at, err := processedAt(ctx, db, d.population(), a.Number, ids)
	if err != nil {
		return err
	}
	for i := range explained {
		p := &explained[i]
		if len(p.Examples) == 0 {
			continue
		}
		e := &p.Examples[0]
		position, ok := at[e.CrashID]
		if !ok {
			e.Why = "its row is gone"
			continue
		}
		r, err := stream.RawAt(ctx, k, position)
		if errors.Is(err, stream.ErrGone) {
			e.Why = "its processed crash is gone from " + position.Topic
			continue
		} else if err != nil {
			return err
		}
		crash, err := schema.Decode[schema.ProcessedCrash](r.Value)
		if err != nil {
			return fmt.Errorf("%s partition %d offset %d: %w", position.Topic, position.Partition, position.Offset, err)
		}
		e.explain(p.From, p.To, signature.FromProcessed(crash), was, is)
	}
	d.shareLines()
	return nil
}

// explain says what the rules do to the stack of a crash that went from one
// signature to another.
func (e *Example) explain(from, to string, crash *signature.Crash, was, is *signature.Ruleset) {
	old, next := was.Explain(crash), is.Explain(crash)
	switch {
	case old.Signature != from:
		e.Why = "A's rules do not give A's signature: was its processed crash made by another build?"
		return
	case next.Signature == old.Signature:
		e.Why = "the rules alone do not move it: the stack is another one"
		return
	case next.Signature == to:
		e.Why = "the rules alone move it"
	default:
		e.Why = "the rules alone move it elsewhere: the stack is another one, too"
	}
	e.Line, e.Added = signature.Cause(old.Why, next.Why)
}

// shareLines gives the moves in the changes the lines of their pairs.
func (d *Diff) shareLines() {
	lines := map[[2]string]*Example{}
	for i := range d.Pairs {
		p := &d.Pairs[i]
		if len(p.Examples) > 0 && p.Examples[0].Line != (signature.ListLine{}) {
			lines[[2]string{p.From, p.To}] = &p.Examples[0]
		}
	}
	for i := range d.Changes {
		moves := d.Changes[i].Moves
		for j := range moves {
			if e := lines[[2]string{moves[j].From, moves[j].To}]; e != nil {
				moves[j].Cause, moves[j].Added = e.Line, e.Added
			}
		}
	}
}

// processedAt is where a version's processed crashes of a population lie, by crash id.
func processedAt(ctx context.Context, db *clickhouse.DB, p clickhouse.Population, version int32, ids []string) (map[string]schema.Position, error) {
	out := map[string]schema.Position{}
	if len(ids) == 0 {
		return out, nil
	}
	var days, names []string
	for _, id := range ids {
		day, err := schema.CrashDay(id)
		if err != nil {
			return nil, err
		}
		days = append(days, "'"+day.Format("2006-01-02")+"'")
		names = append(names, "'"+id+"'") // checked by CrashDay: hexadecimal digits and dashes
	}
	rows, err := db.Query(ctx, clickhouse.Limits{}, fmt.Sprintf("SELECT crash_id, processed_topic, processed_partition, processed_offset"+
		" FROM aftershock."+p.Rows+" FINAL WHERE signature_version = %d AND day IN (%s) AND crash_id IN (%s)",
		version, strings.Join(days, ", "), strings.Join(names, ", ")))
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		var id string
		var p schema.Position
		if err := rows.Scan(&id, &p.Topic, &p.Partition, &p.Offset); err != nil {
			return nil, err
		}
		out[id] = p
	}
	return out, rows.Err()
}
