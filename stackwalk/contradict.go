package stackwalk

// contradicted tells what speaks against a caller: its frame ends outside the stack,
// or what call frame information or a frame pointer leads to is surely no code, or
// not known to be any and nothing goes on from there.
func (w *walker) contradicted(callee, caller *activation) End {
	sp := caller.registers.Values[w.cpu.sp]
	if sp-w.mem.Base > uint64(len(w.mem.Bytes)) {
		return EndStackPointerOutside
	}
	if caller.Trust == TrustScan {
		return ""
	}
	ip := caller.Resume
	v, module := w.codeInDump(ip - 1)
	switch {
	case v == noCode:
		if !w.gone(caller) {
			return EndNotExecutable
		}
	case module < 0 && len(w.mappings) == 0 && !w.nearOutside(ip) && !w.goesOn(caller):
		return EndNotExecutable
	}
	if caller.Trust == TrustFramePointer {
		found := candidate{word: ip, at: sp - uint64(w.cpu.arch.WordBytes())}
		if w.callBefore(ip) == noCode || w.jumpsOver(callee, found) {
			return EndNotExecutable
		}
	}
	return ""
}

// jumpsOver tells whether a credible return address lies below the one that a frame
// pointer leads to, in another module than the callee: that keeps no frame pointer,
// and the one in the register is that of a frame further up.
func (w *walker) jumpsOver(callee *activation, found candidate) bool {
	up, ok := w.moduleAt(found.word - 1)
	if !w.pushesReturns() || !ok || up == callee.Module {
		return false
	}
	sp := callee.registers.Values[w.cpu.sp]
	for i := range scanWordsFar {
		c, ok := w.wordAt(sp, i)
		if !ok || c.at >= found.at {
			return false
		}
		if c.word == found.word || w.weigh(c, callee.Module) < credible || w.refuted(c) {
			continue
		}
		if module, ok := w.moduleAt(c.word - 1); ok && module != callee.Module {
			return true
		}
	}
	return false
}

// goesOn tells whether the frame pointer of a caller in no module leads to a return
// address in one, or in code beside the caller's, further up.
func (w *walker) goesOn(caller *activation) bool {
	if !w.pushesReturns() {
		return false
	}
	register := rbp
	if w.cpu == &x86 {
		register = ebp
	}
	frame, ok := caller.registers.Get(register)
	sp := caller.registers.Values[w.cpu.sp]
	if !ok || frame < sp || frame-sp > maxFrameGap {
		return false
	}
	c, ok := w.wordAt(frame, 1)
	if !ok {
		return false
	}
	if c.word-caller.Resume < nearCode || caller.Resume-c.word < nearCode {
		return true
	}
	_, ok = w.moduleAt(c.word - 1)
	return ok && w.weigh(c, -1) >= credible
}

// goneWords is how far above a return address into a library that is gone the next
// one lies.
const goneWords = 32

// gone tells whether call frame information leads into a library that was closed
// while its functions ran: nothing is mapped there, but the frames above return to
// it as well.
func (w *walker) gone(caller *activation) bool {
	ip, sp := caller.Resume, caller.registers.Values[w.cpu.sp]
	if _, mapped := w.mappings.At(ip); mapped || caller.Trust != TrustCFI || ip < lowestCode || !w.cpu.addressOK(ip) || w.mem.Holds(ip) {
		return false
	}
	for i := range goneWords {
		c, ok := w.wordAt(sp, i)
		if !ok {
			return false
		}
		if c.word != ip && !w.misaligned(c.at) && (c.word-ip < nearCode || ip-c.word < nearCode) {
			w.outside = ip
			return true
		}
	}
	return false
}
