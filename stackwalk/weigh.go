package stackwalk

// A scan of version 3 looks scanWordsWeighed words up for a credible return address,
// and scanWords for a doubtful one. On the set of known stacks one frame in four
// hundred is larger.
const scanWordsWeighed = 256

// weighedScan takes the first word that is a credible return address; else the first
// doubtful one nearer by. Where symbols tell how the frame found so is unwound, that
// must lead to code as well.
func (w *walker) weighedScan(callee *activation, from uint64) (candidate, bool) {
	var second candidate
	near, far := scanWords(callee), scanWordsWeighed
	if !w.pushesReturns() {
		far = near // of what their calls leave on the stack less is known
	}
	for i := 0; i < far && w.scanWordsLeft > 0; i++ {
		c, readable := w.wordAt(from, i)
		if !readable || w.start().isAbove(c.at) {
			break
		}
		if w.endsHandler(c) {
			w.scanned = scanned{proven, i}
			return c, true
		}
		if (second.word != 0 || i >= near) && w.misaligned(c.at) {
			continue // at most doubtful, and one such is enough
		}
		g := w.weigh(c, callee.Module)
		if g == doubtful && w.localCall(callee, c) {
			g = credible
		}
		switch {
		case g == refused || g == doubtful && (second.word != 0 || i >= near) || w.refuted(c):
		case g == doubtful:
			second = c
		default:
			w.scanned = scanned{g, i}
			return c, true
		}
	}
	w.scanned = scanned{doubtful, second.index}
	return second, second.word != 0
}

// refuted tells whether symbols say how the frame at a return address is unwound,
// and that leads nowhere.
func (w *walker) refuted(c candidate) bool {
	module, ok := w.moduleAt(c.word - 1)
	if !ok {
		return false
	}
	symbols := w.symbolsOf(module)
	if symbols == nil || symbols.Arch() != w.cpu.arch {
		return false
	}
	row, ok := symbols.CFI(c.word - 1 - w.dump.Modules[module].Base)
	if !ok {
		return false
	}
	// Rules that need more than the stack pointer do not compute.
	w.scratch.Valid, w.probe.Valid = 0, 0
	w.scratch.Set(w.cpu.sp, c.at+uint64(w.cpu.arch.WordBytes()))
	if !row.Rules.Eval(w.cpu.arch, &w.scratch, &w.probe, &w.mem) {
		return false
	}
	next := w.probe.Values[w.cpu.pc]
	return next != 0 && w.codeAt(next-1) == noCode
}

// maxLocalFrames and maxLocalWords bound where localCall holds: in a thread's first
// frames, which are small.
const (
	maxLocalFrames = 3
	maxLocalWords  = 16
)

// localCall tells whether a word may be the return address of a call for which the
// stack was not aligned: compilers leave that out where they know all that the callee
// calls, which is in the same module then, and nothing far.
func (w *walker) localCall(callee *activation, c candidate) bool {
	module, ok := w.moduleAt(c.word - 1)
	return ok && module == callee.Module && len(w.frames) <= maxLocalFrames && c.index < maxLocalWords && w.misaligned(c.at) &&
		c.word%functionAlignment != 0 && w.placeOf(module, c.word) != startOfFunction
}
