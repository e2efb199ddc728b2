package ask_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"aftershock/ask"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// newestFirst are crashes as they are listed; crash ids decide ties.
func newestFirst(all []*crash) []*crash {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *crash) int {
		if d := b.ReceivedAt.Compare(a.ReceivedAt); d != 0 {
			return d
		}
		return strings.Compare(b.CrashID, a.CrashID)
	})
	return all
}

func reports(o *oracle, a asked) *answer {
	out := newAnswer("crash_id received_at product version build_id os_pretty_version process_type reason address_kind uptime moz_crash_reason")
	behind := a.text("behind")
	for _, c := range newestFirst(of(o.scope(a), a.text("signature"))) {
		at := c.ReceivedAt.UTC().Format("2006-01-02 15:04:05.000")
		if at > behind || at == behind && c.CrashID >= a.text("before_crash") {
			continue
		}
		out.add(c.CrashID, c.ReceivedAt, c.Product, c.Version, c.BuildID, opt(c.facts.OSPrettyVersion), c.ProcessType, c.Reason, opt(c.facts.AddressKind), opt(c.facts.Uptime), opt(c.facts.MozCrashReason))
	}
	return out.most(a.number("limit"))
}

// walkReports turns the pages of a signature's crashes: each is there once.
func (o *oracle) walkReports(t *testing.T, db *clickhouse.DB, signature string) {
	t.Helper()
	q, _ := ask.Find("reports")
	given := map[string]string{"signature": signature, "limit": "23"}
	var have []string
	for {
		page := o.ask(t, db, asked{q, given})
		if len(page.Rows) == 0 {
			break
		}
		for _, r := range page.Rows {
			have = append(have, r[0])
		}
		last := page.Rows[len(page.Rows)-1]
		given["before_crash"], given["behind"] = last[0], last[1]
		if len(have) > len(o.versions[o.active]) {
			t.Fatal("pages without an end")
		}
	}
	var want []string
	for _, c := range newestFirst(of(o.scope(asked{q, given}), signature)) {
		want = append(want, c.CrashID)
	}
	if !slices.Equal(have, want) || len(want) < 100 {
		t.Errorf("reports: %d crashes on all pages, or others than the %d that there are", len(have), len(want))
	}
}

// search looks in the signature, in the frames that it is made of, and in reasons.
func search(o *oracle, a asked) *answer {
	out := newAnswer("signature crashes in_signature in_stack in_reason")
	holds := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(text string) bool {
			return strings.Contains(strings.ToLower(text), strings.ToLower(a.text("text")))
		})
	}
	inSignature := func(c *crash) bool { return holds(c.Signature) }
	inStack := func(c *crash) bool { return holds(c.ProtoSignature) }
	inReason := func(c *crash) bool {
		return holds(or(c.facts.MozCrashReason, ""), or(c.facts.AbortMessage, ""), or(c.facts.Assertion, ""))
	}
	found := only(o.scope(a), func(c *crash) bool { return inSignature(c) || inStack(c) || inReason(c) })
	for signature, all := range bySignature(found) {
		out.add(signature, len(all), count(all, inSignature), count(all, inStack), count(all, inReason))
	}
	return out.by("-crashes", "signature").most(a.number("limit"))
}

// depth is the innermost frame of the crashing thread with a function, also one inlined; -1 for
// none.
func (c *crash) depth(function string) int {
	for i := range c.Frames {
		if c.Frames[i].Function == function {
			return i
		}
		for _, in := range c.Frames[i].Inlines {
			if in.Function == function {
				return i
			}
		}
	}
	return -1
}

func function(o *oracle, a asked) *answer {
	out := newAnswer("signature crashes highest average_depth")
	depth := func(c *crash) int { return c.depth(a.text("function")) }
	for signature, all := range bySignature(only(o.scope(a), func(c *crash) bool { return depth(c) >= 0 && depth(c) < a.number("frames") })) {
		sum, highest := 0, depth(all[0])
		for _, c := range all {
			sum, highest = sum+depth(c), min(highest, depth(c))
		}
		out.add(signature, len(all), highest, round(float64(sum)/float64(len(all)), 1))
	}
	return out.by("-crashes", "signature").most(a.number("limit"))
}

