// Package analysis examines the instruction that a thread crashed at: what
// memory it touched, which address the crash was really about when the system
// does not tell, whether a flipped bit explains it, and whether what the system
// reports fits the instruction at all.
//
// The entry point is [Analyze]. Instructions of amd64 are decoded and, for what
// they touch and where they go, those of arm64; bit flips are looked for on every
// 64-bit CPU but arm64, whose pointers carry other bits.
// What it concludes are hints with a confidence, not proofs: flipped bits are how
// broken memory shows among thousands of crashes.
//
// Rules and weights are minidump-stackwalk 0.27's; comments mark with "parity"
// what one would not choose. Analyze is pure and its work is bounded: one
// instruction, and 64 bits of a handful of addresses.
package analysis
