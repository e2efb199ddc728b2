package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"aftershock/schema"
)

// MaxReferences is how many blobs References holds, in about 200 MB of memory.
const MaxReferences = 4 << 20

// ErrTooManyReferences is that of References.Add past its bound.
var ErrTooManyReferences = errors.New("too many blobs are named")

// References are the blobs of some days that events name. Not safe for concurrent
// use.
type References struct {
	days  []time.Time
	named map[[16]byte]struct{} // the first half of a key's SHA-256: equal halves only keep a blob
	max   int
}

// NewReferences holds references to at most so many blobs of the days, which are
// midnights in UTC, in order. All others are forgotten at once.
func NewReferences(days []time.Time, most int) *References {
	return &References{days: days, named: map[[16]byte]struct{}{}, max: most}
}

// Add remembers what an event names; it wraps ErrTooManyReferences.
func (r *References) Add(raw *schema.RawCrash) error {
	for _, d := range raw.Dumps {
		if d.Blob != nil {
			if err := r.add(*d.Blob); err != nil {
				return err
			}
		}
	}
	for _, a := range raw.AnnotationOverflow {
		if err := r.add(a.Blob); err != nil {
			return err
		}
	}
	return nil
}

func (r *References) add(key string) error {
	day, err := Day(key)
	if err != nil {
		return nil //nolint:nilerr // no store has such a blob
	}
	if _, wanted := slices.BinarySearchFunc(r.days, day, time.Time.Compare); !wanted {
		return nil
	}
	r.named[half(key)] = struct{}{}
	if len(r.named) > r.max {
		return fmt.Errorf("%w: more than %d", ErrTooManyReferences, r.max)
	}
	return nil
}

func (r *References) has(key string) bool {
	_, named := r.named[half(key)]
	return named
}

func half(key string) [16]byte {
	sum := sha256.Sum256([]byte(key))
	return [16]byte(sum[:16])
}

// Stock is what a store has of a day.
type Stock struct {
	Blobs      int64 `json:"blobs"` // remains of killed Puts as well
	Bytes      int64 `json:"bytes"` // of all of them
	Referenced int64 `json:"referenced"`
	Orphaned   int64 `json:"orphaned"` // no event names them
	Deleted    int64 `json:"deleted"`  // of the orphaned
}

// Add adds another day's.
func (s *Stock) Add(o Stock) {
	s.Blobs += o.Blobs
	s.Bytes += o.Bytes
	s.Referenced += o.Referenced
	s.Orphaned += o.Orphaned
	s.Deleted += o.Deleted
}

// Collect counts what is stored of a day and, when remove is set, deletes what is
// orphaned. The references must be complete for that day, and the day so long ago
// that no door stores a blob of it whose event is yet to come. What was done
// before an error is in the result.
func Collect(ctx context.Context, b Backend, day time.Time, named *References, remove bool) (Stock, error) {
	var s Stock
	err := b.List(ctx, day, func(e Entry) error {
		s.Blobs++
		s.Bytes += e.Bytes
		if named.has(e.Path) {
			s.Referenced++
			return nil
		}
		s.Orphaned++
		if !remove {
			return nil
		}
		if err := b.Delete(ctx, e); err != nil {
			return err
		}
		s.Deleted++
		return nil
	})
	return s, err
}

// Before are the days of a store, in order, that were over at a time.
func Before(days []time.Time, t time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(days), func(day time.Time) bool { return day.AddDate(0, 0, 1).After(t) })
}
