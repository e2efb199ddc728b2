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
	r := reader{b: b, at: int(at)}
	size := r.uvarint()
	if size > uint64(len(b)-r.at) {
		return nil
	}
	end := r.at + int(size)
	return b[r.at:end:end]
}

// number reads a varint at i and answers where the next one is: behind the end
// of b if there is none at i.
func number(b []byte, i int) (v uint64, next int) {
	if uint(i) < uint(len(b)) {
		if b[i] < 0x80 {
			return uint64(b[i]), i + 1
		}
		if v, n := binary.Uvarint(b[i:]); n > 0 {
			return v, i + n
		}
	}
	return 0, len(b) + 1
}

// reader reads numbers. Where they end it answers zero and sets bad.
type reader struct {
	b   []byte
	at  int // at most len(b) after a read
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, next := number(r.b, r.at)
	if next > len(r.b) {
		r.at, r.bad = len(r.b), true
		return 0
	}
	r.at = next
	return v
}

// uint32 reads a number modulo 2³²: only a damaged file has a larger one.
func (r *reader) uint32() uint32 { return uint32(r.uvarint()) }

// difference reads what zigzag wrote.
func (r *reader) difference() uint32 { return unzigzag(r.uint32()) }

func zigzag(difference uint32) uint64 {
	return uint64(difference<<1 ^ uint32(int32(difference)>>31))
}

func unzigzag(v uint32) uint32 { return v>>1 ^ -(v & 1) }