// holds tells whether a frame, module!function, is in a thread's stack.
func holds(t *schema.Thread, frame string) bool {
	return slices.ContainsFunc(t.Frames, func(f schema.Frame) bool { return f.Function != "" && f.Module+"!"+f.Function == frame })
}

func anyThread(o *oracle, a asked) *answer {
	out := newAnswer("signature crashes in_other_threads")
	outside := func(c *crash) (inside, outside bool) {
		for i := range c.threads {
			if !holds(&c.threads[i], a.text("frame")) {
				continue
			}
			if c.CrashingThread != nil && int(*c.CrashingThread) == i {
				inside = true
			} else {
				outside = true
			}
		}
		return inside, outside
	}
	for signature, all := range bySignature(only(o.scope(a), func(c *crash) bool { in, out := outside(c); return in || out })) {
		out.add(signature, len(all), len(only(all, func(c *crash) bool { _, out := outside(c); return out })))
	}
	return out.by("-crashes", "signature").most(a.number("limit"))
}

func module(o *oracle, a asked) *answer {
	out := newAnswer("signature crashes versions first_build last_build")
	with := only(o.scope(a), func(c *crash) bool {
		return (a.text("module") == "" || begins(c.facts.ModulesInStack, a.text("module"))) && strings.HasSuffix(or(c.facts.TopmostFile, ""), a.text("file"))
	})
	for signature, all := range bySignature(with) {
		out.add(signature, len(all), distinct(all, func(c *crash) any { return c.Version }), firstBuild(all), greatest(all, build))
	}
	return out.by("-crashes", "signature").most(a.number("limit"))
}

func begins(names []string, prefix string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) })
}

// missingSymbols counts modules by what facts calls them, file/version/debug id and perhaps a
// code id, where a slash in a file has a backslash.
func missingSymbols(o *oracle, a asked) *answer {
	out := newAnswer("file debug_id module crashes signatures example")
	lacking := map[string][]*crash{}
	for _, c := range o.scope(a) {
		for _, m := range c.facts.MissingSymbols {
			lacking[m] = append(lacking[m], c)
		}
	}
	for module, all := range lacking {
		parts := strings.Split(strings.ReplaceAll(module, `\/`, "\x00"), "/")
		out.add(strings.ReplaceAll(parts[0], "\x00", "/"), parts[2], module, len(all), len(bySignature(all)), least(all, func(c *crash) string { return c.CrashID }))
	}
	return out.by("-crashes", "module").most(a.number("limit"))
}

func missingSymbolsCrashes(o *oracle, a asked) *answer {
	out := newAnswer("crash_id received_at product version signature")
	for _, c := range newestFirst(only(o.scope(a), func(c *crash) bool { return begins(c.facts.MissingSymbols, a.text("module")) })) {
		out.add(c.CrashID, c.ReceivedAt, c.Product, c.Version, c.Signature)
	}
	return out.most(a.number("limit"))
}

func comments(o *oracle, a asked) *answer {
	out := newAnswer("crash_id received_at version comments url")
	text := func(c *crash, name string) any {
		if c.protected[name] == "" {
			return nil
		}
		return c.protected[name]
	}
	for _, c := range newestFirst(of(o.scope(a), a.text("signature"))) {
		if text(c, "Comments") != nil || text(c, "URL") != nil {
			out.add(c.CrashID, c.ReceivedAt, c.Version, text(c, "Comments"), text(c, "URL"))
		}
	}
	return out.most(a.number("limit"))
}

