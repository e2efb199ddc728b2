package symbolcache

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// texts is the strings section: texts with their size before them, each once.
// Offset 0 is the empty one.
type texts struct {
	bytes []byte
	// identity knows texts by where breakpad keeps them, which saves hashing.
	identity map[*byte]uint32
	content  map[uint64]uint32 // hash → offset; after a collision at hash+1
	seed     maphash.Seed
}

func newTexts() texts {
	return texts{bytes: []byte{0}, identity: map[*byte]uint32{}, content: map[uint64]uint32{}, seed: maphash.MakeSeed()}
}

// at answers the offset of a text of a breakpad.File, and keeps it if it is new.
func (t *texts) at(text []byte) uint32 {
	if len(text) == 0 {
		return 0
	}
	if at, ok := t.identity[&text[0]]; ok {
		return at
	}
	at := t.find(text)
	t.identity[&text[0]] = at
	return at
}

func (t *texts) find(text []byte) uint32 {
	for hash := maphash.Bytes(t.seed, text); ; hash++ {
		at, ok := t.content[hash]
		if !ok {
			at = uint32(len(t.bytes))
			t.bytes = appendText(t.bytes, text)
			t.content[hash] = at
			return at
		}
		if bytes.Equal(textAt(t.bytes, at), text) {
			return at
		}
	}
}

// appendText appends the text with its size before it.
func appendText(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// textAt is the text at an offset; nil if it does not lie inside b.
func textAt(b []byte, at uint32) []byte {
	if uint64(at) >= uint64(len(b)) {
		return nil
	}
	rest := reader{b: b[at:]}
	size := rest.uvarint()
	if size > uint64(len(rest.b)) {
		return nil
	}
	return rest.b[:size:size]
}

// reader reads numbers. Where they end it answers zero and sets bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := r.b[0]
		r.b = r.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// uint32 reads a number; one that does not fit is bad.
func (r *reader) uint32() uint32 {
	v := r.uvarint()
	if v > 1<<32-1 {
		r.bad = true
	}
	return uint32(v)
}

// difference reads what zigzag wrote.
func (r *reader) difference() uint32 {
	v := r.uint32()
	return v>>1 ^ -(v & 1)
}
