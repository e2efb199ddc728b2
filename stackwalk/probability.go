package stackwalk

// scanned is what a scan found: how much it looks like a return address, and how many
// words were passed over.
type scanned struct {
	grade grade
	index int
}

// Probabilities of frames, from how many are true on the set of known stacks in all
// its conditions of symbols, with modules' own files and without: 28,000 frames. With
// those of one half of its programs the shares of the other half's are met within
// five points where there are more than 300 of a kind. script/truth -calibration
// compares them.
const (
	surely = 0.998 // by call frame information, and the code that a signal interrupted

	// After a scan the registers are less sure.
	cfiAfterScan          = 0.98
	framePointer          = 0.99
	framePointerElsewhere = 0.95 // where the callee is found otherwise

	scannedDoubtful = 0.18
	scannedFar      = 0.55 // farther than farWords
	scannedNext     = 0.96 // the first word

	farWords = 32
)

// scannedShares are those of other words that scans find, by grade: where the dump
// tells which memory is executable, and where it does not; first those that are found
// from a thread's registers.
var scannedShares = map[grade]struct{ first, mapped, unmapped float64 }{
	credible: {0.94, 0.83, 0.70},
	placed:   {0.91, 0.92, 0.85},
	proven:   {0.82, 0.82, 0.95},
}

// probability is how likely a caller is true, by how it was found.
func (w *walker) probability(callee, caller *activation) float64 {
	switch caller.Trust {
	case TrustCFI:
		if callee.Trust == TrustScan {
			return cfiAfterScan
		}
		return surely
	case TrustFramePointer:
		if callee.Trust == TrustScan || callee.Trust == TrustCFI {
			return framePointerElsewhere
		}
		return framePointer
	default: // by a scan
	}
	share, known := scannedShares[w.scanned.grade]
	switch {
	case !known:
		return scannedDoubtful
	case w.scanned.index >= farWords:
		return scannedFar
	case w.scanned.index == 0:
		return scannedNext
	case callee.Trust == TrustContext:
		return share.first
	case len(w.mappings) > 0:
		return share.mapped
	}
	return share.unmapped
}
