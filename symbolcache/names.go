package symbolcache

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// names holds the names of a text, each once, in the order in which they are
// first seen. Those of large C++ programs are most of what a compiler holds:
// memory grows by chunks, which are never copied.
type names struct {
	chunks [][]byte
	list   []name
	slots  []uint32 // open addressing: index in list + 1, by hash
	seed   maphash.Seed
	full   bool // a name had no room
	meter  *meter
}

// name is where the bytes of a name are: chunk and offset in one number.
type name struct{ at, size, hash uint32 }

const (
	chunkBits = 20 // a chunk has room for several of the longest names
	chunkSize = 1 << chunkBits
	maxChunks = 1 << (32 - chunkBits)
)

func newNames() *names {
	return &names{slots: make([]uint32, 1<<10), seed: maphash.MakeSeed()}
}

func (n *names) text(i uint32) []byte {
	e := &n.list[i]
	at := e.at & (chunkSize - 1)
	return n.chunks[e.at>>chunkBits][at : at+e.size]
}

// number answers the number of a name, and keeps it if it is new.
func (n *names) number(text []byte) uint32 {
	hash := uint32(maphash.Bytes(n.seed, text))
	mask := uint32(len(n.slots) - 1)
	at := hash & mask
	for ; n.slots[at] != 0; at = (at + 1) & mask {
		i := n.slots[at] - 1
		if e := &n.list[i]; e.hash == hash && int(e.size) == len(text) && bytes.Equal(n.text(i), text) {
			return i
		}
	}
	n.meter.hold(nameBytes + len(text))
	place, ok := n.keep(text)
	if !ok {
		n.full = true
		return 0
	}
	if len(n.list) == cap(n.list) {
		// append would grow by a quarter, and leave five times the size as garbage.
		n.list = slices.Grow(n.list, max(len(n.list), 64))
	}
	n.list = append(n.list, name{place, uint32(len(text)), hash})
	n.slots[at] = uint32(len(n.list))
	if len(n.list) > len(n.slots)/2 {
		n.grow()
	}
	return uint32(len(n.list) - 1)
}

func (n *names) grow() {
	n.slots = make([]uint32, 2*len(n.slots))
	mask := uint32(len(n.slots) - 1)
	for i, e := range n.list {
		at := e.hash & mask
		for n.slots[at] != 0 {
			at = (at + 1) & mask
		}
		n.slots[at] = uint32(i + 1)
	}
}

// keep copies text and answers where it is.
func (n *names) keep(text []byte) (at uint32, ok bool) {
	last := len(n.chunks) - 1
	if last < 0 || chunkSize-len(n.chunks[last]) < len(text) {
		if last++; last == maxChunks {
			return 0, false
		}
		n.chunks = append(n.chunks, make([]byte, 0, chunkSize))
	}
	at = uint32(last)<<chunkBits | uint32(len(n.chunks[last]))
	n.chunks[last] = append(n.chunks[last], text...)
	return at, true
}

// A name is written as the start of a name before it, in their sorted order,
// and the rest. What is shared is always with a name that is written whole, so
// that reading one takes two pieces.
const (
	// minShared is what a name must have in common with the last whole one.
	minShared = 16
	// A name that has this much more in common with the one after it than with
	// the last whole one is written whole: others will share its start.
	sharedPart, sharedWhole = 7, 10
)

// sorted answers the numbers of the names in the order of the names.
func (n *names) sorted() []uint32 {
	order := make([]uint32, len(n.list))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return bytes.Compare(n.text(a), n.text(b)) })
	return order
}

// spellings lays out the section of names in this order, and answers where each
// name is, by its number.
func (n *names) spellings(order []uint32) []spelling {
	out := make([]spelling, len(order))
	var (
		whole   []byte
		wholeAt uint32
		end     uint32
	)
	for i, number := range order {
		text := n.text(number)
		shared := common(whole, text)
		next := 0
		if i+1 < len(order) {
			next = common(text, n.text(order[i+1]))
		}
		if shared < minShared || shared*sharedWhole < next*sharedPart {
			whole, wholeAt, shared = text, end, 0
		}
		rest := uint32(len(text) - shared)
		out[number] = spelling{wholeAt, uint32(shared), end, rest}
		end += rest
	}
	return out
}

// write writes the section of names.
func (n *names) write(o *output, order []uint32, spellings []spelling) {
	o.section(sectionNames, nil)
	for _, number := range order {
		o.append(n.text(number)[spellings[number].shared:])
	}
}

// common is how many bytes a and b start with in common.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+8 <= n && binary.LittleEndian.Uint64(a[i:]) == binary.LittleEndian.Uint64(b[i:]) {
		i += 8
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}
