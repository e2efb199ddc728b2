package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"aftershock/processor"
	"aftershock/replay"
	"aftershock/schema"
	"aftershock/signature"
)

// replayStatusVerb says how far versions are.
type replayStatusVerb struct {
	operatorFlags
	Watch bool `help:"On a terminal: show bars until every version has come to the end."`
	JSON  bool `help:"Print one JSON object." name:"json"`
}

// statusPause is between the two looks that a rate is made of.
const statusPause = time.Second

// newer says that this release has something which no version has.
type newer struct {
	ProcessVersion int32  `json:"process_version"`
	RulesetHash    string `json:"ruleset_hash"`
	Command        string `json:"command"`
}

// statusJSON is a status with what is made of two.
type statusJSON struct {
	*replay.Status
	Rates []rateJSON `json:"rates"`
	Newer *newer     `json:"newer_release,omitempty"`
}

type rateJSON struct {
	Version     int32   `json:"version"`
	PerSecond   float64 `json:"per_second"`
	LeftRecords int64   `json:"left_records"`
	// LeftSeconds is nil while it does not move.
	LeftSeconds *float64 `json:"left_seconds"`
}

// Run looks twice, to know how fast it goes.
func (v *replayStatusVerb) Run(r *run) error {
	o, err := v.operator(r)
	if err != nil {
		return err
	}
	before, err := o.Look(r.ctx)
	if err != nil {
		return err
	}
	if v.Watch && !v.JSON && isTerminal(r.stdout) {
		return watchStatus(r.ctx, o, r.stdout, before)
	}
	select {
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-time.After(statusPause):
	}
	now, err := o.Look(r.ctx)
	if err != nil {
		return err
	}
	rates := make([]rateJSON, 0, len(now.Versions))
	for i := range now.Versions {
		rates = append(rates, rateOf(before, now, &now.Versions[i]))
	}
	if v.JSON {
		return json.NewEncoder(r.stdout).Encode(statusJSON{now, rates, newerThan(now)})
	}
	printStatus(r.stdout, now, rates)
	return nil
}

func rateOf(before, now *replay.Status, v *replay.VersionStatus) rateJSON {
	left, _ := v.Left()
	out := rateJSON{Version: v.Number, PerSecond: replay.Rate(before, now, v.Number), LeftRecords: left}
	if left == 0 {
		out.LeftSeconds = new(0.0)
	} else if out.PerSecond > 0 {
		out.LeftSeconds = new(float64(left) / out.PerSecond)
	}
	return out
}

// newerThan tells what this release has that the newest version has not.
func newerThan(s *replay.Status) *newer {
	if len(s.Versions) == 0 {
		return nil
	}
	for _, v := range s.Versions {
		if shipped(v.ProcessVersion, v.RulesetHash, v.RegistryHash) {
			return nil
		}
	}
	return &newer{processor.Version, signature.Default().Hash(), startCommand}
}

func printStatus(out io.Writer, s *replay.Status, rates []rateJSON) {
	for _, r := range s.Seen {
		say(out, "seen: version %d of crashes received from %s to %s\n", r.Version, edge(r.From), edge(r.To))
	}
	if s.Promoting != nil {
		say(out, "A promotion is under way since %s: new crashes are not seen until replay promote finishes it, or replay promote --abort ends it.\n", s.Since.Format(time.RFC3339))
	}
	for i := range s.Versions {
		printVersion(out, &s.Versions[i], rates[i])
	}
	if left, _ := replay.Left(s.Arrivals); left > 0 {
		say(out, "symbols: crashes that lack %d modules which have come are still looked for, the last time six minutes later (aftershock heal, or up)\n", left)
	}
	if n := newerThan(s); n != nil {
		say(out, "This release has a ruleset or a processor that no version has; nothing changes by itself: %s\n", n.Command)
	}
}

func printVersion(out io.Writer, v *replay.VersionStatus, rate rateJSON) {
	var what []string
	add := func(format string, args ...any) { what = append(what, fmt.Sprintf(format, args...)) }
	add("%s", v.State)
	if v.Seen {
		add("seen")
	}
	if v.Base != 0 {
		add("signed again from version %d", v.Base)
	}
	if v.From != nil {
		add("from %s", v.From.Format(time.RFC3339))
	}
	if v.To != nil {
		add("to %s", v.To.Format(time.RFC3339))
	}
	live := v.State == schema.StateLive || v.State == schema.StateNarrowed
	if live {
		if v.Paused {
			add("paused")
		}
		add("share %g", v.Share)
	}
	say(out, "version %d: %s; ruleset %.12s, process version %d\n", v.Number, strings.Join(what, ", "), v.RulesetHash, v.ProcessVersion)
	if live && v.Members == 0 {
		say(out, "  NOBODY PROCESSES IT: no processor can load it, or none runs (see /readyz of the processors)\n")
	}
	if waiting, _ := replay.Left(v.Requests); waiting > 0 && live {
		say(out, "  %d crashes that were asked for again wait\n", waiting)
	}
	left, all := v.Left()
	if all == 0 || !live {
		return
	}
	soon := "does not move"
	if rate.LeftSeconds != nil {
		soon = fmt.Sprintf("%.0f a second, %s left", rate.PerSecond, seconds(*rate.LeftSeconds))
	}
	say(out, "  %d of %d records (%.1f %%), %s\n", all-left, all, 100*float64(all-left)/float64(all), soon)
	printProgress(out, schema.TopicRaw, v.Raw)
	printProgress(out, schema.ProcessedTopic(v.Base), v.Resign)
}

// printProgress says what is left of a topic's partitions.
func printProgress(out io.Writer, topic string, of []replay.Progress) {
	for _, p := range of {
		if p.At < p.End {
			say(out, "    %s partition %d: at %d of %d to %d\n", topic, p.Partition, p.At, p.Begin, p.End)
		}
	}
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

// watchStatus shows a bar for each version until all have come to the end.
func watchStatus(ctx context.Context, o *replay.Operator, out io.Writer, status *replay.Status) error {
	bars := mpb.NewWithContext(ctx, mpb.WithOutput(out), mpb.WithWidth(60))
	shown := map[int32]*mpb.Bar{}
	for {
		left := int64(0)
		for i := range status.Versions {
			v := &status.Versions[i]
			behind, all := v.Left()
			if v.State != schema.StateLive {
				continue
			}
			left += behind
			bar := shown[v.Number]
			if bar == nil {
				bar = bars.AddBar(all, mpb.PrependDecorators(decor.Name(fmt.Sprintf("v%d ", v.Number)), decor.CountersNoUnit("%d/%d")),
					mpb.AppendDecorators(decor.Percentage(), decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO)))
				shown[v.Number] = bar
			}
			bar.SetTotal(all, false)
			bar.SetCurrent(all - behind)
		}
		if left == 0 {
			for _, bar := range shown {
				bar.SetTotal(-1, true)
			}
			bars.Wait()
			return nil
		}
		select {
		case <-ctx.Done():
			bars.Wait()
			return ctx.Err()
		case <-time.After(statusPause):
		}
		var err error
		if status, err = o.Look(ctx); err != nil {
			return err
		}
	}
}
