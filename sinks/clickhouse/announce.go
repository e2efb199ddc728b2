package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"aftershock/sinks"
)

// announced is what was written of the tables that rows refer to: the days and the names of
// signatures. It is safe for concurrent use.
type announced struct {
	mu    sync.Mutex
	days  map[dayOfVersion]span
	names map[nameOfVersion]struct{}
}

type nameOfVersion struct {
	version int32
	name    string
}

type dayOfVersion struct {
	version int32
	day     time.Time
}

// span is when the crashes of a day were received: first <= received_at < last.
type span struct{ first, last time.Time }

const (
	// spanGrain is what spans are widened to, so that the day that runs is not written with
	// every batch. A day that is not within one range of the activation is asked row by row:
	// wider spans cost time and change no answer.
	spanGrain = time.Hour
	// maxAnnouncedDays and maxAnnouncedNames are remembered. Beyond that all are forgotten,
	// and written again, which changes nothing.
	maxAnnouncedDays  = 1 << 16
	maxAnnouncedNames = 1 << 17
)

// announce writes what rows refer to before they are written: whoever sees a row sees the span
// of its day and the name of its signature.
func (db *DB) announce(ctx context.Context, rows []row) error {
	days, names := db.announced.lacks(rows)
	if len(days) > 0 {
		err := db.batch(ctx, "INSERT INTO aftershock.days (signature_version, day, first, last)", func(add func(...any) error) error {
			for of, s := range days {
				if err := add(uint32(of.version), of.day, s.first, s.last); err != nil {
					return &sinks.RefusedError{Code: "time_out_of_range", Err: err}
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("days: %w", err)
		}
	}
	if len(names) > 0 {
		err := db.batch(ctx, "INSERT INTO aftershock.signature_words (signature_version, signature)", func(add func(...any) error) error {
			for _, name := range names {
				if err := add(uint32(name.version), name.name); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("names of signatures: %w", err)
		}
	}
	db.announced.keep(days, names)
	return nil
}

// lacks are the spans and names of the rows that were not written yet.
func (a *announced) lacks(rows []row) (days map[dayOfVersion]span, names []nameOfVersion) {
	a.mu.Lock()
	defer a.mu.Unlock()
	days = map[dayOfVersion]span{}
	for i := range rows {
		r := &rows[i]
		of := dayOfVersion{r.p.SignatureVersion, r.day}
		at := r.p.ReceivedAt.UTC()
		s, ok := days[of]
		if !ok {
			s, ok = a.days[of]
		}
		if !ok || at.Before(s.first) || !at.Before(s.last) {
			days[of] = s.with(at)
		}
		name := nameOfVersion{r.p.SignatureVersion, r.pub.Signature}
		if _, ok := a.names[name]; !ok {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b nameOfVersion) int {
		return cmp.Or(cmp.Compare(a.version, b.version), strings.Compare(a.name, b.name))
	})
	return days, slices.Compact(names)
}

// with is the span with a time in it.
func (s span) with(at time.Time) span {
	first := at.Truncate(spanGrain)
	last := first.Add(spanGrain)
	if s.first.IsZero() && s.last.IsZero() {
		return span{first, last}
	}
	if s.first.Before(first) {
		first = s.first
	}
	if s.last.After(last) {
		last = s.last
	}
	return span{first, last}
}

// keep remembers what was written.
func (a *announced) keep(days map[dayOfVersion]span, names []nameOfVersion) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.days == nil || len(a.days) > maxAnnouncedDays {
		a.days = map[dayOfVersion]span{}
	}
	for of, s := range days {
		if old, ok := a.days[of]; ok { // another batch has written it meanwhile
			s = s.with(old.first).with(old.last.Add(-1))
		}
		a.days[of] = s
	}
	if a.names == nil || len(a.names) > maxAnnouncedNames {
		a.names = map[nameOfVersion]struct{}{}
	}
	for _, name := range names {
		a.names[name] = struct{}{}
	}
}
