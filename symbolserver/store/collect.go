package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"aftershock/symbolcache"
)

// Collection says what Collect drops.
type Collection struct {
	// TriedBefore: files of tried builds that were put before it.
	TriedBefore time.Time
	// LeftBefore: what Puts have left that were broken off before it. It must lie further
	// back than a Put can take.
	LeftBefore time.Time
	// Remove removes; else Collect only tells.
	Remove bool
	// Dropped is told each of what is dropped, before the next one is.
	Dropped func(what string, bytes int64) error
}

// Collect drops what has had its time: tried builds, their entries of the index, and
// leftovers. A file that is put again meanwhile stays.
func Collect(ctx context.Context, s Store, c Collection) error {
	err := s.List(ctx, tried+"/", func(o Object) error {
		if p, err := ParsePath(o.Path); err != nil || !p.Try {
			return nil //nolint:nilerr // of a module that is called try
		}
		return c.dropTried(ctx, s, o.Path)
	})
	if err == nil {
		err = c.dropEntries(ctx, s)
	}
	if err == nil {
		err = s.Leftovers(ctx, c.LeftBefore, c.Remove, c.Dropped)
	}
	return err
}

// expired asks once more: the listing may be old.
func (c *Collection) expired(ctx context.Context, s Store, path string) (o Object, gone, old bool, err error) {
	o, err = s.Stat(ctx, path)
	if errors.Is(err, symbolcache.ErrNotFound) {
		return o, true, false, nil
	}
	return o, false, err == nil && o.Modified.Before(c.TriedBefore), err
}

func (c *Collection) dropTried(ctx context.Context, s Store, path string) error {
	o, _, old, err := c.expired(ctx, s, path)
	if err != nil || !old {
		return err
	}
	if c.Remove {
		if err := s.Delete(ctx, path); err != nil {
			return err
		}
	}
	return c.Dropped(path, o.Bytes)
}

// dropEntries drops the entries of tried builds' symbol files that are dropped.
func (c *Collection) dropEntries(ctx context.Context, s Store) error {
	return s.List(ctx, indexFolder(true), func(entry Object) error {
		if !strings.HasPrefix(entry.Path, indexFolder(true)) {
			return nil
		}
		p, err := readEntry(ctx, s, entry.Path, true)
		drop := errors.Is(err, symbolcache.ErrNotFound)
		if err == nil {
			var gone, old bool
			_, gone, old, err = c.expired(ctx, s, p.String())
			drop = gone || old
		}
		switch {
		case !drop:
			return err
		case c.Remove:
			if err := s.Delete(ctx, entry.Path); err != nil {
				return err
			}
		}
		return c.Dropped(entry.Path, entry.Bytes)
	})
}
