package processor

import (
	"context"
	"sync"
	"time"

	"aftershock/minidump"
	"aftershock/stackwalk"
	"aftershock/symbolcache"
)

// Symbols finds the symbol files of one crash's modules.
type Symbols struct {
	// Find asks for a module, and may wait. It is called once for each module that a walk
	// asks for, from several goroutines. The answer is released after the walk.
	Find func(ctx context.Context, key symbolcache.Key) symbolcache.Lookup
	// Known is Find where nothing has to be waited for, else false. Nil knows nothing, and
	// then each module is asked for by itself when the walk comes to it.
	Known func(key symbolcache.Key) (symbolcache.Lookup, bool)
	// FindFile and KnownFile are the same for the modules' own files; nil if nobody has
	// them. Versions of the walk before 3 do not ask.
	FindFile  func(ctx context.Context, key symbolcache.Key) symbolcache.Lookup
	KnownFile func(key symbolcache.Key) (symbolcache.Lookup, bool)
	// Aside runs wait, which only waits for answers of Find, and may let others work
	// meanwhile. Nil just waits.
	Aside func(ctx context.Context, wait func())
	// Budget bounds what is not known.
	Budget Budget
}

// Budget is what one crash may cost in symbols. What it has no room for has the outcome
// Timeout. Zero bounds nothing.
type Budget struct {
	// Modules is how many are asked for.
	Modules int
	// Bytes is how much may be fetched before no further module is asked for.
	Bytes int64
	// Time bounds the waiting, all in all.
	Time time.Duration
}

// DefaultBudget lets a crash behind a source that is silent be finished in time, and asks
// for all that an ordinary crash needs.
var DefaultBudget = Budget{Modules: 256, Bytes: 4 << 30, Time: 10 * time.Second}

const (
	// maxRounds is how often a crash is walked to find out which modules it needs; in the
	// last round they are asked for one by one. Each round asks for all that the walk
	// came to, so that few are enough.
	maxRounds = 8
	// maxAsking is how many modules of a crash are asked for at once.
	maxAsking = 16
)

// asking looks for the symbols of one crash. Where modules' own files are asked for,
// there is a second answer for each module, behind the first ones.
type asking struct {
	Symbols
	ctx     context.Context //nolint:containedctx // that of one walk
	left    time.Duration   // of Budget.Time
	key     func(module int) symbolcache.Key
	version int // the walker's
	modules int // of the dump
	lookups []symbolcache.Lookup
	answers []bool // lookups that hold an answer
	used    []bool // by the last walk
	wanted  []int  // modules without an answer that the last walk came to
	asked   int
	fetched int64
}

// Walk walks the dump with the symbols found, and tells for each of its modules
// what became of looking for them; Unused for those that the walk had no use for.
// The files have been released and are not in the answer.
//
// Which modules a walk comes to depends on their symbols. So it walks with what is
// known, asks for the others that it came to at the same time, and walks again, until
// nothing is missing: the last walk is the one that counts.
func Walk(ctx context.Context, dump *minidump.Dump, symbols Symbols, o stackwalk.Options) (*stackwalk.Result, []symbolcache.Lookup) {
	a := newAsking(ctx, symbols, len(dump.Modules), o.Version, func(i int) symbolcache.Key { return SymbolKey(&dump.Modules[i]) })
	defer a.release() // also when the walk panics: a worker recovers
	o.Interrupted = func() bool { return ctx.Err() != nil }
	for round := 1; ; round++ {
		last := a.Known == nil || round == maxRounds
		a.wanted = a.wanted[:0]
		clear(a.used)
		walk := stackwalk.Walk(dump, func(module int) stackwalk.Symbols { return a.module(module, last) }, o)
		if len(a.wanted) == 0 || ctx.Err() != nil {
			outcomes := a.outcomes()
			tellOtherMappings(dump, outcomes)
			return walk, outcomes
		}
		a.ask()
	}
}

func newAsking(ctx context.Context, symbols Symbols, modules, version int, key func(module int) symbolcache.Key) *asking {
	a := &asking{Symbols: symbols, ctx: ctx, left: symbols.Budget.Time, key: key, version: version, modules: modules}
	answers := modules
	if a.asksFiles() {
		answers = 2 * modules
	}
	a.lookups, a.answers, a.used = make([]symbolcache.Lookup, answers), make([]bool, answers), make([]bool, answers)
	return a
}

func (a *asking) asksFiles() bool { return a.FindFile != nil && (a.version == 0 || a.version >= 3) }

// module is what the walk gets. The module's own file is asked for where there are no
// symbols, or they do not tell how functions are unwound: it may be large, and there
// is nothing else in it that they lack.
func (a *asking) module(i int, now bool) stackwalk.Symbols {
	symbols, ok := a.answer(i, now)
	if !ok {
		return nil
	}
	var file *symbolcache.File
	if a.asksFiles() && (symbols == nil || !symbols.HasCFI()) {
		if file, ok = a.answer(a.modules+i, now); !ok {
			return nil
		}
	}
	switch { // an interface with a nil *symbolcache.File is not nil
	case file == nil && symbols == nil:
		return nil
	case file == nil:
		return symbols
	case symbols == nil:
		return stackwalk.Join(nil, file)
	}
	return stackwalk.Join(symbols, file)
}

