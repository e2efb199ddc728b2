package symbolcache

import (
	"encoding/binary"

	"aftershock/breakpad"
)

// cfiTable collects the rows of STACK CFI. All rows share one code section.
type cfiTable struct {
	addresses             []uint32 // of runs
	runs                  table
	rows                  []byte
	ruleSets, rules, code []byte
	sets                  map[string]uint32 // entries → number, from 1

	open bool // a row is in force
	size int  // rows of the run
	init uint64
	last uint32 // set in force
	at   uint64 // where it came into force
}

// row takes what holds from rva on.
func (t *cfiTable) row(rva uint64, row breakpad.CFIRow, ok bool) {
	if !ok {
		if rva <= maxRVA {
			t.append(rva, 0)
		}
		t.open = false
		return
	}
	set := t.set(row.Rules)
	if t.open && t.init == row.InitRVA && set == t.last {
		return
	}
	if !t.open || t.init != row.InitRVA || t.size == cfiRunRows {
		t.addresses = append(t.addresses, uint32(rva))
		t.runs.append(uint32(rva), uint32(row.InitRVA), uint32(len(t.rows)))
		t.open, t.size, t.init, t.at = true, 0, row.InitRVA, rva
	}
	t.append(rva, set)
}

func (t *cfiTable) append(rva uint64, set uint32) {
	t.rows = binary.AppendUvarint(t.rows, rva-t.at)
	t.rows = binary.AppendUvarint(t.rows, uint64(set))
	t.size++
	t.at, t.last = rva, set
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
	o.section(sectionCFIRuns, t.runs)
	o.section(sectionCFIIndex, appendAddressIndex(nil, t.addresses))
	o.section(sectionCFIRows, t.rows)
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
