package breakpad

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// win reads "STACK WIN type rva size prolog epilog parameters saved_registers
// locals max_stack has_program rest". Records of other types, and those whose
// type does not go with has_program, are left out.
func (p *parser) win(f *fields) bool {
	kind := f.token()
	w := WinRecord{RVA: f.rva(), Size: f.hex(8)}
	f.hex32() // prolog
	f.hex32() // epilog
	w.ParameterSize, w.SavedRegisterSize, w.LocalSize = f.hex32(), f.hex32(), f.hex32()
	f.hex32() // max_stack
	hasProgram := f.hex32() != 0
	if f.bad || len(kind) != 1 {
		return false
	}
	rest := f.name()
	p.sink.Unwind(winRecordBytes)
	switch {
	case kind[0] == '4' && hasProgram:
		w.Kind = WinFrameData
		w.Program = p.winProgram(rest)
		p.file.framedata = appendWin(p.file.framedata, w)
	case kind[0] == '0' && !hasProgram:
		w.Kind = WinFPO
		w.AllocatesBasePointer = string(bytes.TrimSpace(rest)) == "1"
		p.file.fpo = appendWin(p.file.fpo, w)
	}
	return true
}

// appendWin adds a record after resolving its overlap with the one read before.
// Parity: of two that overlap, the earlier one in the file is cut where a later
// one starts inside it; else the later one is left out, unless they are equal.
func appendWin(records []WinRecord, w WinRecord) []WinRecord {
	if w.Size == 0 {
		return records
	}
	if n := len(records); n > 0 {
		last := &records[n-1]
		overlap := w.RVA < last.RVA+last.Size && last.RVA < w.RVA+w.Size
		switch {
		case !overlap:
		case w.RVA > last.RVA:
			last.Size = w.RVA - last.RVA
		case w.RVA != last.RVA || w.Size != last.Size:
			return records
		}
	}
	return append(records, w)
}

// winProgram compiles a program; equal texts share one.
func (p *parser) winProgram(text []byte) WinProgram {
	if program, ok := p.winPrograms[string(text)]; ok {
		return program
	}
	p.sink.Unwind(winProgramSize + 2*len(text))
	program := compileWin(text)
	p.winPrograms[string(text)] = program
	return program
}

var winVariables = [...]string{
	X86EIP: "$eip", X86ESP: "$esp", X86EBP: "$ebp", X86EBX: "$ebx", X86ESI: "$esi", X86EDI: "$edi",
	winParams: ".cbParams", winCalleeParams: ".cbCalleeParams", winSavedRegs: ".cbSavedRegs", winLocals: ".cbLocals",
	winRASearch: ".raSearch", winRASearchStart: ".raSearchStart",
}

// compileWin compiles a STACK WIN program. MSVC 2010 sometimes leaves the
// blank after '=' out.
func compileWin(text []byte) WinProgram {
	program := WinProgram{0}
	if bytes.IndexByte(text, '@') >= 0 {
		program[0] = winAligns
	}
	var temporaries []string
	tokens := 0
	for _, token := range bytes.Fields(text) {
		if rest, ok := bytes.CutPrefix(token, []byte("=")); ok {
			program = append(program, opAssign)
			if token = rest; len(token) == 0 {
				continue
			}
		}
		if tokens++; tokens > maxProgramTokens {
			return append(program[:1], opFail)
		}
		program, temporaries = compileWinToken(program, temporaries, token)
	}
	return program
}

func compileWinToken(program WinProgram, temporaries []string, token []byte) (WinProgram, []string) {
	if op := operator(token); op != opFail {
		return append(program, op), temporaries
	}
	if string(token) == ".undef" {
		return append(program, opUndefined), temporaries
	}
	if token[0] != '$' && token[0] != '.' {
		v, err := strconv.ParseInt(string(token), 10, 32)
		if err != nil {
			return append(program, opFail), temporaries
		}
		return binary.AppendVarint(append(program, opConstant), v), temporaries
	}
	for i, name := range winVariables {
		if name == string(token) {
			return append(program, opVariable, byte(i)), temporaries
		}
	}
	for i, name := range temporaries {
		if name == string(token) {
			return append(program, opVariable, byte(winFirstTemporary+i)), temporaries
		}
	}
	index := winFirstTemporary + len(temporaries)
	if index >= maxProgramVariables {
		return append(program, opFail), temporaries
	}
	return append(program, opVariable, byte(index)), append(temporaries, string(token))
}
