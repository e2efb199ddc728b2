package main

import (
	"encoding/json"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"aftershock/sinks/clickhouse"
)

// symbolsHealedVerb says what symbols that came have made of crashes.
type symbolsHealedVerb struct {
	rowFlags
	Days  int  `help:"How many days back." default:"7"`
	Limit int  `help:"Most lines, those with the most crashes." default:"100"`
	Pings bool `help:"Of crash pings instead of reports."`
	JSON  bool `help:"One JSON object a line." name:"json"`
}

// Run prints a pass after the other, the last first.
func (v *symbolsHealedVerb) Run(r *run) error {
	if v.Days < 1 || v.Limit < 1 {
		return &usageError{"symbols healed: --days and --limit: want 1 or more"}
	}
	db, err := v.open(r)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	var rows []clickhouse.Healed
	err = db.EachHealed(r.ctx, v.limits(), population(v.Pings), time.Now().AddDate(0, 0, -v.Days), v.Limit, func(h clickhouse.Healed) error {
		rows = append(rows, h)
		return nil
	})
	if err != nil {
		return err
	}
	if v.JSON {
		out := json.NewEncoder(r.stdout)
		for _, h := range rows {
			if err := out.Encode(h); err != nil {
				return err
			}
		}
		return nil
	}
	return v.table(r, rows)
}

func (v *symbolsHealedVerb) table(r *run, rows []clickhouse.Healed) error {
	if len(rows) == 0 {
		say(r.stdout, "no crash was asked for again in the last %d days because symbols had come\n", v.Days)
		return nil
	}
	out := tabwriter.NewWriter(r.stdout, 0, 0, 2, ' ', 0)
	say(out, "ASKED\tVERSION\tCRASHES\tWHOLE\tWAS\tIS\n")
	for _, h := range rows {
		is := brief(h.NewSignature)
		switch h.NewSignature {
		case "":
			is = "(not made again yet)"
		case h.OldSignature:
			is = "(the same)"
		}
		say(out, "%s\tv%d\t%d\t%d\t%s\t%s\n", h.Asked.UTC().Format("2006-01-02 15:04"), h.Version, h.Crashes, h.Whole, brief(h.OldSignature), is)
	}
	return out.Flush()
}

// mostBrief is how many signs of a signature are shown in a line with another one.
const mostBrief = 70

// brief is the beginning of a signature; --json has it whole.
func brief(signature string) string {
	text := printable(signature)
	if utf8.RuneCountInString(text) <= mostBrief {
		return text
	}
	return string([]rune(text)[:mostBrief-1]) + "…"
}
