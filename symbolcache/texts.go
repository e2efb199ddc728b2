package symbolcache

import "encoding/binary"

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

// zigzag and unzigzag make small numbers of small differences of either sign,
// modulo 2³².
func zigzag(difference uint32) uint64 {
	return uint64(difference<<1 ^ uint32(int32(difference)>>31))
}

func unzigzag(v uint32) uint32 { return v>>1 ^ -(v & 1) }
