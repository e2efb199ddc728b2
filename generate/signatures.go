package generate

import (
	"math"
)

// kind is what a signature is about beside its stack.
type kind int

const (
	plain        kind = iota
	oomSmall          // an allocation that says nothing about where
	oomLarge          //
	hung              // the client says that it hung
	shutdownHang      // the watchdog ended it
	ipcSignature      // a message between processes was being handled
	asserted          // the program gave a reason
	unnamed           // the innermost frame's module has no symbols
	thrown            // a Java exception
	empty             // the dump is empty
)

// The signatures that every lane has, the most frequent ones.
const (
	commonOOM = iota
	commonHang
	commonEmpty
	common // how many
)

// nature is what a signature's number says about it.
type nature struct {
	kind    kind
	product int
	// home is the one platform that has it, everywhere for none.
	home    platform
	shape   int
	since   float64 // share of the window before its first build is released; 0 is always
	startup float64 // share of crashes while starting
	worker  bool    // another thread than the first crashes
}

const everywhere platform = -1

// kindShares of the signatures of a program; the rest is plain.
var kindShares = []struct {
	share float64
	kind  kind
}{
	{0.03, oomLarge}, {0.02, hung}, {0.01, shutdownHang}, {0.02, ipcSignature}, {0.14, asserted}, {0.04, unnamed},
}

func (g *Crashes) natureOf(n int) nature {
	switch n {
	case commonOOM:
		return nature{kind: oomSmall, home: everywhere, startup: 0.02}
	case commonHang:
		return nature{kind: shutdownHang, home: everywhere, worker: true}
	case commonEmpty:
		return nature{kind: empty, home: everywhere, startup: 0.2}
	}
	s := streamOf(g.o.Seed, ofNature, uint64(n))
	o := nature{home: everywhere, startup: 0.03}
	switch x := s.unit(); {
	case x < 0.62:
		o.product = orchard
	case x < 0.82:
		o.product = tidepool
	default:
		o.product = mobile
	}
	if s.chance(0.65) {
		if o.home = windows; o.product == mobile {
			o.home = android
		}
		switch x := s.unit(); {
		case o.product == mobile && x < 0.15:
			o.home = ios
		case o.product != mobile && x < 0.12:
			o.home = mac
		case o.product != mobile && x < 0.25:
			o.home = linux
		}
	}
	x := s.unit()
	for _, k := range kindShares {
		if x -= k.share; x < 0 {
			o.kind = k.kind
			break
		}
	}
	if o.home == android && s.chance(0.5) {
		o.kind = thrown
	}
	var fitting []int
	for i, shape := range shapes() {
		if shape.rust == (o.product == tidepool) && !(shape.recursion && s.chance(0.7)) { // the latter are rare
			fitting = append(fitting, i)
		}
	}
	o.shape = one(&s, fitting)
	if s.chance(0.2) {
		o.since = s.unit() * 0.9
	}
	if s.chance(0.05) {
		o.startup = 0.7
	}
	o.worker = o.kind == shutdownHang || s.chance(0.35)
	return o
}

// in tells whether a lane has the signature.
func (o *nature) in(n int, l *lane) bool {
	return n < common || o.product == l.product && (o.home == everywhere || o.home == l.platform)
}

// commonWeights: of what every lane has, there is less than its rank says.
var commonWeights = [common]float64{commonOOM: 0.8, commonHang: 0.3, commonEmpty: 0.08}

// Crashes of the signature of rank r are as many as 1/(r+flat)^steep: a few have most.
const (
	steep = 1.03
	flat  = 6
)

// ranking draws the signatures of a lane.
type ranking struct {
	numbers []int32
	weights weights
}

func (g *Crashes) newRanking(l *lane) ranking {
	var r ranking
	var share []float64
	for n := range g.natures {
		if g.natures[n].in(n, l) {
			weight := 1 / math.Pow(float64(n+flat), steep)
			if n < common {
				weight *= commonWeights[n]
			}
			r.numbers, share = append(r.numbers, int32(n)), append(share, weight)
		}
	}
	r.weights = newWeights(share)
	return r
}

// maxTries for a signature that a build has: without one, it is that which every build has.
const maxTries = 8

// signatureOf draws the signature of a crash of a build in a lane.
func (g *Crashes) signatureOf(s *stream, laneAt int, b *build) int {
	r := &g.rankings[laneAt]
	for range maxTries {
		n := int(r.numbers[r.weights.draw(s)])
		since := g.natures[n].since
		if since == 0 || b.released.Sub(g.calendar.begin).Hours() >= since*float64(g.o.Days)*24 {
			return n
		}
	}
	return commonOOM
}
