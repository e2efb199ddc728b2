package stackwalk

// Doubt tells why a frame's name may be wrong.
type Doubt uint8

// The reasons. Only names of PUBLIC symbols are doubted, which have no end: an address
// has the name of the nearest one before it.
const (
	NoDoubt Doubt = iota
	// DoubtPublic: the symbol starts so far below that a function without one may lie
	// between.
	DoubtPublic
	// DoubtOther: call frame information tells that another function lies there.
	DoubtOther
)

// String is the stable code of a reason, empty for none.
func (d Doubt) String() string {
	switch d {
	case DoubtPublic:
		return "public"
	case DoubtOther:
		return "other_function"
	default:
		return ""
	}
}

// publicReach is how far behind a PUBLIC symbol its name is believed. Of glibc's code 94
// to 100 % less than 64 bytes behind a symbol has its name and 90 % of that up to 128,
// of node's (99 MB) 98 %; farther ones are more often wrong than right in small
// libraries from 256 bytes on (script/publics has the curve of any file).
const publicReach = 96

// doubtOf doubts the name of a PUBLIC symbol at an address of its module.
func doubtOf(symbols Symbols, start, rva uint64) Doubt {
	if begins, ok := symbols.CFIStart(rva); ok {
		if begins > start {
			return DoubtOther
		}
		return NoDoubt
	}
	if rva-start >= publicReach {
		return DoubtPublic
	}
	return NoDoubt
}