func bugs(o *oracle, a asked) *answer {
	out := newAnswer("bug signature state summary crashes installs last_crash")
	for _, b := range o.bugs {
		if a.text("bug") != "" && a.text("bug") != b.Bug || a.text("signature") != "" && a.text("signature") != b.Signature {
			continue
		}
		var last any
		all := newestFirst(of(o.scope(a), b.Signature))
		if len(all) > 0 {
			last = all[0].ReceivedAt
		}
		out.add(b.Bug, b.Signature, b.State, b.Summary, len(all), installs(all), last)
	}
	return out.by("-crashes", "bug", "signature").most(a.number("limit"))
}

func weights(o *oracle, a asked) *answer {
	out := newAnswer("product channel throttle_rule throttle_rate kept estimated")
	for of, all := range group(o.scope(a), func(c *crash) [4]any { return [4]any{c.Product, c.Channel, c.ThrottleRule, c.ThrottleRate} }) {
		out.add(of[0], of[1], of[2], of[3], len(all), estimated(all))
	}
	return out.by("-estimated", "product", "channel", "throttle_rule")
}

func freshness(o *oracle, a asked) *answer {
	out := newAnswer("raw_topic raw_partition crashes newest_offset newest seconds_ago")
	for of, all := range group(o.scope(a), func(c *crash) [2]any { return [2]any{c.raw.Topic, int(c.raw.Partition)} }) {
		var offset int64
		var newest time.Time
		for _, c := range all {
			offset = max(offset, c.raw.Offset)
			if c.ReceivedAt.After(newest) {
				newest = c.ReceivedAt
			}
		}
		out.add(of[0], of[1], len(all), int(offset), newest, int(a.time("at").Unix()-newest.Unix()))
	}
	return out.by("raw_topic", "raw_partition")
}

func processing(o *oracle, a asked) *answer {
	out := newAnswer("product version build_id crashes without_stack_percent scanned_percent doubtful_percent lacking_symbols_percent transient_percent notes")
	for of, all := range group(o.scope(a), func(c *crash) [3]string { return [3]string{c.Product, c.Version, c.BuildID} }) {
		share := func(is func(c *crash) bool) float64 { return round(percent(count(all, is), len(all)), 1) }
		out.add(of[0], of[1], of[2], len(all), share(func(c *crash) bool { return c.DumpStatus != "OK" }), share((*crash).scanned), share((*crash).doubtful),
			share(func(c *crash) bool { return len(c.facts.MissingSymbols) > 0 }), share((*crash).waitsForSymbols), anything{})
	}
	return out.by("-crashes", "product", "version", "build_id").most(a.number("limit"))
}

func (c *crash) scanned() bool {
	for i := range c.Frames {
		if c.Frames[i].Trust == "scan" {
			return true
		}
	}
	return false
}

func (c *crash) doubtful() bool {
	return slices.ContainsFunc(c.Frames, func(f schema.PublicFrame) bool { return f.Doubt != "" })
}

func (c *crash) waitsForSymbols() bool {
	for i := range c.Modules {
		if s := c.Modules[i].Symbols; s == "timeout" || s == "error" {
			return true
		}
	}
	return false
}

// crashFreeSessions counts whole days.
func crashFreeSessions(o *oracle, a asked) *answer {
	out := newAnswer("day version sessions crashes crash_free_percent installs_that_crashed")
	from, to := a.time("from").Format(time.DateOnly), a.time("to").Format(time.DateOnly)
	sums := map[[2]string]int{}
	for _, s := range o.sessions {
		if s.product == a.text("product") && passes(a.text("channel"), s.channel) && from <= s.day && s.day <= to {
			sums[[2]string{s.day, s.version}] += s.sessions
		}
	}
	crashed := group(o.during(a, time.Time{}, now.AddDate(1, 0, 0)), func(c *crash) [2]string { return [2]string{c.day, c.Version} })
	for at, n := range sums {
		weighed := 0.0
		for _, c := range crashed[at] {
			weighed += 1 / c.ThrottleRate
		}
		out.add(at[0], at[1], n, round(weighed, 0), round(100*(1-weighed/float64(n)), 4), installs(crashed[at]))
	}
	return out.by("day", "version")
}
