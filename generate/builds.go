package generate

import (
	"time"

	"aftershock/facts"
	"aftershock/schema"
)

// Products. Their installs' shares stand in newInstall.
const (
	orchard = iota
	tidepool
	mobile
)

var products = [...]string{orchard: "Orchard", tidepool: "Tidepool", mobile: "Orchard Mobile"}

// line is what one channel of a product releases: builds in the order of their time,
// versions as many or fewer.
type line struct {
	product  int
	channel  string
	share    float64 // of the product's installs
	versions []string
	builds   int
}

// lines have 40 versions and 60 builds.
var lines = []line{
	{orchard, "release", 0.72, []string{"150.0", "150.0.1", "150.0.2", "151.0", "151.0.1", "151.0.2", "151.0.3", "152.0"}, 8},
	{orchard, "beta", 0.13, []string{"151.0b6", "151.0b9", "152.0b1", "152.0b3", "152.0b5", "152.0b7", "153.0b1", "153.0b2"}, 8},
	{orchard, "nightly", 0.08, []string{"153.0a1", "154.0a1"}, 14},
	{orchard, "esr", 0.07, []string{"140.9.0", "140.10.0"}, 2},
	{tidepool, "release", 0.75, []string{"4.1.0", "4.1.1", "4.2.0", "4.2.1", "4.3.0"}, 5},
	{tidepool, "beta", 0.17, []string{"4.2.0-beta.2", "4.3.0-beta.1", "4.3.0-beta.2", "4.4.0-beta.1"}, 5},
	{tidepool, "nightly", 0.08, []string{"4.5.0-nightly"}, 6},
	{mobile, "release", 0.8, []string{"97.0", "97.1", "98.0", "98.0.1", "98.1"}, 5},
	{mobile, "beta", 0.12, []string{"98.0b4", "99.0b1", "99.0b2"}, 3},
	{mobile, "nightly", 0.08, []string{"99.0a1", "100.0a1"}, 4},
}

// build is a version of a product at a time.
type build struct {
	number   int // among all
	line     int
	version  string
	id       string
	released time.Time
	of       schema.Facts // what its annotations give
}

const buildIDLayout = "20060102150405"

// newBuilds are the builds of each line: the first is a while older than the first crash,
// the last is new on one of the last days.
func newBuilds(begin time.Time, days int, registry *schema.Registry) [][]*build {
	all := make([][]*build, len(lines))
	n := 0
	for l, line := range lines {
		for k := range line.builds {
			b := &build{number: n, line: l, version: line.versions[k*len(line.versions)/line.builds], released: begin.Add(-10 * day)}
			if k > 0 {
				b.released = begin.Add(time.Duration(float64(days) * 0.9 * float64(k) / float64(line.builds) * float64(day)))
			}
			b.released = b.released.Add(time.Duration(l)*37*time.Minute + time.Duration(k)*11*time.Second)
			b.id = b.released.Format(buildIDLayout)
			c := &schema.ProcessedCrash{Annotations: []schema.Annotation{
				{Name: "BuildID", Value: b.id, Public: true},
				{Name: "ProductName", Value: products[line.product], Public: true},
				{Name: "ReleaseChannel", Value: line.channel, Public: true},
				{Name: "Version", Value: b.version, Public: true},
			}}
			b.of = *facts.Derive(facts.Input{Crash: c, Registry: registry}).Public
			all[l] = append(all[l], b)
			n++
		}
	}
	return all
}

// buildAt is what an install of a line has at a time: the newest that was released as long
// ago as it takes to update; back is how many before it.
func (g *Crashes) buildAt(in *install, at time.Time, back int) *build {
	builds := g.builds[in.line]
	k := len(builds) - 1
	for k > 0 && builds[k].released.Add(in.lag).After(at) {
		k--
	}
	return builds[max(k-back, 0)]
}

// productIDs are the products' guids.
var productIDs = [...]string{orchard: "{7a1c0de0-0000-4b1d-9f00-0a7e125c0b00}", tidepool: "{7a1c0de0-0001-4b1d-9f00-0a7e125c0b01}", mobile: "{7a1c0de0-0002-4b1d-9f00-0a7e125c0b02}"}
