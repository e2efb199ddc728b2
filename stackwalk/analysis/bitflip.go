package analysis

import (
	"slices"

	"aftershock/minidump"
)

// BitFlip is an address that would have been fine, one bit away from one that
// was not.
type BitFlip struct {
	Address uint64
	// Register is the one that the bit would have flipped in, "" if it is only
	// known that it flipped in the address.
	Register   string
	Confidence float32 // 0 to 1
	// What speaks for and against it.
	WasNonCanonical bool
	IsNull          bool // null is where it points with the bit flipped back
	WasLow          bool // and it was near null before
	NearbyRegisters int  // that point near the address
	PoisonRegisters bool // some register holds a pattern that marks freed memory
}

// Weights of what speaks for a flip. They multiply as if independent. Parity:
// the numbers are the reference's, which calls them drawn from a hat.
const (
	weightBaseline     = 0.25
	weightNonCanonical = 0.9
	weightNull         = 0.5
	weightLow          = 0.5 // times the one before
	weightPoison       = 0.5 // times all
)

// weightNearby is by how many registers are near, the last for more.
var weightNearby = [...]float32{0, 0.5, 0.55, 0.6, 0.65}

const (
	lowAddress     = 0x2000 // not above it: null pointers with an offset
	nearbyDistance = 0x1000
)

// Bits that may have flipped: with four-level page tables bits from 48 on only
// ever matter to non-canonical addresses.
const (
	addressBits = 48
	wordBits    = 64
)

// bitFlips looks for addresses that differ in one bit and may be accessed.
func (c *crash) bitFlips(out *Analysis) {
	cpu := c.System.CPU
	if cpu.WordBytes() != 8 || cpu == minidump.CPUARM64 || cpu == minidump.CPUUnknown {
		return
	}
	f := flips{crash: c, first: 0, end: wordBits}
	addr := c.addr
	if cpu == minidump.CPUAMD64 {
		f.end = addressBits
	}
	if out.Adjusted != nil {
		if out.Adjusted.Kind == NullPointer {
			return
		}
		addr = out.Adjusted.Address
		f.nonCanonical = true
		f.first, f.end = addressBits, wordBits
	}
	if c.offByOne(addr, out.Accesses) {
		return
	}
	f.try(addr, "")
	for _, name := range c.used {
		f.try(register(c.Exception.Context, name), name)
	}
	out.BitFlips = f.found
}

// offByOne: an access that starts just behind a mapping ran over its end.
func (c *crash) offByOne(addr uint64, list []Access) bool {
	distance, ok := behind(c.memory, addr)
	for _, a := range list {
		if ok && a.Address == addr && distance < uint64(a.Size) {
			return true
		}
	}
	return false
}

type flips struct {
	*crash
	first, end   int
	nonCanonical bool
	found        []BitFlip
}

func (f *flips) fine(addr uint64) bool {
	m, ok := f.memory.At(addr)
	return ok && allows(m, f.reason.violation)
}

// try flips each bit of addr, unless that is fine already.
func (f *flips) try(addr uint64, name string) {
	if f.fine(addr) {
		return
	}
	for bit := f.first; bit < f.end; bit++ {
		flipped := addr ^ 1<<bit
		if flipped == 0 || f.fine(flipped) {
			f.add(addr, flipped, name)
		}
	}
}

func (f *flips) add(addr, flipped uint64, name string) {
	b := BitFlip{Address: flipped, Register: name, WasNonCanonical: f.nonCanonical, IsNull: flipped == 0}
	b.WasLow = b.IsNull && addr <= lowAddress
	if ctx := f.Exception.Context; ctx != nil {
		for i := range ctx.CPU.RegisterNames() {
			v := ctx.Registers[i]
			if !b.IsNull && max(v, flipped)-min(v, flipped) <= nearbyDistance {
				b.NearbyRegisters++
			}
			b.PoisonRegisters = b.PoisonRegisters || isPoison(v)
		}
	}
	b.Confidence = b.confidence()
	f.found = append(f.found, b)
}

func (b *BitFlip) confidence() float32 {
	against := float32(1 - weightBaseline)
	if b.WasNonCanonical {
		against *= 1 - weightNonCanonical
	}
	if b.IsNull {
		w := float32(weightNull)
		if b.WasLow {
			w *= weightLow
		}
		against *= 1 - w
	}
	against *= 1 - weightNearby[min(b.NearbyRegisters, len(weightNearby)-1)]
	if b.PoisonRegisters {
		return (1 - against) * weightPoison
	}
	return 1 - against
}

// poisonBytes are those that allocators fill freed or fresh memory with. A
// pointer read from such memory is no flipped one.
var poisonBytes = []byte{
	0x2b, 0x2d, 0x2f, 0x49, 0x4b, 0x4d, 0x4f, 0x6b, 0x8b, 0x9b, 0x9f, 0xa5, 0xbb, 0xcc, 0xcd, 0xce, 0xdb, 0xe5,
}

// isPoison tells whether all bytes of a word are one of them.
func isPoison(v uint64) bool {
	return v == (v&0xff)*0x0101010101010101 && slices.Contains(poisonBytes, byte(v))
}
