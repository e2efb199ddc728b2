package facts

import (
	"strconv"

	"aftershock/schema"
)

const (
	// earliest and latest are the times that a client's clock may give, in seconds since
	// 1970: what lies outside is no time of a crash, and ClickHouse's DateTime ends there.
	earliest = 946_684_800 // 2000-01-01
	latest   = 1<<32 - 1
	// timeDigits: some clients write fractions or milliseconds behind.
	timeDigits = 10
)

// times are what the client's clock says. Differences are of one clock; one that is
// negative tells that it was set, and is missing.
func (d *derivation) times() {
	d.pub.CrashTime = d.time("CrashTime")
	d.pub.StartupTime = d.time("StartupTime")
	d.pub.InstallTime = d.time("InstallTime")
	if d.pub.Uptime = d.between(d.pub.StartupTime, d.pub.CrashTime); d.pub.Uptime == nil && d.pub.StartupTime == nil {
		d.pub.Uptime = d.Crash.Crash.UptimeSeconds
	}
	d.pub.InstallAge = d.between(d.pub.InstallTime, d.pub.CrashTime)
	if value := d.public("SecondsSinceLastCrash"); value != "" {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
			d.pub.SecondsSinceLastCrash = &n
		} else {
			d.note(schema.NoteTimeMalformed)
		}
	}
}

// time is the time in a public annotation.
func (d *derivation) time(annotation string) *int64 {
	value := d.public(annotation)
	if value == "" {
		return nil
	}
	n, err := strconv.ParseInt(value[:min(len(value), timeDigits)], 10, 64)
	if err != nil || n < earliest || n > latest {
		d.note(schema.NoteTimeMalformed)
		return nil
	}
	return &n
}

// between is how much later one time is than another.
func (d *derivation) between(from, to *int64) *int64 {
	switch {
	case from == nil || to == nil:
		return nil
	case *to < *from:
		d.note(schema.NoteClockSet)
		return nil
	}
	return new(*to - *from)
}
