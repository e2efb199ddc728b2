package ask_test

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// answers are the oracle of each question.
var answers = map[string]func(o *oracle, a asked) *answer{
	"top-crashers": topCrashers, "top-by-build": topByBuild, "risers": risers, "top-by-installs": topByInstalls, "spikes": spikes, "regressions": regressions, "states": states,
	"first-seen": firstSeen, "builds": builds, "first-bad-build": firstBadBuild,
	"signature-platforms": signaturePlatforms, "installs": installsByVersion, "uptime": uptime, "days": days, "facet": facet, "gpus": gpus, "devices": devices,
	"hardware-clusters": hardwareClusters, "correlations": correlations,
	"reports": reports, "search": search, "function": function, "any-thread": anyThread, "module": module, "missing-symbols": missingSymbols, "missing-symbols-crashes": missingSymbolsCrashes,
	"comments": comments, "bugs": bugs, "version-moves": versionMoves,
	"out-of-memory": outOfMemory, "bad-hardware": badHardware, "hangs": hangs, "dangerous": dangerous, "startup": startup,
	"weights": weights, "freshness": freshness, "processing": processing, "crash-free-sessions": crashFreeSessions,
}

// windows are the crashes of the time that is asked for, and of as much time before it.
func (o *oracle) windows(a asked) (now, before []*crash) {
	from, to := a.time("from"), a.time("to")
	return o.during(a, from, to), o.during(a, from.Add(-to.Sub(from)), from)
}

// places are the place of each signature in both, by how many crashes there were.
func places(now, before []*crash) (rank, rankBefore map[string]int) {
	weights, previous := map[string]float64{}, map[string]float64{}
	for signature := range bySignature(slices.Concat(now, before)) {
		weights[signature], previous[signature] = weight(of(now, signature)), weight(of(before, signature))
	}
	return ranks(weights), ranks(previous)
}

func topCrashers(o *oracle, a asked) *answer {
	out := newAnswer("rank signature crashes estimated percent rank_before change installs startup_percent hang_percent windows mac linux android")
	now, before := o.windows(a)
	rank, rankBefore := places(now, before)
	for signature, all := range bySignature(now) {
		var was any
		if len(of(before, signature)) > 0 {
			was = rankBefore[signature]
		}
		on := func(os string) int { return count(all, func(c *crash) bool { return c.OS == os }) }
		out.add(rank[signature], signature, len(all), estimated(all), round(weighed(all, now), 2), was,
			round(weighed(all, now)-weighed(of(before, signature), before), 2), installs(all),
			round(percent(count(all, (*crash).atStart), len(all)), 1), round(percent(count(all, (*crash).hung), len(all)), 1),
			on("Windows NT"), on("Mac OS X"), on("Linux"), on("Android"))
	}
	return out.by("rank").most(a.number("limit"))
}

func (c *crash) atStart() bool { return is(c.facts.StartupCrash, true) }
func (c *crash) hung() bool    { return is(c.facts.ReportType, "hang") }

func risers(o *oracle, a asked) *answer {
	out := newAnswer("signature crashes estimated estimated_before rank_before rank percent change")
	now, before := o.windows(a)
	rank, rankBefore := places(now, before)
	for signature := range rank {
		here, there := of(now, signature), of(before, signature)
		change := round(weighed(here, now)-weighed(there, before), 2)
		if change <= 0 {
			continue
		}
		var was any
		if len(there) > 0 {
			was = rankBefore[signature]
		}
		out.add(signature, len(here), estimated(here), estimated(there), was, rank[signature], round(weighed(here, now), 2), change)
	}
	return out.by("-change", "signature").most(a.number("limit"))
}

func topByBuild(o *oracle, a asked) *answer {
	out := newAnswer("signature crashes estimated builds first_build last_build installs")
	built := only(o.scope(a), func(c *crash) bool { return c.BuildID >= a.text("build_from") && c.BuildID <= a.text("build_to") })
	for signature, all := range bySignature(built) {
		out.add(signature, len(all), estimated(all), distinct(all, func(c *crash) any { return c.BuildID }), least(all, build), greatest(all, build), installs(all))
	}
	return out.by("-estimated", "signature").most(a.number("limit"))
}

func topByInstalls(o *oracle, a asked) *answer {
	out := newAnswer("signature installs crashes crashes_per_install percent_of_installs")
	all := o.scope(a)
	for signature, hit := range bySignature(all) {
		out.add(signature, installs(hit), len(hit), perInstall(hit), round(percent(installs(hit), installs(all)), 2))
	}
	return out.by("-installs", "signature").most(a.number("limit"))
}

