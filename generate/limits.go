package generate

import (
	"fmt"
	"time"
)

// Limits of Options.
const (
	MaxCount      = 1_000_000_000
	MaxDays       = 400
	MaxSignatures = 100_000
	MaxInstalls   = 10_000_000
)

// Defaults of Options: those of signatures and installs are for millionCrashes and more,
// fewer crashes have as many fewer, and no fewer than the least.
const (
	defaultDays       = 28
	defaultSignatures = 20_000
	defaultInstalls   = 300_000
	millionCrashes    = 1_000_000
	leastSignatures   = 20
	leastInstalls     = 50
)

// defaultUntil ends the window of those who name no day.
var defaultUntil = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// Options say what is generated. Equal Options give equal crashes.
type Options struct {
	// Count of the crashes, 1 to MaxCount.
	Count int
	Seed  uint64
	// Days are whole UTC days on which the crashes are received, 1 to MaxDays; 0 is 28.
	Days int
	// Until ends the last day: it is taken back to the midnight before. Zero is 2026-10-01.
	Until time.Time
	// Signatures is how many there may be, 1 to MaxSignatures; 0 is 20,000 for a million
	// crashes and more. The rarest of them may have no crash.
	Signatures int
	// Installs is how many there may be, 1 to MaxInstalls; 0 is 300,000 for a million crashes
	// and more.
	Installs int
	// SignatureVersion is stamped on the crashes; 0 is 1.
	SignatureVersion int32
}

// filled is the options with their defaults.
func (o Options) filled() (Options, error) {
	scaled := func(of, least int) int { return max(least, min(of, int(int64(of)*int64(o.Count)/millionCrashes))) }
	if o.Days == 0 {
		o.Days = defaultDays
	}
	if o.Until.IsZero() {
		o.Until = defaultUntil
	}
	if o.Count >= 1 && o.Count <= MaxCount {
		if o.Signatures == 0 {
			o.Signatures = scaled(defaultSignatures, leastSignatures)
		}
		if o.Installs == 0 {
			o.Installs = scaled(defaultInstalls, leastInstalls)
		}
	}
	if o.SignatureVersion == 0 {
		o.SignatureVersion = 1
	}
	o.Until = o.Until.UTC().Truncate(day)
	for _, limit := range []struct {
		name       string
		have, most int
	}{
		{"count", o.Count, MaxCount},
		{"days", o.Days, MaxDays},
		{"signatures", o.Signatures, MaxSignatures},
		{"installs", o.Installs, MaxInstalls},
		{"signature version", int(o.SignatureVersion), 1<<31 - 1},
	} {
		if limit.have < 1 || limit.have > limit.most {
			return o, fmt.Errorf("%s: want 1 to %d, have %d", limit.name, limit.most, limit.have)
		}
	}
	if y := o.Until.Year(); y < 2002 || y > 2099 {
		return o, fmt.Errorf("until: want a day from 2002 to 2099, have %s", o.Until.Format(time.DateOnly))
	}
	return o, nil
}
