package symbolicate

import (
	"fmt"
	"slices"
	"sync"

	"aftershock/symbolcache"
)

// request is what was asked, in tables over all jobs.
type request struct {
	jobs    []job
	modules []module
	stacks  []extent // in frames
	frames  []frame
	keys    map[symbolcache.Key]int // of lookups
	spans   []span                  // of the job that is read
	ends    []extent                // see scanner
}

type job struct{ modules, stacks extent }

// extent is a part of a table.
type extent struct{ from, to int }

// module is one of a job, with the client's spelling of its names.
type module struct {
	key    symbolcache.Key
	needed bool // a frame is in it
	lookup *lookup
}

// nowhere is the module of a frame that is in none.
const nowhere = -1

// frame is an offset in a module of its job, or an address that is in none.
type frame struct {
	offset uint64
	module int32
	below  bool // the offset is -1, which v4 and v5 take
}

// requests keeps the tables' memory. What they hold stays valid until free.
var requests = sync.Pool{New: func() any { return &request{keys: map[symbolcache.Key]int{}} }}

func (q *request) free() {
	clear(q.modules) // they hold the body, and files
	clear(q.keys)
	q.jobs, q.modules, q.stacks, q.frames, q.spans = q.jobs[:0], q.modules[:0], q.stacks[:0], q.frames[:0], q.spans[:0]
	const frameBytes = 16
	if cap(q.frames) <= keptBytes/frameBytes && cap(q.modules) <= keptBytes/frameBytes/8 {
		requests.Put(q)
	}
}

// tooMany is told for every limit in the words that Eliot has for its one.
func tooMany(what string, limit int) *problem {
	return badRequest(fmt.Sprintf("please limit number of %s in a single request to <= %d", what, limit))
}

// addModule adds one to the last job.
func (q *request) addModule(k symbolcache.Key, l *Limits) *problem {
	if len(q.modules) == l.Modules {
		return tooMany("modules", l.Modules)
	}
	q.modules = append(q.modules, module{key: k})
	return nil
}

// beginStack adds a stack to the last job, addFrame a frame to that.
func (q *request) beginStack(l *Limits) *problem {
	if len(q.stacks) == l.Stacks {
		return tooMany("stacks", l.Stacks)
	}
	q.stacks = append(q.stacks, extent{len(q.frames), len(q.frames)})
	return nil
}

func (q *request) addFrame(f frame, l *Limits) *problem {
	if len(q.frames) == l.Frames {
		return tooMany("frames", l.Frames)
	}
	if f.module != nowhere {
		q.modules[q.jobs[len(q.jobs)-1].modules.from+int(f.module)].needed = true
	}
	q.frames = append(q.frames, f)
	q.stacks[len(q.stacks)-1].to++
	return nil
}

func (q *request) beginJob() {
	q.jobs = append(q.jobs, job{extent{len(q.modules), len(q.modules)}, extent{len(q.stacks), len(q.stacks)}})
}

func (q *request) endJob() {
	j := &q.jobs[len(q.jobs)-1]
	j.modules.to, j.stacks.to = len(q.modules), len(q.stacks)
}

func (q *request) modulesOf(j job) []module { return q.modules[j.modules.from:j.modules.to] }

func (q *request) stacksOf(j job) []extent { return q.stacks[j.stacks.from:j.stacks.to] }

func (q *request) framesOf(stack extent) []frame { return slices.Clip(q.frames[stack.from:stack.to]) }
