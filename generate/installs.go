package generate

import (
	"math"
	"time"
)

// install is a program on somebody's machine.
type install struct {
	number    int
	lane      int
	line      int // among lines
	machine   *machine
	installed time.Time
	lag       time.Duration // until it has an update
	locale    string
}

const (
	// crashOften: the installs that crash often.
	crashOften = 1.4
	// newInstalls of all are made in the window; the others are older, up to oldestInstall.
	newInstalls   = 0.1
	oldestInstall = 700 * day
)

var productShares = newWeights([]float64{orchard: 0.66, tidepool: 0.2, mobile: 0.14})

// laneShares are a product's lanes, lineShares its channels, with what to add to an index.
var laneShares, lineShares = func() (of, channels [len(products)]weights) {
	for product := range products {
		var share, channel []float64
		for _, l := range lanes {
			if l.product == product {
				share = append(share, l.share)
			}
		}
		for _, l := range lines {
			if l.product == product {
				channel = append(channel, l.share)
			}
		}
		of[product], channels[product] = newWeights(share), newWeights(channel)
	}
	return of, channels
}()

var firstLane, firstLine = func() (lane, line [len(products)]int) {
	for i := len(lanes) - 1; i >= 0; i-- {
		lane[lanes[i].product] = i
	}
	for i := len(lines) - 1; i >= 0; i-- {
		line[lines[i].product] = i
	}
	return lane, line
}()

var locales = []string{"en-US", "en-US", "en-US", "en-GB", "de", "fr", "es-ES", "ja", "zh-CN", "zh-TW", "pt-BR", "ru", "pl", "it", "nl", "sv-SE", "ko", "tr", "cs", "uk"}

// install is that of a number: the same in every crash of it.
func (g *Crashes) install(n int) install {
	s := streamOf(g.o.Seed, ofInstall, uint64(n))
	product := productShares.draw(&s)
	in := install{number: n, lane: firstLane[product] + laneShares[product].draw(&s), line: firstLine[product] + lineShares[product].draw(&s)}
	machines := g.machines[lanes[in.lane].platform]
	in.machine = machines[s.early(len(machines), machinePower)]
	if s.chance(newInstalls) {
		in.installed = g.calendar.begin.Add(time.Duration(s.unit() * float64(g.o.Days) * float64(day)))
	} else {
		in.installed = g.calendar.begin.Add(-time.Duration(s.unit() * float64(oldestInstall)))
	}
	in.installed = in.installed.Truncate(time.Second)
	switch x := s.unit(); {
	case x < 0.6:
		in.lag = time.Duration(s.unit() * 2 * float64(day))
	case x < 0.85:
		in.lag = time.Duration(s.unit() * 10 * float64(day))
	default: // never
		in.lag = math.MaxInt64 / 4
	}
	in.locale = one(&s, locales)
	return in
}

// who crashes at a time: of those that are installed by then.
func (g *Crashes) who(s *stream, at time.Time) install {
	for {
		in := g.install(s.early(g.o.Installs, crashOften))
		if in.installed.Before(at) {
			return in
		}
		if g.o.Installs < leastInstalls { // perhaps nobody is
			in.installed = g.calendar.begin.Add(-day)
			return in
		}
	}
}
