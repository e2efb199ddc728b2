package ask_test

import (
	"maps"
	"testing"
	"time"

	"aftershock/ask"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// ranked are values, the most frequent first.
func ranked(all []*crash, values func(c *crash) []string) []string {
	of := map[string]float64{}
	for _, c := range all {
		for _, v := range values(c) {
			of[v]++
		}
	}
	delete(of, "")
	out := make([]string, len(of))
	for name, rank := range ranks(of) {
		out[rank-1] = name
	}
	return out
}

// middle is a time within the crashes; it begins and ends when some were received.
var middle = map[string]string{"from": "2026-09-15T06:00:00Z", "to": "2026-09-22T18:00:00Z"}

// with are parameters of the middle, where the question has a begin and an end, and more.
func with(q ask.Query, pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	for _, p := range q.Params {
		switch at, there := middle[p.Name]; {
		case there:
			out[p.Name] = at
		case p.Name == "since":
			out[p.Name] = middle["from"]
		}
	}
	return out
}

// cases are what each question is asked with: what it needs and its defaults, the middle of
// the time, and each of the parameters that restrict it alone and all together.
func (o *oracle) cases() map[string][]map[string]string {
	all := make([]*crash, 0, len(o.versions[o.active]))
	for _, c := range o.versions[o.active] {
		all = append(all, c)
	}
	signature := ranked(all, func(c *crash) []string { return []string{c.Signature} })[0]
	builds := ranked(all, func(c *crash) []string { return []string{c.BuildID} })[:2]
	if builds[0] > builds[1] {
		builds[0], builds[1] = builds[1], builds[0]
	}
	functions := ranked(all, func(c *crash) (out []string) {
		for i := range c.Frames {
			out = append(out, c.Frames[i].Function)
		}
		return out
	})
	frames := ranked(all, func(c *crash) (out []string) {
		for _, t := range c.threads {
			for _, f := range t.Frames {
				if f.Function != "" {
					out = append(out, f.Module+"!"+f.Function)
				}
			}
		}
		return out
	})
	modules := ranked(all, func(c *crash) []string { return c.facts.ModulesInStack })
	missing := ranked(all, func(c *crash) []string { return c.facts.MissingSymbols })
	files := ranked(all, func(c *crash) []string { return []string{or(c.facts.TopmostFile, "")} })
	needed := map[string]map[string]string{
		"top-by-build": {"build_from": builds[0]}, "function": {"function": functions[0]}, "any-thread": {"frame": frames[len(frames)/20]}, "search": {"text": "aBoRt"}, "missing-symbols-crashes": {"module": missing[0]},
		"version-moves": {"old": "1", "new": "2"}, "crash-free-sessions": {"product": "Orchard"}, "regressions": {"old": builds[0], "new": builds[1]}, "spikes": {"deviations": "2"}, "first-seen": {"since": "14d"},
	}
	restrictions := map[string]string{"product": "Orchard", "channel": "release", "process_type": "content", "os": "Windows NT", "signature": signature, "limit": "3"}
	excluded := map[string]string{"product": "!=Orchard Mobile\n!=none", "channel": "!=nightly", "process_type": "!=gpu", "os": "!=Windows NT\n!=Linux"}
	more := map[string][]map[string]string{
		"first-seen": {{"since": "60d"}, {"since": "20d", "first_build": "20260920"}}, "module": {{"module": modules[0][:4], "from": "20d"}, {"file": files[0][2:]}, {"module": modules[1], "file": files[0]}},
		"top-by-build": {{"build_from": builds[0], "build_to": builds[1]}}, "reports": {{"signature": signature, "behind": "2026-09-20 09:00:00.000", "before_crash": "8", "limit": "1000"}},
		"missing-symbols-crashes": {{"module": `odd\/`}}, "function": {{"function": functions[0], "frames": "4", "from": "28d"}, {"function": functions[1], "frames": "100"}},
		"bad-hardware": {{"least": "2"}}, "states": {{}, {"new_days": "28", "new_least": "1", "limit": "500"}, {"new_days": "0", "back_days": "2", "back_least": "1", "rising_times": "1.5", "rising_least": "2", "quiet_days": "2", "quiet_least": "2", "limit": "500"}, {"to": "2026-09-25T06:30:00Z", "hours": "48", "new_days": "3", "new_least": "1", "back_days": "5", "back_least": "1", "rising_least": "1", "quiet_days": "4", "quiet_least": "1", "limit": "500"}},
		"spikes": {{}, {"deviations": "3", "from": "2026-09-05T06:00:00Z"}}, "regressions": {{"old": builds[0], "new": builds[1], "least": "2", "product": "Orchard"}},
		"hardware-clusters": {{"signature": signature, "least": "1", "from": "28d"}, {"signature": signature, "least": "4", "from": "28d"}}, "correlations": {{"signature": signature, "least": "2", "from": "28d"}},
		"any-thread": {{"frame": frames[0], "from": "28d"}, {"frame": frames[len(frames)/2], "from": "28d"}}, "bugs": {{"bug": "2"}}, "freshness": {{"at": "2026-10-01T12:00:00Z"}}, "search": {{"text": "orchard::"}, {"text": "POISON", "from": "28d"}},
	}
	for by := range fields {
		more["facet"] = append(more["facet"], map[string]string{"by": by, "from": "28d", "limit": "1000"})
		more["days"] = append(more["days"], map[string]string{"by": by})
	}
	more["devices"] = []map[string]string{{"product": "Orchard Mobile", "limit": "5"}}
	more["facet"] = append(more["facet"], map[string]string{"version": ranked(all, func(c *crash) []string { return []string{c.Version} })[1], "by": "os"})
	out := map[string][]map[string]string{}
	for _, q := range ask.Queries() {
		need := map[string]string{}
		maps.Copy(need, needed[q.Name])
		pairs := func(of map[string]string) (pairs []string) {
			for k, v := range of {
				pairs = append(pairs, k, v)
			}
			return pairs
		}
		together, without := map[string]string{}, map[string]string{}
		for _, p := range q.Params {
			if p.Name == "signature" && p.Required {
				need["signature"] = signature
			}
		}
		list := []map[string]string{need, with(q, pairs(need)...)}
		for _, p := range q.Params {
			value, there := restrictions[p.Name]
			if _, set := need[p.Name]; !there || set {
				continue
			}
			one := maps.Clone(need)
			one[p.Name] = value
			list = append(list, one)
			if p.Name != "signature" && p.Name != "process_type" {
				together[p.Name] = value
			}
			if p.Name == "without" {
				list = append(list, merged(need, map[string]string{"without": signature + "\nnowhere"}))
			}
			if not, there := excluded[p.Name]; there {
				without[p.Name] = not
			}
		}
		if len(without) > 0 {
			maps.Copy(without, need)
			list = append(list, without)
		}
		maps.Copy(together, need)
		out[q.Name] = append(append(list, with(q, pairs(together)...)), more[q.Name]...)
	}
	return out
}

// merged are parameters of both.
func merged(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// load stores bugs and numbers of sessions.
func (o *oracle) load(t *testing.T, db *clickhouse.DB) {
	t.Helper()
	var all []*crash
	for _, c := range o.versions[o.active] {
		all = append(all, c)
	}
	names := ranked(all, func(c *crash) []string { return []string{c.Signature} })
	o.bugs = []clickhouse.Bug{
		{Signature: names[0], Bug: "1", Summary: "It crashes.", State: "open"},
		{Signature: names[1], Bug: "2", Summary: "Also this.", State: "fixed"},
		{Signature: names[3], Bug: "2", Summary: "Also this.", State: "fixed"},
		{Signature: "nowhere", Bug: "3", Summary: "Never seen.", State: "open"},
	}
	if _, err := db.LoadBugs(t.Context(), o.bugs, true, now); err != nil {
		t.Fatal(err)
	}
	for of, some := range group(all, func(c *crash) [4]string { return [4]string{c.day, c.Product, c.Version, c.Channel} }) {
		o.sessions = append(o.sessions, sessions{of[0], of[1], of[2], of[3], 1000 + 77*len(some)})
	}
	o.sessions = append(o.sessions, sessions{"2026-09-20", "Orchard", "0.0", "release", 5}) // nothing crashed
	for again := range 2 {                                                                  // the second time counts
		b, err := db.Conn().PrepareBatch(t.Context(), "INSERT INTO aftershock.sessions (day, product, version, channel, os, sessions, users, loaded)")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range o.sessions {
			day, err := time.Parse(time.DateOnly, s.day)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Append(day, s.product, s.version, s.channel, "", uint64(s.sessions+1-again), uint64(1), now.Add(time.Duration(again)*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
	}
}

// sign makes the lineage of a promotion to a version with the signatures of these crashes, as
// if older crashes of the signatures before had been deleted since. Some of it does not count:
// of an epoch that is not there yet, and of what is not most of a signature.
func (o *oracle) sign(promoted []*schema.ProcessedCrash) {
	epoch := o.epoch + 1
	known := map[string]bool{}
	for _, p := range promoted {
		old := o.versions[o.active][p.CrashID].Signature
		if old == p.Signature || known[old] {
			continue
		}
		known[old] = true
		o.lineage = append(o.lineage, descent{epoch, old, p.Signature, true, now.AddDate(0, 0, -10-len(known)*3), 1},
			descent{epoch, "another", p.Signature, false, now.AddDate(0, 0, -90), 1}, descent{epoch + 7, old, p.Signature, true, now.AddDate(0, 0, -80), 1})
	}
}

// storeLineage stores it, with the rows that say that it is complete.
func (o *oracle) storeLineage(t *testing.T, db *clickhouse.DB) {
	t.Helper()
	b, err := db.Conn().PrepareBatch(t.Context(), "INSERT INTO aftershock.signature_lineage (epoch, batch, from_version, to_version, old_signature, new_signature, crashes, majority, first_seen, complete)")
	if err != nil {
		t.Fatal(err)
	}
	add := func(d descent, complete uint8) {
		majority := uint8(0)
		if d.majority {
			majority = 1
		}
		if err := b.Append(uint64(d.epoch), uint64(1), uint32(1), uint32(2), d.old, d.new, uint64(d.crashes), majority, d.first, complete); err != nil {
			t.Fatal(err)
		}
	}
	epochs := map[int64]bool{}
	for _, d := range o.lineage {
		add(d, 0)
		epochs[d.epoch] = true
	}
	for epoch := range epochs {
		add(descent{epoch: epoch, first: time.Unix(0, 0)}, 1)
	}
	if len(epochs) != 2 {
		t.Fatalf("lineage of %d epochs, want 2", len(epochs))
	}
	if err := b.Send(); err != nil {
		t.Fatal(err)
	}
}
