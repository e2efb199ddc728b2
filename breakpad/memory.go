package breakpad

import "encoding/binary"

// Memory is one region of a process's memory, a thread's stack as a rule. The
// zero value is empty: nothing can be read from it. Reads never leave the
// region and must fit in it completely.
type Memory struct {
	Base      uint64
	Bytes     []byte
	BigEndian bool
}

// at answers the n bytes at addr, or nil.
func (m *Memory) at(addr, n uint64) []byte {
	off := addr - m.Base
	if addr < m.Base || off > uint64(len(m.Bytes)) || n > uint64(len(m.Bytes))-off {
		return nil
	}
	return m.Bytes[off : off+n]
}

// Holds tells whether the byte at addr is held.
func (m *Memory) Holds(addr uint64) bool { return addr-m.Base < uint64(len(m.Bytes)) }

// Uint32 reads four bytes at addr.
func (m *Memory) Uint32(addr uint64) (uint32, bool) {
	b := m.at(addr, 4)
	if b == nil {
		return 0, false
	}
	if m.BigEndian {
		return binary.BigEndian.Uint32(b), true
	}
	return binary.LittleEndian.Uint32(b), true
}

// Uint64 reads eight bytes at addr.
func (m *Memory) Uint64(addr uint64) (uint64, bool) {
	b := m.at(addr, 8)
	if b == nil {
		return 0, false
	}
	if m.BigEndian {
		return binary.BigEndian.Uint64(b), true
	}
	return binary.LittleEndian.Uint64(b), true
}

// Word reads a pointer of wordBytes (4 or 8) bytes at addr.
func (m *Memory) Word(addr uint64, wordBytes int) (uint64, bool) {
	if wordBytes == 4 {
		v, ok := m.Uint32(addr)
		return uint64(v), ok
	}
	return m.Uint64(addr)
}
