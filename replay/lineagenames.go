package replay

import (
	"context"
	"fmt"
	"slices"

	"aftershock/sinks/clickhouse"
)

const (
	// maxNames that a signature is followed to, and maxNamesTogether that all are: those of the most
	// crashes of a promotion first.
	maxNames         = 100
	maxNamesTogether = 4000
	// maxNamesAtOnce and maxNamesBytes are of one query, whose text the server bounds.
	maxNamesAtOnce = 200
	maxNamesBytes  = 64 << 10
)

// Ancestors are, of each of some signatures, the names that most of its crashes had before promotions:
// the last one first, and 100 at most, or fewer of many signatures. A signature that was never another
// one is not in it.
func Ancestors(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, signatures []string) (map[string][]string, error) {
	return namesOf(ctx, db, l, signatures, backwards)
}

// Heirs are likewise the names that promotions gave to most of the crashes, the first one first.
func Heirs(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, signatures []string) (map[string][]string, error) {
	return namesOf(ctx, db, l, signatures, forwards)
}

func namesOf(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, signatures []string, d direction) (map[string][]string, error) {
	epochs, err := epochsOf(ctx, db, l)
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	if d.column == backwards.column {
		slices.Reverse(epochs)
	}
	names, most := map[string][]string{}, min(maxNames, maxNamesTogether/max(1, len(signatures)))
	for _, epoch := range epochs {
		steps, err := majorities(ctx, db, l, epoch, d, reached(signatures, names))
		if err != nil {
			return nil, fmt.Errorf("names: %w", err)
		}
		for _, signature := range signatures {
			// Steps of one promotion do not follow each other: each crash took one of them.
			var next []string
			for _, from := range slices.Concat([]string{signature}, names[signature]) {
				next = append(next, steps[from]...)
			}
			for _, to := range next {
				if to != signature && !slices.Contains(names[signature], to) && len(names[signature]) < most {
					names[signature] = append(names[signature], to)
				}
			}
		}
	}
	return names, nil
}

// reached are the signatures and all their names, each once.
func reached(signatures []string, names map[string][]string) []string {
	all := slices.Clone(signatures)
	for _, more := range names {
		all = append(all, more...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// majorities are where a promotion's steps of most crashes lead from each name; those of the most
// crashes first.
func majorities(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, epoch int64, d direction, names []string) (map[string][]string, error) {
	to := map[string][]string{}
	for len(names) > 0 {
		n, bytes := 1, len(names[0])
		for n < min(len(names), maxNamesAtOnce) && bytes+len(names[n]) <= maxNamesBytes {
			bytes += len(names[n])
			n++
		}
		if err := majoritiesOf(ctx, db, l, epoch, d, names[:n], to); err != nil {
			return nil, err
		}
		names = names[n:]
	}
	return to, nil
}

func majoritiesOf(ctx context.Context, db *clickhouse.DB, l clickhouse.Limits, epoch int64, d direction, names []string, to map[string][]string) error {
	rows, err := db.Query(ctx, l, `
		SELECT old_signature, new_signature FROM aftershock.lineage
		WHERE epoch = ? AND majority AND old_signature != new_signature AND `+d.column+` IN (?)
		GROUP BY old_signature, new_signature
		ORDER BY sum(crashes) DESC, old_signature, new_signature LIMIT ? BY `+d.column, epoch, names, maxNames)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // read to the end below
	for rows.Next() {
		var s Step
		if err := rows.Scan(&s.Old, &s.New); err != nil {
			return err
		}
		to[d.from(&s)] = append(to[d.from(&s)], d.to(&s))
	}
	return rows.Err()
}
