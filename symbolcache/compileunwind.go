package symbolcache

import (
	"encoding/binary"

	"aftershock/breakpad"
)

// cfi tabulates the answers of CFI. All rows share one code section.
func (c *compiler) cfi(addresses []uint32) {
	le := binary.LittleEndian
	sets := map[string]uint64{} // entries → number, from 1
	var (
		open bool
		rows int
		init uint64 // of the run
		last uint64 // number of the rule set in force
		at   uint32 // where it came into force
	)
	row := func(address uint32, set uint64) {
		c.append(sectionCFIRows, uint64(address-at))
		c.append(sectionCFIRows, set)
		rows++
		at, last = address, set
	}
	c.sections[sectionRuleSets] = le.AppendUint32(nil, 0)
	for _, address := range addresses {
		answer, ok := c.file.CFI(uint64(address))
		if !ok {
			if open {
				row(address, 0)
				open = false
			}
			continue
		}
		set, ok := sets[string(answer.Rules.Entries)]
		if !ok {
			set = uint64(len(sets) + 1)
			sets[string(answer.Rules.Entries)] = set
			c.sections[sectionRules] = append(c.sections[sectionRules], answer.Rules.Entries...)
			c.sections[sectionRuleSets] = le.AppendUint32(c.sections[sectionRuleSets], uint32(len(c.sections[sectionRules])))
			c.sections[sectionRuleCode] = answer.Rules.Code
		}
		if open && init == answer.InitRVA && set == last {
			continue
		}
		if !open || init != answer.InitRVA || rows == cfiRunRows {
			c.sections[sectionCFIAddresses] = le.AppendUint32(c.sections[sectionCFIAddresses], address)
			b := le.AppendUint32(c.sections[sectionCFIRuns], uint32(answer.InitRVA))
			c.sections[sectionCFIRuns] = le.AppendUint32(b, uint32(len(c.sections[sectionCFIRows])))
			open, rows, init, at = true, 0, answer.InitRVA, address
		}
		row(address, set)
	}
}

// win copies the STACK WIN records that can be found. Records of equal
// programs share them.
func (c *compiler) win(addresses []uint32) {
	programs := map[string]uint32{}
	for _, kind := range [...]breakpad.WinKind{breakpad.WinFrameData, breakpad.WinFPO} {
		s := winSection(kind)
		for _, address := range addresses {
			w, ok := c.file.Win(uint64(address), kind)
			if !ok || w.RVA != uint64(address) {
				continue
			}
			last := uint32(0)
			if kind == breakpad.WinFrameData {
				last, ok = programs[string(w.Program)]
				if !ok {
					last = uint32(len(c.sections[sectionWinPrograms]))
					programs[string(w.Program)] = last
					c.sections[sectionWinPrograms] = appendText(c.sections[sectionWinPrograms], w.Program)
				}
			} else if w.AllocatesBasePointer {
				last = 1
			}
			for _, v := range [...]uint32{uint32(w.RVA), uint32(w.Size), w.ParameterSize, w.SavedRegisterSize, w.LocalSize, last} {
				c.sections[s] = binary.LittleEndian.AppendUint32(c.sections[s], v)
			}
		}
	}
}

func winSection(kind breakpad.WinKind) section {
	if kind == breakpad.WinFPO {
		return sectionWinFPO
	}
	return sectionWinFrameData
}
