package symbolcache

import "encoding/binary"

// An address index tells for equal parts of a module how many of some sorted
// addresses lie before each, so that a search starts among a few. It is a
// number of bits, which gives the size of a part, and one count a part and one
// for the end.

// appendAddressIndex appends the index of sorted addresses, with about one part
// for perPart of them.
func appendAddressIndex(b []byte, addresses []uint32, perPart int) []byte {
	if len(addresses) == 0 {
		return b
	}
	last := uint64(addresses[len(addresses)-1])
	shift := 0
	for last>>shift >= uint64(max(len(addresses)/perPart, 1)) {
		shift++
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(shift))
	i := 0
	for part := uint64(0); part <= last>>shift+1; part++ {
		for i < len(addresses) && uint64(addresses[i]) < part<<shift {
			i++
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
	}
	return b
}

// lastAtOrBefore is the index of the last entry of a table whose address is not
// greater than v; -1 without one. Entries start with their address.
func lastAtOrBefore(table []byte, entrySize int, index []byte, v uint32) int {
	le := binary.LittleEndian
	if len(index) < 8 {
		return -1
	}
	count := uint32(len(table) / entrySize)
	part := uint64(v)>>(le.Uint32(index)&63)*4 + 4
	if part+8 > uint64(len(index)) { // behind the last address
		return int(count) - 1
	}
	lo, hi := int(min(le.Uint32(index[part:]), count)), int(min(le.Uint32(index[part+4:]), count))
	return countAtOrBefore(table, entrySize, lo, hi, uint64(v)) - 1
}

// countAtOrBefore is how many entries of a table have addresses that are not greater than v:
// at least lo, and at most hi. Entries start with their address.
func countAtOrBefore(table []byte, entrySize, lo, hi int, v uint64) int {
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if uint64(binary.LittleEndian.Uint32(table[entrySize*mid:])) <= v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