// spikes are looked for on days whose week before is in the time that is asked for.
func spikes(o *oracle, a asked) *answer {
	out := newAnswer("day signature crashes expected deviations")
	for signature, all := range bySignature(o.scope(a)) {
		daily := group(all, func(c *crash) string { return c.day })
		for text, on := range daily {
			day, err := time.Parse(time.DateOnly, text)
			if err != nil {
				panic(err)
			}
			if day.AddDate(0, 0, -7).Before(a.time("from")) {
				continue
			}
			week := 0
			for ago := 1; ago <= 7; ago++ {
				week += len(daily[day.AddDate(0, 0, -ago).Format(time.DateOnly)])
			}
			expected := float64(week) / 7
			deviations := round((float64(len(on))-expected)/math.Sqrt(max(expected, 1)), 1)
			if deviations >= float64(a.number("deviations")) {
				out.add(text, signature, len(on), round(expected, 1), deviations)
			}
		}
	}
	return out.by("-deviations", "day", "signature").most(a.number("limit"))
}

// regressions divide rates of two builds, to each of which half a crash is added.
func regressions(o *oracle, a asked) *answer {
	out := newAnswer("signature old_crashes new_crashes times at_least at_most _order")
	in := group(o.during(a, time.Time{}, now.AddDate(100, 0, 0)), build)
	before, after := in[a.text("old")], in[a.text("new")]
	for signature, all := range bySignature(slices.Concat(before, after)) {
		if len(all) < a.number("least") {
			continue
		}
		x, y := float64(len(of(before, signature)))+0.5, float64(len(of(after, signature)))+0.5
		ratio := y / (float64(len(after)) + 0.5) / (x / (float64(len(before)) + 0.5))
		margin := 1.959964 * math.Sqrt(1/x+1/y) // of the logarithm
		rounded := func(x float64) near { return near{x, 0.005 + 1e-9*x} }
		out.add(signature, int(x), int(y), rounded(ratio), rounded(math.Exp(math.Log(ratio)-margin)), rounded(math.Exp(math.Log(ratio)+margin)), round(math.Log(ratio)-margin, 9))
	}
	return out.by("-_order", "signature").most(a.number("limit"))
}

// firstOf is when a signature was first seen, of these crashes of it or as another's heir.
func (o *oracle) firstOf(signature string, all []*crash) time.Time {
	first := slices.MinFunc(all, func(a, b *crash) int { return a.ReceivedAt.Compare(b.ReceivedAt) }).ReceivedAt
	for _, d := range o.lineage {
		if d.new == signature && d.majority && d.epoch <= o.epoch && d.first.Before(first) {
			first = d.first
		}
	}
	return first
}

// states look at four weeks; first seen is over all time, of the product alone.
func states(o *oracle, a asked) *answer {
	out := newAnswer("state signature crashes usual installs first_seen last_crash _order")
	to := a.time("to")
	lately := to.Add(-time.Duration(a.number("hours")) * time.Hour)
	ago := func(name string) time.Time { return to.AddDate(0, 0, -a.number(name)) }
	times, err := strconv.ParseFloat(a.text("rising_times"), 64)
	if err != nil {
		panic(err)
	}
	ever := bySignature(only(slices.Collect(maps.Values(o.versions[o.active])), func(c *crash) bool { return passes(a.text("product"), c.Product) }))
	for signature, all := range bySignature(o.during(a, to.AddDate(0, 0, -28), to)) {
		if a.text("signature") != "" && signature != a.text("signature") {
			continue
		}
		between := func(from, to time.Time) []*crash {
			return only(all, func(c *crash) bool { return !c.ReceivedAt.Before(from) && c.ReceivedAt.Before(to) })
		}
		now, before := between(lately, to), between(time.Time{}, lately)
		usual := float64(len(between(lately.AddDate(0, 0, -7), lately))*a.number("hours")) / (7 * 24)
		last := slices.MaxFunc(all, func(a, b *crash) int { return a.ReceivedAt.Compare(b.ReceivedAt) }).ReceivedAt
		lastBefore := time.Unix(0, 0)
		for _, c := range before {
			if c.ReceivedAt.After(lastBefore) {
				lastBefore = c.ReceivedAt
			}
		}
		first := o.firstOf(signature, ever[signature])
		var state string
		var order int
		switch {
		case !first.Before(ago("new_days")) && len(now) >= a.number("new_least"):
			state, order = "new", 1
		case len(now) >= a.number("back_least") && first.Before(lately) && lastBefore.Before(lately.AddDate(0, 0, -a.number("back_days"))):
			state, order = "back", 2
		case len(now) >= a.number("rising_least") && float64(len(now)) > times*usual:
			state, order = "rising", 3
		case last.Before(ago("quiet_days")) && len(between(time.Time{}, ago("quiet_days"))) >= a.number("quiet_least"):
			state, order = "quiet", 4
		default:
			continue
		}
		out.add(state, signature, len(now), round(usual, 1), installs(now), first, last, order)
	}
	return out.by("_order", "-crashes", "signature").most(a.number("limit"))
}

