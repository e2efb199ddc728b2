package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is a flag that names a time: a date or a time of RFC 3339, or how long
// ago it was, like 36h or 7d.
type moment struct{ time.Time }

// UnmarshalText wants one of these.
func (m *moment) UnmarshalText(text []byte) error {
	s := string(text)
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			m.Time = t.UTC()
			return nil
		}
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(s, "d")); err == nil && strings.HasSuffix(s, "d") && n >= 0 && n <= maxDays {
		m.Time = time.Now().AddDate(0, 0, -n).UTC()
		return nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		m.Time = time.Now().Add(-d).UTC()
		return nil
	}
	return fmt.Errorf("%.40q: want a time like 2026-11-22 or 2026-11-22T10:00:00Z, or how long ago it was, like 36h or 7d", s)
}
