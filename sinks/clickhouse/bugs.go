package clickhouse

import (
	"context"
	"fmt"
	"time"
)

// Bug is a bug of a signature, as its tracker has it. Everything in it may be seen by
// anybody.
type Bug struct {
	Signature, Bug      string
	URL, Summary, State string
}

// LoadBugs stores bugs; of those that are there the new ones count. With replace it takes
// all others away. It can be done again. It returns how many were taken away.
func (db *DB) LoadBugs(ctx context.Context, bugs []Bug, replace bool, now time.Time) (removed int, err error) {
	gone := map[[2]string]bool{}
	if replace {
		if gone, err = db.bugs(ctx); err != nil {
			return 0, err
		}
	}
	loaded := uint64(now.UnixMicro())
	err = db.batch(ctx, "INSERT INTO aftershock.signature_bugs (signature, bug, url, summary, state, removed, loaded)", func(add func(...any) error) error {
		for _, b := range bugs {
			delete(gone, [2]string{b.Signature, b.Bug})
			if err := add(b.Signature, b.Bug, b.URL, b.Summary, b.State, uint8(0), loaded); err != nil {
				return err
			}
		}
		for key := range gone {
			if err := add(key[0], key[1], "", "", "", uint8(1), loaded); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, named(err)
	}
	return len(gone), nil
}

// MaxBugs are read at once.
const MaxBugs = 1_000_000

// Bugs are all that are there; more than MaxBugs are an error.
func (db *DB) Bugs(ctx context.Context) (all []Bug, err error) {
	err = db.scan(ctx, "SELECT signature, bug, url, summary, toString(state) FROM aftershock.bugs ORDER BY bug, signature", func(scan func(...any) error) error {
		var b Bug
		if len(all) == MaxBugs {
			return fmt.Errorf("more than %d bugs", MaxBugs)
		}
		if err := scan(&b.Signature, &b.Bug, &b.URL, &b.Summary, &b.State); err != nil {
			return err
		}
		all = append(all, b)
		return nil
	})
	return all, err
}

// bugs are the signatures and bugs that are there.
func (db *DB) bugs(ctx context.Context) (map[[2]string]bool, error) {
	all := map[[2]string]bool{}
	err := db.scan(ctx, "SELECT signature, bug FROM aftershock.bugs", func(scan func(...any) error) error {
		var key [2]string
		if err := scan(&key[0], &key[1]); err != nil {
			return err
		}
		all[key] = true
		return nil
	})
	return all, err
}
