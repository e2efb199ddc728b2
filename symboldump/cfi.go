package symboldump

import (
	"strconv"
)

// cfiWriter writes frame entries as STACK CFI records.
type cfiWriter struct {
	out     *output
	section *frameSection
	names   registers
	report  *Report

	// The INIT record that is being made: where it starts, its rules, the records
	// after it, and the state that they say.
	open   bool
	start  uint64
	init   []byte
	deltas []byte
	said   unwindState
	ra     uint64

	texts map[expressionOf]expressionText // of expressions that rows have had lately
}

// expressionOf is an expression of the section, and what lies on its stack at first.
type expressionOf struct {
	rule    rule
	initial string
}

type expressionText struct {
	text string
	ok   bool
}

// writeFrames writes the records of a section and collects the ranges of signal
// frames.
func (f *File) writeFrames(t *frameSection, out *output, report *Report) {
	w := &cfiWriter{out: out, section: t, names: registersOf[f.module.Arch], report: report}
	if len(w.names.names) == 0 {
		return
	}
	t.each(func(e *fde) bool {
		w.entry(e)
		return out.err == nil
	})
}

// entry writes one FDE. Where its CFA or return address cannot be said there is
// no record.
func (w *cfiWriter) entry(e *fde) {
	f := w.section.file
	rva, ok := f.rva(e.start)
	switch {
	case e.end == e.start:
		return
	case !ok || e.end-f.load > maxRVA+1:
		w.report.drop(AddressRange)
		return
	case !f.inCode(rva):
		w.report.drop(FDEOutside)
		return
	}
	w.ra = e.cie.ra
	m := unwindMachine{section: w.section, fde: e, state: e.cie.start}
	if !m.run(w.row) {
		w.report.drop(FDEDamaged)
		w.close(m.loc)
		return
	}
	w.close(e.end)
}

// row writes the rules in force from an address on.
func (w *cfiWriter) row(state *unwindState, from, _ uint64) {
	if w.out.err != nil {
		return
	}
	if len(w.init)+len(w.deltas) > maxRecordText {
		w.close(from)
	}
	cfa, ok := w.cfa(state.cfa)
	if !ok {
		w.report.drop(CFAUnsaid)
		w.close(from)
		return
	}
	ra, ok := w.returnAddress(state.rules[w.ra])
	if !ok {
		w.report.drop(RAUnsaid)
		w.close(from)
		return
	}
	first := !w.open
	if first {
		w.open, w.start = true, from
		w.init, w.deltas = w.init[:0], w.deltas[:0]
		w.said = unwindState{}
	} else if w.said == *state {
		return
	}
	line := w.deltas
	if first {
		line = w.init
	} else {
		line = append(line, "STACK CFI "...)
		line = strconv.AppendUint(line, from-w.section.file.load, 16)
	}
	if first || w.said.cfa != state.cfa {
		line = append(append(line, " .cfa: "...), cfa...)
	}
	if first || w.said.rules[w.ra] != state.rules[w.ra] {
		line = append(append(line, " .ra: "...), ra...)
	}
	for i, name := range w.names.names {
		if uint64(i) != w.ra && name != "" && w.said.rules[i] != state.rules[i] {
			line = w.register(line, name, state.rules[i])
		}
	}
	if first {
		w.init = line
	} else {
		line = append(line, '\n')
		w.deltas = line
	}
	w.said = *state
}

// close ends the INIT record before an address and writes it.
func (w *cfiWriter) close(end uint64) {
	if !w.open {
		return
	}
	w.open = false
	if end <= w.start {
		return
	}
	w.report.CFI++
	w.out.text("STACK CFI INIT ")
	w.out.hex(w.start - w.section.file.load)
	w.out.text(" ")
	w.out.hex(end - w.start)
	w.out.write(w.init)
	w.out.text("\n")
	w.out.write(w.deltas)
}

func (w *cfiWriter) cfa(r rule) (string, bool) {
	switch r.kind {
	case ruleRegister:
		name := w.names.name(uint64(r.register))
		return name + " " + strconv.FormatInt(r.value, 10) + " +", name != ""
	case ruleExpression:
		return w.expression(r, "")
	default:
		return "", false
	}
}

// returnAddress is the rule for it. Where it is said that there is none the stack
// ends, which a return address of 0 tells every walker.
func (w *cfiWriter) returnAddress(r rule) (string, bool) {
	switch {
	case r.kind == ruleUndefined:
		return "0", true
	case r.kind == ruleUnset && w.names.inRegister, r.kind == ruleSame:
		name := w.names.name(w.ra)
		return name, name != ""
	}
	return w.value(r)
}

// register appends the rule of another register. One that has lost its rule has
// the value that it has in the callee.
func (w *cfiWriter) register(line []byte, name string, r rule) []byte {
	text, ok := w.value(r)
	switch {
	case r.kind == ruleUnset, r.kind == ruleSame:
		text = name
	case !ok:
		w.report.drop(RegisterUnsaid)
		text = ".undef"
	}
	line = append(append(append(line, ' '), name...), ": "...)
	return append(line, text...)
}

func (w *cfiWriter) value(r rule) (string, bool) {
	switch r.kind {
	case ruleOffset:
		return ".cfa " + strconv.FormatInt(r.value, 10) + " + ^", true
	case ruleValOffset:
		return ".cfa " + strconv.FormatInt(r.value, 10) + " +", true
	case ruleRegister:
		name := w.names.name(uint64(r.register))
		return name, name != ""
	case ruleExpression:
		text, ok := w.expression(r, ".cfa")
		return text + " ^", ok
	case ruleValExpression:
		return w.expression(r, ".cfa")
	default:
		return "", false
	}
}

func (w *cfiWriter) expression(r rule, initial string) (string, bool) {
	key := expressionOf{r, initial}
	if known, ok := w.texts[key]; ok {
		return known.text, known.ok
	}
	e := w.section.file.reader(w.section.data)
	e.seek(uint64(r.value))
	text, ok := postfix(e.part(uint64(r.length)), w.names, w.section.file.wordBytes, initial)
	if len(w.texts) >= maxExpressions || w.texts == nil {
		w.texts = map[expressionOf]expressionText{}
	}
	w.texts[key] = expressionText{text, ok}
	return text, ok
}
