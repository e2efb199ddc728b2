package stackwalk

// verdict tells whether an address lies in code, by all that is known.
type verdict uint8

const (
	noCode verdict = iota
	mayBeCode
	isCode
)

const (
	// lastPublicBytes is how far code may at least go on behind the last symbol of
	// a module when that is a PUBLIC one, which has no size: behind it lies data.
	lastPublicBytes = 512
	// lowestCode is where the first code can lie: below it Linux maps nothing
	// (vm.mmap_min_addr), nor does Windows.
	lowestCode = 64 << 10
	// nearCode is how far code reaches around an instruction in no module.
	nearCode = 64 << 10
)

// codeAt weighs what the dump and the symbols say of an address.
func (w *walker) codeAt(addr uint64) verdict {
	v, module := w.codeInDump(addr)
	if v != mayBeCode || module < 0 {
		return v
	}
	symbols := w.symbolsOf(module)
	if symbols == nil {
		return mayBeCode
	}
	rva := addr - w.dump.Modules[module].Base
	if code := w.code[module]; code != nil {
		if code.Executable(rva) {
			return isCode
		}
		return noCode
	}
	if _, ok := symbols.CFI(rva); ok {
		return isCode
	}
	first, ok := symbols.FirstSymbol()
	if !ok || rva < first {
		return mayBeCode
	}
	e, ok := symbols.Extent(rva)
	switch {
	case !ok || !symbols.HasFunction(rva):
		return noCode
	case e.Last && rva-e.Start >= max(lastPublicBytes, (e.Start-first)/uint64(symbols.SymbolCount())):
		return noCode // farther than from one symbol to the next
	case e.Public:
		return mayBeCode
	}
	return isCode
}

// codeInDump weighs what the dump alone says of an address. The module is -1 where
// there is none.
func (w *walker) codeInDump(addr uint64) (v verdict, module int) {
	mapping, mapped := w.mappings.At(addr)
	if mapped && !mapping.Execute || addr < lowestCode || !w.cpu.addressOK(addr) || !mapped && w.mem.Holds(addr) {
		return noCode, -1
	}
	module, ok := w.moduleAt(addr)
	switch {
	case !ok && mapped:
		return isCode, -1 // generated
	case !ok && len(w.mappings) > 0 && !w.nearOutside(addr):
		return noCode, -1
	case !ok:
		return mayBeCode, -1
	}
	return mayBeCode, module
}

// nearOutside tells whether an address lies around code that the walk has met in no
// module: a library that was closed, a program whose modules the dump does not list,
// generated code.
func (w *walker) nearOutside(addr uint64) bool {
	return w.outside != 0 && (addr-w.outside < nearCode || w.outside-addr < nearCode)
}

// meet notes where a frame's code lies, if that is in no module.
func (w *walker) meet(f *Frame) {
	if w.weighs && f.Module < 0 {
		if v, _ := w.codeInDump(f.Resume); v != noCode {
			w.outside = f.Resume
		}
	}
}
