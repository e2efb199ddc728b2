// Package generate makes processed crashes that look like those of three products in the
// field, as many as are wanted: for demonstrations, for measurements, and for tests that
// compare a table with the crashes that went into it. START HERE.
//
// New takes Options; Crashes.At gives the crash of a number. It is a pure function of the
// options and the number, so that ranges can be made in parallel and anything can be made
// again. Crashes come in the order of the time they were received.
//
// A crash is put together of parts, each with a file: when it came (calendar), from whose
// install (installs) on what machine (systems) with which build (builds), its signature
// (signatures) with the stack that gives it its name (template, places), made like the stacks of
// the sample crashes (stacks), the modules (modules), the address (addresses), texts of users
// (texts). What package facts derives of a part is derived once and put together in facts.go;
// the signature is what the shipped ruleset makes of the stack. So neither contradicts the
// rest, which tests hold.
//
// Nothing of a person is in them. What stands for such holds Marker.
package generate

import (
	"iter"
	"sync/atomic"

	"aftershock/schema"
	"aftershock/signature"
)

// RawTopic is the topic of the raw positions: there is none of that name, and so generated
// crashes can be told from others.
const RawTopic = "crash.generated"

// Partitions of the positions: crash i is in partition i modulo Partitions.
const Partitions = 12

// Crashes are those of some Options. They are safe for concurrent use.
type Crashes struct {
	o            Options
	registry     *schema.Registry
	ruleset      *signature.Ruleset
	registryHash string
	rulesetHash  string

	calendar    *calendar
	builds      [][]*build // by line
	machines    [platforms][]*machine
	lanes       []*lane
	natures     []nature
	rankings    []ranking // by lane
	addresses   map[addressKey][]*wrong
	addonLists  []derived
	crumbLists  []derived
	processes   []process
	processDraw weights

	templates []atomic.Pointer[template]
	sets      []atomic.Pointer[moduleSet]
}

// New prepares the crashes of some options.
func New(options Options) (*Crashes, error) {
	o, err := options.filled()
	if err != nil {
		return nil, err
	}
	g := &Crashes{
		o: o, registry: schema.DefaultRegistry, ruleset: signature.Default(), calendar: newCalendar(o),
		natures:   make([]nature, o.Signatures),
		templates: make([]atomic.Pointer[template], max(o.Signatures, common)*len(lanes)*variants),
	}
	g.registryHash, g.rulesetHash = g.registry.Hash(), g.ruleset.Hash()
	g.builds = newBuilds(g.calendar.begin, o.Days, g.registry)
	last := g.builds[len(lines)-1]
	g.sets = make([]atomic.Pointer[moduleSet], (last[len(last)-1].number+1)*len(releases))
	g.machines = newMachines(g.registry)
	for n := range g.natures {
		g.natures[n] = g.natureOf(n)
	}
	for i := range lanes {
		l := newLane(i)
		g.lanes, g.rankings = append(g.lanes, l), append(g.rankings, g.newRanking(l))
	}
	g.addresses = g.newAddresses()
	g.addonLists, g.crumbLists, g.processes = g.newAddonLists(), g.newCrumbLists(), g.newProcesses()
	var share []float64
	for i := range g.processes {
		share = append(share, g.processes[i].share)
	}
	g.processDraw = newWeights(share)
	return g, nil
}

// Options are those of New with their defaults filled in.
func (g *Crashes) Options() Options { return g.o }

// Len is how many there are.
func (g *Crashes) Len() int { return g.o.Count }

// All gives every crash in order.
func (g *Crashes) All() iter.Seq[*schema.ProcessedCrash] {
	return func(yield func(*schema.ProcessedCrash) bool) {
		for i := range g.o.Count {
			if !yield(g.At(i)) {
				return
			}
		}
	}
}

// At is the crash of a number from 0 to Len-1: the same each time, which is a crash that was
// sent again. Crashes share texts, modules and frames of threads that did not crash: nobody
// may change them in place.
func (g *Crashes) At(i int) *schema.ProcessedCrash { return g.crash(i, turn{}) }

// Position is where a crash's record lies in the topic of processed crashes, as if a
// processor had written them in order.
func (g *Crashes) Position(i int) schema.Position {
	return schema.Position{Topic: schema.ProcessedTopic(g.o.SignatureVersion), Partition: int32(i % Partitions), Offset: int64(i / Partitions)}
}
