package main

import (
	"bytes"
	_ "embed" // for reasons
	"fmt"
	"runtime"
	"strings"
	"time"

	"aftershock/sinks/clickhouse"
)

// page is what docs/benchmarks.md shows.
type page struct {
	stats     *clickhouse.Stats
	compared  []measure
	questions []measure
	cold      bool // the system's cache was emptied as well
}

// reasons are those of what takes longer than the others, and what else was tried.
//
//go:embed reasons.md
var reasons string

func (p *page) markdown(b *bench) []byte {
	var out bytes.Buffer
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	say("# How long questions take")
	say("")
	say("Made by `make bench-analysts`: %d crashes of %d days, %d of them as `aftershock generate crashes` makes them and the others copies of those with", p.stats.Crashes, days, b.crashes)
	say("other ids, on other days and of other installs; the embedded engine on %d processors; every day has one part, as days have that are over.", runtime.NumCPU())
	say("Times are of the answer's last byte over HTTP; warm is the median of %d. Machines differ and have neighbours: believe the ratios.", b.runs)
	say("")
	say("## Against the design before")
	say("")
	say("Before: partitions of months in ten parts, ids as text, and every row asked whether it is seen (migration 0009). Both are asked in turns, and")
	say("answer the same.")
	say("")
	say("| | before, ms | now, ms | before : now |")
	say("| --- | ---: | ---: | ---: |")
	for _, m := range p.compared {
		before, ratio := "–", "–"
		if len(m.before) > 0 {
			before, ratio = milliseconds(median(m.before)), fmt.Sprintf("%.1f", float64(median(m.before))/float64(median(m.now)))
		}
		say("| %s | %s | %s | %s |", m.name, before, milliseconds(median(m.now)), ratio)
	}
	say("")
	say("## The cookbook")
	say("")
	cold := "the engine's caches are empty"
	if p.cold {
		cold += ", and the system's"
	}
	say("Each question of [queries.md](queries.md) with its defaults, and at most 512 MiB of memory. Cold: %s.", cold)
	say("")
	say("| question | cold, ms | warm, ms | read, MB | rows |")
	say("| --- | ---: | ---: | ---: | ---: |")
	for _, m := range p.questions {
		say("| %s | %s | %s | %.1f | %d |", m.name, milliseconds(m.now[0]), milliseconds(median(m.now)), float64(m.bytes)/1e6, m.rows)
	}
	say("")
	say("%s", strings.TrimSpace(reasons))
	say("")
	say("## Bytes")
	say("")
	say("A crash takes %.0f bytes in all tables of both databases.", p.stats.BytesACrash)
	say("")
	say("| table | rows | bytes a row | largest columns |")
	say("| --- | ---: | ---: | --- |")
	for _, t := range p.stats.Tables {
		if t.Rows < 1000 || t.Database == "before" {
			continue
		}
		say("| %s.%s | %d | %.0f | %s |", t.Database, t.Table, t.Rows, float64(t.Bytes)/float64(t.Rows), largest(t))
	}
	return out.Bytes()
}

func largest(t clickhouse.TableStats) (text string) {
	const shown = 6
	for i, c := range t.Columns[:min(shown, len(t.Columns))] {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s %.0f", c.Name, float64(c.Bytes)/float64(t.Rows))
	}
	return text
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d)/1e6) }
