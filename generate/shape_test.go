package generate

import (
	"math"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
)

// counted are what crashes of a million have.
type counted struct {
	n                                                                  int
	signatures, products, channels, versions, builds, systems, arches  map[string]int
	installs, days, processes, vendors, devices, rules, reports, kinds map[string]int
	threads, modules, frames                                           int
	startup, hasURL, java, noDump, flips                               int
}

func TestShapeOfTheDistributions(t *testing.T) {
	g := newCrashes(t, Options{Count: 1_000_000, Seed: 3})
	c := counted{}
	for _, m := range []*map[string]int{
		&c.signatures, &c.products, &c.channels, &c.versions, &c.builds, &c.systems, &c.arches, &c.installs, &c.days, &c.processes, &c.vendors, &c.devices, &c.rules, &c.reports, &c.kinds,
	} {
		*m = map[string]int{}
	}
	const every = 25
	for i := 0; i < g.Len(); i += every {
		c.add(g.At(i))
	}
	for what, tc := range map[string]struct{ have, low, high float64 }{
		"signatures":             {float64(len(c.signatures)), 5_000, 20_000},
		"share of the first":     {share(c.signatures, 1), 0.02, 0.15},
		"share of the first 100": {share(c.signatures, 100), 0.3, 0.7},
		"products":               {float64(len(c.products)), 3, 3},
		"channels":               {float64(len(c.channels)), 4, 4},
		"versions":               {float64(len(c.versions)), 40, 40},
		"builds":                 {float64(len(c.builds)), 60, 60},
		"systems":                {float64(len(c.systems)), 6, 6}, // with that of crashes without a dump, which say none
		"arches":                 {float64(len(c.arches)), 4, 4},
		"days":                   {float64(len(c.days)), 28, 28},
		"process types":          {float64(len(c.processes)), 7, 7},
		"installs of 40,000":     {float64(len(c.installs)), 20_000, 38_000},
		"most of one install":    {share(c.installs, 1) * float64(c.n), 3, 100},
		"vendors":                {float64(len(c.vendors)), 7, 12},
		"devices":                {float64(len(c.devices)), float64(len(adapters)) - 3, float64(len(adapters))}, // some have one name
		"sampled":                {float64(c.rules[ruleSampled]) / float64(c.n), 0.2, 0.6},
		"rules":                  {float64(len(c.rules)), 3, 3},
		"hangs":                  {float64(c.reports["hang"]) / float64(c.n), 0.01, 0.15},
		"null pointers":          {float64(c.kinds["null-pointer"]) / float64(c.n), 0.1, 0.5},
		"not canonical":          {float64(c.kinds["non-canonical"]) / float64(c.n), 0.01, 0.1},
		"startup":                {float64(c.startup) / float64(c.n), 0.02, 0.15},
		"URL":                    {float64(c.hasURL) / float64(c.n), 0.3, 0.4},
		"Java":                   {float64(c.java) / float64(c.n), 0.005, 0.1},
		"bit flips":              {float64(c.flips) / float64(c.n), 0.001, 0.01},
		"threads":                {float64(c.threads) / float64(c.n-c.noDump), 20, 45},
		"frames":                 {float64(c.frames) / float64(c.n-c.noDump), 17, 25},
		"modules":                {float64(c.modules) / float64(c.n-c.noDump), modulesWanted, modulesWanted},
	} {
		if tc.have < tc.low || tc.have > tc.high {
			t.Errorf("%s: %g, want %g to %g", what, tc.have, tc.low, tc.high)
		}
	}
}

