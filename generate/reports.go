package generate

import (
	"strconv"

	"aftershock/schema"
)

// annotate sets a crash's annotations, and what the door decided.
func (g *Crashes) annotate(c *schema.ProcessedCrash, p *parts, i int) {
	s := streamOf(g.o.Seed, ofTexts, uint64(i))
	line := &lines[p.build.line]
	r := report{numbers: make([]byte, 0, 256)}
	for k, a := range p.machine.annotations {
		r.set(p.machine.kinds[k], a.Value)
	}
	for k, a := range p.template.values {
		r.set(p.template.kinds[k], a.Value)
	}
	r.set(productName, products[line.product])
	r.set(theProductID, productIDs[line.product])
	r.set(releaseChannel, line.channel)
	r.set(theVersion, p.build.version)
	r.set(buildID, p.build.id)
	r.set(vendor, "Aftershock")
	r.set(locale, p.install.locale)
	if p.unfit.has(locale) {
		r.set(locale, Marker+"@example.org")
	}
	r.set(processType, p.process.kind)
	r.set(utilityActors, p.process.actors)
	r.number(crashTime, p.times.crash)
	r.number(startupTime, p.times.startup)
	r.number(installTime, p.times.install)
	r.numbers = append(strconv.AppendInt(r.numbers, p.times.ran, 10), '.')
	r.number(uptimeTS, int64(s.below(1000)))
	if p.times.sinceLast >= 0 {
		r.number(sinceLastCrash, p.times.sinceLast)
	}
	r.set(startupCrash, yesNo(p.startup))
	r.set(checkCompatibility, "true")
	r.set(fission, yesNo(p.install.number%10 != 0))
	r.set(ipcEnabled, "1")
	r.set(submittedFrom, p.submitted)
	r.set(accessibility, p.accessible)
	g.memory(&r, &s, p)
	if s.chance(0.02) {
		r.set(safeMode, "1")
	}
	if s.chance(0.03) {
		r.set(collectingGarbage, "1")
	}
	if p.addons != nil {
		r.set(addons, p.addons.text)
	}
	if p.crumbs != nil {
		r.set(breadcrumbs, p.crumbs.text)
	}
	if s.chance(0.35) {
		r.set(visited, one(&s, urls))
	}
	if s.chance(0.04) {
		r.set(comments, one(&s, remarks))
	}
	if s.chance(0.5) {
		r.set(programNotes, one(&s, programTexts))
	}
	if p.process.kind == "content" {
		r.set(remoteType, one(&s, remoteTypes))
	}
	asked := s.chance(0.05)
	r.set(throttleable, yesNo(!asked))
	c.ThrottleRule, c.ThrottleRate = throttle(p, asked)
	c.Annotations = r.list(p.unfit)
}

// Rules of the door. What is most frequent is sampled: each such crash stands for several.
const (
	ruleAsked   = "has_no_throttle"
	ruleSampled = "desktop_release_sampled"
	ruleRest    = "everything"
	// SampledRate is the share that ruleSampled takes.
	SampledRate = 0.1
)

func throttle(p *parts, asked bool) (rule string, rate float64) {
	switch line := &lines[p.build.line]; {
	case asked:
		return ruleAsked, 1
	case line.product == orchard && line.channel == "release" && p.lane.platform == windows:
		return ruleSampled, SampledRate
	}
	return ruleRest, 1
}

// memory sets figures of the machine's memory, and the size of an allocation that failed.
func (g *Crashes) memory(r *report, s *stream, p *parts) {
	total := p.machine.memory
	short := p.template.nature.kind == oomSmall || p.template.nature.kind == oomLarge
	used := s.between(25, 92)
	if short {
		used = s.between(88, 99)
	}
	r.number(totalPhysical, total)
	r.number(availablePhysical, total/100*int64(100-used)+int64(s.below(1<<20)))
	r.number(memoryInUse, int64(used))
	if p.lane.platform == windows {
		virtual := int64(1 << 47)
		if p.machine.release.digits() == 8 {
			virtual = 1 << 31
		}
		r.number(totalVirtual, virtual-1<<16)
		r.number(availableVirtual, virtual/100*int64(s.between(3, 97)))
		r.number(availablePageFile, total/100*int64(s.between(1, 100)))
	}
	switch p.template.nature.kind {
	case oomSmall:
		r.number(oomSize, int64(1<<s.between(4, 18)))
	case oomLarge:
		r.number(oomSize, int64(1<<18+1<<s.between(1, 30)))
	default:
	}
}

func yesNo(is bool) string {
	if is {
		return "1"
	}
	return "0"
}