// known asks for answer i without waiting.
func (a *asking) known(i int) (symbolcache.Lookup, bool) {
	if i >= a.modules {
		return a.KnownFile(a.key(i - a.modules))
	}
	return a.Known(a.key(i))
}

// answer is the file of answer i, nil if there is none; false if nobody has answered yet.
func (a *asking) answer(i int, now bool) (*symbolcache.File, bool) {
	a.used[i] = true
	if !a.answers[i] && a.Known != nil {
		a.lookups[i], a.answers[i] = a.known(i)
		a.strictly(i)
	}
	if !a.answers[i] && now {
		a.wanted = append(a.wanted, i)
		a.ask()
		a.wanted = a.wanted[:0]
	}
	if !a.answers[i] {
		a.wanted = append(a.wanted, i)
		return nil, false
	}
	return a.lookups[i].File, true
}

// ask asks for what is wanted, within the budget.
func (a *asking) ask() {
	if a.Aside == nil {
		a.find()
	} else {
		a.Aside(a.ctx, a.find)
	}
	for _, i := range a.wanted {
		a.fetched += a.lookups[i].Fetched
		a.strictly(i)
	}
}

// find waits for the answers to what is wanted.
func (a *asking) find() {
	waiting, cancel := a.ctx, func() {}
	if a.Budget.Time > 0 {
		waiting, cancel = context.WithTimeout(a.ctx, a.left)
	}
	defer cancel()
	var all sync.WaitGroup
	slots := make(chan struct{}, maxAsking)
	for _, i := range a.wanted {
		a.answers[i] = true
		if a.spent() || waiting.Err() != nil {
			a.lookups[i] = symbolcache.Lookup{Outcome: symbolcache.Timeout}
			continue
		}
		a.asked++
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if i >= a.modules {
				a.lookups[i] = a.FindFile(waiting, a.key(i-a.modules))
			} else {
				a.lookups[i] = a.Find(waiting, a.key(i))
			}
		})
	}
	all.Wait()
	if until, ok := waiting.Deadline(); ok {
		a.left = time.Until(until)
	}
}

// strictly makes an answer that of version 1, if the walk is of that: it has no symbols of
// a file that minidump-stackwalk refuses.
func (a *asking) strictly(i int) {
	if l := &a.lookups[i]; a.version == 1 && l.File != nil && !l.File.Strict() {
		l.Release()
		*l = symbolcache.Lookup{Outcome: symbolcache.Malformed, Fetched: l.Fetched}
	}
}

// spent tells whether no further module may be asked for.
func (a *asking) spent() bool {
	b := a.Budget
	return b.Modules > 0 && a.asked >= b.Modules || b.Bytes > 0 && a.fetched >= b.Bytes
}

// release gives all files back.
func (a *asking) release() {
	for i := range a.lookups {
		a.lookups[i].Release()
		a.lookups[i].File = nil
	}
}

// outcomes are the answers that the last walk made use of.
func (a *asking) outcomes() []symbolcache.Lookup {
	out := make([]symbolcache.Lookup, a.modules)
	for i := range out {
		out[i].Outcome = symbolcache.Unused
		if a.used[i] && a.answers[i] {
			out[i] = symbolcache.Lookup{Outcome: a.lookups[i].Outcome, SHA256: a.lookups[i].SHA256, URL: a.lookups[i].URL}
		}
	}
	return out
}

// maxMappingChecks bounds the pairs of modules that are compared in a walk: more
// than 500 modules of which 100 were asked for.
const maxMappingChecks = 1 << 16

// tellOtherMappings gives the modules that nobody asked for the answer for
// another mapping of the same file.
func tellOtherMappings(dump *minidump.Dump, symbols []symbolcache.Lookup) {
	var asked []int
	for i := range symbols {
		if symbols[i].Outcome != symbolcache.Unused {
			asked = append(asked, i)
		}
	}
	left := maxMappingChecks
	for i := range symbols {
		if left -= len(asked); left < 0 {
			return
		}
		if symbols[i].Outcome != symbolcache.Unused {
			continue
		}
		for _, j := range asked {
			if dump.Modules[i].SameFile(&dump.Modules[j]) {
				symbols[i] = symbolcache.Lookup{Outcome: symbols[j].Outcome, SHA256: symbols[j].SHA256, URL: symbols[j].URL}
				break
			}
		}
	}
}

// SymbolKey is what a module's symbols are asked for by.
func SymbolKey(m *minidump.Module) symbolcache.Key {
	return symbolcache.Key{DebugFile: m.DebugFile(), DebugID: m.DebugID(), CodeFile: m.CodeFile(), CodeID: m.CodeID()}
}