func (c *counted) add(p *schema.ProcessedCrash) {
	value := map[string]string{}
	for _, a := range p.Annotations {
		value[a.Name] = a.Value
	}
	c.n++
	c.signatures[p.Signature]++
	c.products[value["ProductName"]]++
	c.channels[value["ReleaseChannel"]]++
	c.versions[value["Version"]]++
	c.builds[value["BuildID"]]++
	c.systems[p.System.OS]++
	if p.System.CPUArch != "" {
		c.arches[p.System.CPUArch]++
	}
	c.installs[value["InstallTime"]+value["ProductName"]+p.System.OS]++
	c.days[p.CrashID[30:]]++
	c.processes[*p.Facts.ProcessType]++
	c.rules[p.ThrottleRule]++
	c.reports[*p.Facts.ReportType]++
	c.threads += len(p.Threads)
	c.modules += len(p.Modules)
	if v := p.Facts.GPUVendor; v != nil {
		c.vendors[*v]++
	}
	if d := p.Facts.GPUDevice; d != nil {
		c.devices[*d]++
	}
	if k := p.Facts.AddressKind; k != nil {
		c.kinds[*k]++
	}
	if *p.Facts.StartupCrash {
		c.startup++
	}
	if value["URL"] != "" {
		c.hasURL++
	}
	if p.Facts.JavaExceptionClass != nil {
		c.java++
	}
	if p.DumpStatus != schema.DumpOK {
		c.noDump++
		return
	}
	c.frames += len(p.Threads[*p.Crash.CrashingThread].Frames)
	if strings.HasPrefix(p.Signature, "bit flip | ") {
		c.flips++
	}
}

// share is that of the n most frequent.
func share(of map[string]int, n int) float64 {
	counts, all := []int{}, 0
	for _, k := range of {
		counts, all = append(counts, k), all+k
	}
	first := 0
	for range min(n, len(counts)) {
		at := 0
		for i := range counts {
			if counts[i] > counts[at] {
				at = i
			}
		}
		first += counts[at]
		counts[at] = 0
	}
	return float64(first) / float64(all)
}

// Each crash has its day, in its id too, and they come in order.
func TestCrashesComeInTheOrderOfTheirTime(t *testing.T) {
	g := newCrashes(t, Options{Count: 5000, Days: 5, Until: time.Date(2026, 3, 3, 17, 0, 0, 0, time.UTC)})
	days := map[time.Time]int{}
	var last time.Time
	for c := range g.All() {
		at, err := schema.CrashDay(c.CrashID)
		if err != nil {
			t.Fatal(err)
		}
		if c.ReceivedAt.Before(last) || !c.ReceivedAt.Truncate(day).Equal(at) || c.ReceivedAt.Truncate(time.Millisecond) != c.ReceivedAt {
			t.Fatalf("%s, received %v after %v", c.CrashID, c.ReceivedAt, last)
		}
		last = c.ReceivedAt
		days[at]++
	}
	for d := range 5 {
		at := time.Date(2026, 2, 26+d, 0, 0, 0, 0, time.UTC)
		if n := days[at]; n != g.calendar.first[d+1]-g.calendar.first[d] || math.Abs(float64(n)-1000) > 200 {
			t.Errorf("%d crashes on %v", n, at)
		}
	}
	if len(days) != 5 {
		t.Errorf("%d days", len(days))
	}
}

// A build has crashes from the time it is released, and a version takes over.
func TestVersionsAppearOverTime(t *testing.T) {
	g := newCrashes(t, Options{Count: 200_000})
	first, half := map[string]int{}, g.Len()/2
	newer := 0
	for i := 0; i < g.Len(); i += 10 {
		c := g.At(i)
		p := g.parts(i, c.ReceivedAt, turn{})
		if p.build.released.After(c.ReceivedAt) {
			t.Fatalf("crash %d of a build that was released %v later", i, p.build.released.Sub(c.ReceivedAt))
		}
		if v := *c.Facts.DisplayVersion; i < half {
			first[v]++
		} else if first[v] == 0 {
			newer++
		}
	}
	if share := float64(newer) / 10_000; share < 0.1 || share > 0.7 {
		t.Errorf("%g of the crashes of the second half have a version that the first has not", share)
	}
}