func firstSeen(o *oracle, a asked) *answer {
	out := newAnswer("signature first_seen first_build crashes")
	for signature, all := range bySignature(o.scope(a)) {
		first := o.firstOf(signature, all)
		if !first.Before(a.time("since")) && (a.text("first_build") == "" || firstBuild(all) >= a.text("first_build")) {
			out.add(signature, first, firstBuild(all), len(all))
		}
	}
	return out.by("-first_seen", "signature").most(a.number("limit"))
}

// inBuilds are the crashes of each build that is known, by build id, and their order.
func (o *oracle) inBuilds(a asked) (in map[string][]*crash, order []string) {
	in = group(o.scope(a), build)
	delete(in, "")
	for id := range in {
		order = append(order, id)
	}
	slices.Sort(order)
	return in, order
}

func version(c *crash) string { return c.Version }

func builds(o *oracle, a asked) *answer {
	out := newAnswer("build_id version crashes installs all_crashes per_mille")
	in, order := o.inBuilds(a)
	for _, id := range order {
		hit := of(in[id], a.text("signature"))
		out.add(id, least(in[id], version), len(hit), installs(hit), len(in[id]), round(1000*float64(len(hit))/float64(len(in[id])), 2))
	}
	return out
}

// firstBadBuild compares the likelihood of one rate before a build and another since then with
// that of one rate in all builds.
func firstBadBuild(o *oracle, a asked) *answer {
	out := newAnswer("build_id version crashes all_crashes before_crashes before_all since_crashes since_all per_mille_before per_mille_since evidence _order")
	in, order := o.inBuilds(a)
	total := func(ids []string) (hit, all int) {
		for _, id := range ids {
			hit, all = hit+len(of(in[id], a.text("signature"))), all+len(in[id])
		}
		return hit, all
	}
	likelihood := func(hit, all int) float64 {
		if hit == 0 {
			return 0
		}
		return float64(hit) * math.Log(float64(hit)/float64(all))
	}
	for i, id := range order {
		hitBefore, before := total(order[:i])
		hitSince, since := total(order[i:])
		if i == 0 || hitSince*before <= hitBefore*since {
			continue
		}
		hit, all := total(order)
		gain := likelihood(hitSince, since) + likelihood(hitBefore, before) - likelihood(hit, all)
		out.add(id, least(in[id], version), len(of(in[id], a.text("signature"))), len(in[id]), hitBefore, before, hitSince, since,
			round(1000*float64(hitBefore)/float64(before), 2), round(1000*float64(hitSince)/float64(since), 2), near{gain, 0.05 + 1e-9}, round(gain, 9))
	}
	return out.by("-_order", "build_id").most(5)
}

// versionMoves compares two versions, whichever is seen.
func versionMoves(o *oracle, a asked) *answer {
	out := newAnswer("old_signature new_signature crashes")
	moved := map[[2]string]int{}
	for id, before := range o.versions[int32(a.number("old"))] {
		after := o.versions[int32(a.number("new"))][id]
		if after != nil && after.Signature != before.Signature && !before.ReceivedAt.Before(a.time("from")) && before.ReceivedAt.Before(a.time("to")) {
			moved[[2]string{before.Signature, after.Signature}]++
		}
	}
	for pair, n := range moved {
		out.add(pair[0], pair[1], n)
	}
	return out.by("-crashes", "old_signature", "new_signature").most(a.number("limit"))
}

func signaturePlatforms(o *oracle, a asked) *answer {
	out := newAnswer("field value crashes estimated percent")
	all := of(o.scope(a), a.text("signature"))
	for _, name := range []string{"os", "os_pretty_version", "cpu_arch", "process_type"} {
		for value, hit := range group(all, fields[name]) {
			out.add(name, value, len(hit), estimated(hit), round(weighed(hit, all), 2))
		}
	}
	return out.by("field", "-estimated", "value")
}
