package generate

import (
	"strings"

	"aftershock/facts"
	"aftershock/schema"
	"aftershock/stackwalk/analysis"
)

// wrong is an address that crashes are about, with what the instruction tells.
type wrong struct {
	text *string
	dump *analysis.Analysis
	of   facts.Facts
}

// addressesOf each reason there are, of 32 and of 64 bits.
const addressesOf = 96

// addressKey is a reason, and whether addresses have 64 bits.
type addressKey struct {
	reason string
	wide   bool
}

// badAccess tells the reasons of which the address is one that was accessed.
func badAccess(reason string) bool {
	return strings.Contains(reason, "ACCESS") || strings.Contains(reason, "SIGSEGV") || strings.Contains(reason, "SIGBUS") || strings.Contains(reason, "IN_PAGE_ERROR")
}

func (g *Crashes) newAddresses() map[addressKey][]*wrong {
	all := map[addressKey][]*wrong{}
	for like, others := range reasonsElsewhere {
		for _, reason := range []string{like, others[0], others[1]} {
			for _, wide := range []bool{false, true} {
				key := addressKey{reason, wide}
				if all[key] != nil {
					continue
				}
				s := streamOf(g.o.Seed, ofAddress, uint64(len(reason))<<8|uint64(reason[len(reason)-1]))
				for range addressesOf {
					all[key] = append(all[key], g.newAddress(&s, key))
				}
			}
		}
	}
	return all
}

var accessTypes = []analysis.AccessType{analysis.Read, analysis.Read, analysis.Write}

// newAddress is near null for about half of the bad accesses; a few are not canonical, and
// the system then tells another one; the others are anywhere.
func (g *Crashes) newAddress(s *stream, key addressKey) *wrong {
	w := &wrong{dump: &analysis.Analysis{}}
	digits, access := 8, one(s, accessTypes)
	if key.wide {
		digits = 16
	}
	at := uint64(0x7ff6_1000_1000) + s.next()%(1<<30)
	if !key.wide {
		at = 0x0a00_1000 + s.next()%(1<<30)
	}
	if badAccess(key.reason) {
		offset := uint64(8 * s.early(64, 2))
		x := s.unit()
		switch {
		case x < 0.45:
			at = offset
			w.dump.Instruction = "mov rax, [rdi]"
		case x < 0.55: // the register is null, and the access far from it
			at = offset + 0x1_0000
			w.dump.Adjusted = &analysis.Adjusted{Kind: analysis.NullPointer, Address: at}
			w.dump.Instruction = "mov rcx, [rbx+0x10000]"
		case x < 0.65 && key.wide:
			at = 1<<64 - 1
			w.dump.Adjusted = &analysis.Adjusted{Kind: analysis.NonCanonical, Address: 0xe5e5_e5e5_e5e5_e500 + offset}
			w.dump.Instruction = "call [rax+0x18]"
		case x < 0.68:
			w.dump.Inconsistencies = []analysis.Inconsistency{analysis.AccessNotFound}
		}
		w.dump.Accesses = []analysis.Access{{Address: at, Size: 8, Type: access, GuardPage: strings.Contains(key.reason, "OVERFLOW")}}
	}
	if strings.Contains(key.reason, "DIV") && s.chance(0.05) {
		w.dump.Inconsistencies = []analysis.Inconsistency{analysis.IntDivByZeroNotPossible}
	}
	w.text = new(hexWord(at, digits))
	c := &schema.ProcessedCrash{Crash: schema.CrashInfo{Reason: key.reason, Address: w.text}}
	w.of = facts.Derive(facts.Input{Crash: c, Registry: g.registry, Dump: facts.Dump{Analysis: w.dump}})
	return w
}
