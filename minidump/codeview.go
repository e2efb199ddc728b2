package minidump

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"

	"aftershock/internal/cursor"
)

// Signatures of CodeView records: a PDB 7.0 reference, a PDB 2.0 reference,
// and Breakpad's record with the build id of an ELF file.
const (
	codeViewPDB70 = 0x53445352 // "RSDS"
	codeViewPDB20 = 0x3031424e // "NB10"
	codeViewELF   = 0x4270454c // "BpEL"
)

// codeView is the CodeView record of a module. The zero one stands for a module
// without one, or with one that cannot be read.
type codeView struct {
	signature uint32
	id        []byte // a GUID, four bytes of a PDB 2.0, or a build id of any size
	age       uint32
	file      []byte // of the PDB
}

// readCodeView answers false when there is a record that cannot be read.
func (d *Dump) readCodeView(loc location) (codeView, bool) {
	if loc.size == 0 {
		return codeView{}, true
	}
	data := d.bytesOf(loc)
	if data == nil || len(data) > maxCodeViewBytes {
		return codeView{}, false
	}
	c := cursor.New(data, d.order)
	v := codeView{signature: c.U32()}
	switch v.signature {
	case codeViewPDB70:
		v.id, v.age = c.Bytes(16), c.U32()
		v.file = c.Bytes(uint64(c.Len()))
	case codeViewPDB20:
		c.Skip(4) // offset
		v.id, v.age = c.Bytes(4), c.U32()
		v.file = c.Bytes(uint64(c.Len()))
	case codeViewELF:
		v.id = c.Bytes(uint64(c.Len()))
	default:
		return codeView{}, false
	}
	if c.Err() != nil {
		return codeView{}, false
	}
	return v, true
}

// DebugFile is the PDB's path, for ELF and Mach-O the file's own. It is "" when
// the module has no CodeView record, and in some that name no file.
func (m *Module) DebugFile() string {
	if m.codeView.signature == codeViewELF {
		return m.CodeFile()
	}
	file := m.codeView.file
	if i := bytes.IndexByte(file, 0); i >= 0 {
		file = file[:i]
	}
	return utf8Text(file)
}

// DebugID identifies the symbols: 32 upper-case hex digits and the age in
// lower-case hex. "" when unknown.
func (m *Module) DebugID() string {
	var buf [40]byte
	switch v := &m.codeView; v.signature {
	case codeViewPDB70:
		if !allZero(v.id) {
			return string(appendHex(appendGUID(buf[:0], m.dump.order, v.id, upperHex), uint64(v.age), 1, lowerHex))
		}
	case codeViewPDB20:
		return string(appendHex(appendHex(buf[:0], uint64(m.dump.order.Uint32(v.id)), 8, upperHex), uint64(v.age), 1, lowerHex))
	case codeViewELF:
		// The build id's first 16 bytes taken for a GUID, and no age.
		var guid [16]byte
		copy(guid[:], v.id)
		if !allZero(guid[:]) {
			return string(append(appendGUID(buf[:0], binary.LittleEndian, guid[:], upperHex), '0'))
		}
	}
	return ""
}

// CodeID identifies the binary, in lower-case hex: time stamp and size on
// Windows, the build id of ELF, the UUID of Mach-O. "" when unknown.
func (m *Module) CodeID() string {
	switch v := &m.codeView; v.signature {
	case codeViewELF:
		if allZero(v.id) { // what Breakpad writes for a file that it cannot open
			return ""
		}
		return hex.EncodeToString(v.id)
	case codeViewPDB70:
		if m.dump.on(MacOS, IOS) {
			return string(appendGUID(nil, m.dump.order, v.id, lowerHex))
		}
		return peCodeID(m.TimeStamp, m.Size)
	case codeViewPDB20:
		return peCodeID(m.TimeStamp, m.Size)
	}
	if m.dump.on(Windows) {
		return peCodeID(m.TimeStamp, m.Size)
	}
	return ""
}

// SameFile tells whether two modules are mappings of one file.
func (m *Module) SameFile(other *Module) bool {
	v, w := &m.codeView, &other.codeView
	return bytes.Equal(m.name, other.name) && v.signature == w.signature && v.age == w.age && bytes.Equal(v.id, w.id) && bytes.Equal(v.file, w.file) &&
		(v.signature != 0 || m.TimeStamp == other.TimeStamp && m.Size == other.Size)
}

// peCodeID is the name that Microsoft's symbol servers file an image under.
func peCodeID(timeStamp uint32, size uint64) string {
	var buf [32]byte
	return string(appendHex(appendHex(buf[:0], uint64(timeStamp), 8, lowerHex), size, 1, lowerHex))
}

func allZero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
