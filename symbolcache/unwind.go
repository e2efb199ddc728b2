package symbolcache

import (
	"encoding/binary"

	"aftershock/breakpad"
)

// CFI is the STACK CFI row in force at rva. It does not allocate; the row
// aliases the file.
func (f *File) CFI(rva uint64) (breakpad.CFIRow, bool) {
	if rva > maxRVA {
		return breakpad.CFIRow{}, false
	}
	rows := f.sections[sectionCFIRows]
	i := lastAtOrBefore(rows, cfiRowSize, f.sections[sectionCFIIndex], uint32(rva))
	if i < 0 {
		return breakpad.CFIRow{}, false
	}
	row := binary.LittleEndian.Uint64(rows[i*cfiRowSize:])
	set, sets := row>>33, f.sections[sectionRuleSets]
	if set == 0 || set >= uint64(len(sets)/4) {
		return breakpad.CFIRow{}, false
	}
	return breakpad.CFIRow{
		AtInit: row>>32&1 != 0 && row&maxRVA == rva,
		Rules:  breakpad.Rules{Entries: part(f.sections[sectionRules], sets, 4, int(set-1), 0), Code: f.sections[sectionRuleCode]},
	}, true
}

// HasCFI tells whether there is any STACK CFI record.
func (f *File) HasCFI() bool { return len(f.sections[sectionCFIRows]) > 0 }

// CFIStart is where the STACK CFI INIT record starts that covers rva.
func (f *File) CFIStart(rva uint64) (start uint64, ok bool) {
	if rva > maxRVA {
		return 0, false
	}
	rows := f.sections[sectionCFIRows]
	for i := lastAtOrBefore(rows, cfiRowSize, f.sections[sectionCFIIndex], uint32(rva)); i >= 0; i-- {
		row := binary.LittleEndian.Uint64(rows[i*cfiRowSize:])
		switch {
		case row>>33 == 0:
			return 0, false
		case row>>32&1 != 0:
			return row & maxRVA, true
		}
	}
	return 0, false
}

// Win is the STACK WIN record of the kind that covers rva. It does not
// allocate; the program aliases the file.
func (f *File) Win(rva uint64, kind breakpad.WinKind) (breakpad.WinRecord, bool) {
	le := binary.LittleEndian
	records := f.sections[winSection(kind)]
	n := countAtOrBefore(records, winSize, 0, len(records)/winSize, rva)
	if n == 0 {
		return breakpad.WinRecord{}, false
	}
	b := records[(n-1)*winSize:][:winSize]
	w := breakpad.WinRecord{
		Kind: kind, RVA: uint64(le.Uint32(b)), Size: uint64(le.Uint32(b[4:])),
		ParameterSize: le.Uint32(b[8:]), SavedRegisterSize: le.Uint32(b[12:]), LocalSize: le.Uint32(b[16:]),
	}
	if rva-w.RVA >= w.Size {
		return breakpad.WinRecord{}, false
	}
	if last := le.Uint32(b[20:]); kind == breakpad.WinFPO {
		w.AllocatesBasePointer = last != 0
	} else {
		w.Program = breakpad.WinProgram(textAt(f.sections[sectionWinPrograms], last))
	}
	return w, true
}

// part is what entry i of a table owns of bytes: from the offset that the
// table has there to the one of the next entry, or the end of bytes. It is nil
// where they do not fit. field is where the offset stands in an entry.
func part(bytes, table []byte, entrySize, i, field int) []byte {
	start, end := uint64(binary.LittleEndian.Uint32(table[i*entrySize+field:])), uint64(len(bytes))
	if next := (i+1)*entrySize + field; next < len(table) {
		end = uint64(binary.LittleEndian.Uint32(table[next:]))
	}
	if start > end || end > uint64(len(bytes)) {
		return nil
	}
	return bytes[start:end:end]
}
