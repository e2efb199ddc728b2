package symbolcache

import (
	"encoding/binary"

	"aftershock/breakpad"
)

// cfiTable collects the rows of STACK CFI.
type cfiTable struct {
	addresses             []uint32 // of rows
	rows                  table
	ruleSets, rules, code []byte
	sets                  map[string]uint32 // entries → number, from 1

	last uint32 // set in force; 0 for none
}

// newCFITable has room for that many rows: tables that grow leave twice their
// size as garbage.
func newCFITable(rows int) *cfiTable {
	return &cfiTable{
		addresses: make([]uint32, 0, rows), rows: newTable(rows * cfiRowSize / 4),
		sets: map[string]uint32{}, ruleSets: make([]byte, 4),
	}
}

// row takes what holds from rva on.
func (t *cfiTable) row(rva uint64, row breakpad.CFIRow, ok bool) {
	set, first := uint32(0), uint32(0)
	if ok {
		set = t.set(row.Rules)
	}
	if row.AtInit {
		first = 1
	}
	if rva > maxRVA || set == t.last && first == 0 {
		return
	}
	t.addresses = append(t.addresses, uint32(rva))
	t.rows.append(uint32(rva), set<<1|first)
	t.last = set
}

// set answers the number of the rules.
func (t *cfiTable) set(rules breakpad.Rules) uint32 {
	set, ok := t.sets[string(rules.Entries)]
	if !ok {
		set = uint32(len(t.sets) + 1)
		t.sets[string(rules.Entries)] = set
		t.rules = append(t.rules, rules.Entries...)
		t.ruleSets = binary.LittleEndian.AppendUint32(t.ruleSets, uint32(len(t.rules)))
		t.code = rules.Code
	}
	return set
}

func (t *cfiTable) write(o *output) {
	o.section(sectionCFIRows, t.rows)
	o.section(sectionCFIIndex, appendAddressIndex(nil, t.addresses, cfiRowsOfPart))
	o.section(sectionRuleSets, t.ruleSets)
	o.section(sectionRules, t.rules)
	o.section(sectionRuleCode, t.code)
}

// writeWin writes the STACK WIN records. Those of equal programs share them.
func writeWin(o *output, file *breakpad.File) {
	programs := map[string]uint32{}
	var texts []byte
	for _, kind := range [...]breakpad.WinKind{breakpad.WinFrameData, breakpad.WinFPO} {
		records := file.WinRecords(kind)
		t := newTable(len(records) * winSize / 4)
		for i := range records {
			w := &records[i]
			last := uint32(0)
			if kind == breakpad.WinFrameData {
				at, ok := programs[string(w.Program)]
				if !ok {
					at = uint32(len(texts))
					programs[string(w.Program)] = at
					texts = appendText(texts, w.Program)
				}
				last = at
			} else if w.AllocatesBasePointer {
				last = 1
			}
			t.append(uint32(w.RVA), uint32(w.Size), w.ParameterSize, w.SavedRegisterSize, w.LocalSize, last)
		}
		o.section(winSection(kind), t)
	}
	o.section(sectionWinPrograms, texts)
}

func winSection(kind breakpad.WinKind) section {
	if kind == breakpad.WinFPO {
		return sectionWinFPO
	}
	return sectionWinFrameData
}
