package breakpad

// CFIRow is the STACK CFI rules in force at an address: those of the INIT
// record that covers it with the delta rows up to the address applied.
type CFIRow struct {
	// InitRVA is where the INIT record starts.
	InitRVA uint64
	// Rules is evaluated by [Rules.Eval]. It aliases the symbols.
	Rules Rules
}

// Rules is a compiled set of STACK CFI rules. See compile for the encoding.
// The nil Rules never evaluate.
type Rules []byte
