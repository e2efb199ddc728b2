package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"aftershock/symbolcache"
)

// ByUpstream begins Object.By of a file that a server keeps of an upstream: it can be had
// again.
const ByUpstream = "upstream "

// OfUpstream tells whether a server keeps the file of an upstream.
func (o Object) OfUpstream() bool { return strings.HasPrefix(o.By, ByUpstream) }

// Collection says what Collect drops.
type Collection struct {
	// TriedBefore: files of tried builds that were put before it.
	TriedBefore time.Time
	// KeptBefore: files of upstreams that were put before it; zero leaves them alone.
	KeptBefore time.Time
	// LeftBefore: what Puts have left that were broken off before it. It must lie further
	// back than a Put can take.
	LeftBefore time.Time
	// Remove removes; else Collect only tells.
	Remove bool
	// Dropped is told each of what is dropped, before the next one is.
	Dropped func(what string, bytes int64) error
}

// Collect drops what has had its time: tried builds, files of upstreams, the entries of
// the index that name them or nothing, and leftovers. A file that is put again meanwhile
// stays.
func Collect(ctx context.Context, s Store, c Collection) error {
	prefix, tiers := tried+"/", []bool{true}
	if !c.KeptBefore.IsZero() {
		prefix, tiers = "", []bool{true, false}
	}
	err := s.List(ctx, prefix, func(o Object) error {
		p, err := ParsePath(o.Path)
		if err != nil || !c.old(p.Try, o.Modified) {
			return nil //nolint:nilerr // an entry of the index
		}
		return c.dropFile(ctx, s, p)
	})
	for _, try := range tiers {
		if err == nil {
			err = c.dropEntries(ctx, s, try)
		}
	}
	if err == nil {
		err = c.dropIncoming(ctx, s)
	}
	if err == nil {
		err = s.Leftovers(ctx, c.LeftBefore, c.Remove, c.Dropped)
	}
	return err
}

// dropIncoming drops what came in and was not looked at: uploads that nobody went on with.
func (c *Collection) dropIncoming(ctx context.Context, s Store) error {
	return s.List(ctx, IncomingFolder, func(o Object) error {
		if !o.Modified.Before(c.LeftBefore) {
			return nil
		}
		return c.drop(ctx, s, o)
	})
}

func (c *Collection) old(try bool, t time.Time) bool {
	if try {
		return t.Before(c.TriedBefore)
	}
	return t.Before(c.KeptBefore)
}

// look asks once more, for what the listing did not tell, and because it may be old.
func (c *Collection) look(ctx context.Context, s Store, p Path) (o Object, gone, expired bool, err error) {
	o, err = s.Stat(ctx, p.String())
	if errors.Is(err, symbolcache.ErrNotFound) {
		return o, true, false, nil
	}
	return o, false, err == nil && c.old(p.Try, o.Modified) && (p.Try || o.OfUpstream()), err
}

func (c *Collection) dropFile(ctx context.Context, s Store, p Path) error {
	o, _, expired, err := c.look(ctx, s, p)
	if err != nil || !expired {
		return err
	}
	return c.drop(ctx, s, o)
}

func (c *Collection) drop(ctx context.Context, s Store, o Object) error {
	if c.Remove {
		if err := s.Delete(ctx, o.Path); err != nil {
			return err
		}
	}
	return c.Dropped(o.Path, o.Bytes)
}

// dropEntries drops the entries of symbol files that are gone, or go.
func (c *Collection) dropEntries(ctx context.Context, s Store, try bool) error {
	return s.List(ctx, indexFolder(try), func(entry Object) error {
		p, err := readEntry(ctx, s, entry.Path, try)
		drop := errors.Is(err, symbolcache.ErrNotFound)
		if err == nil {
			var gone, expired bool
			_, gone, expired, err = c.look(ctx, s, p)
			drop = gone || expired
		}
		if drop {
			return c.drop(ctx, s, entry)
		}
		return err
	})
}
