package minidump

import (
	"bytes"
	"encoding/binary"

	"aftershock/internal/cursor"
)

// Signatures of CodeView records: a PDB 7.0 reference, a PDB 2.0 reference,
// and Breakpad's record with the build id of an ELF file.
const (
	codeViewPDB70 = 0x53445352 // "RSDS"
	codeViewPDB20 = 0x3031424e // "NB10"
	codeViewELF   = 0x4270454c // "BpEL"
)

// readIDs fills the debug file and the ids of a module. It answers false when
// there is a CodeView record that cannot be read; the module then has the ids
// of one without.
func (d *Dump) readIDs(m *Module, loc location) bool {
	if d.System != nil && d.System.OS == Windows {
		m.CodeID = d.peCodeID(m.TimeStamp, m.Size)
	}
	if loc.size == 0 {
		return true
	}
	data := d.bytesOf(loc)
	if data == nil || len(data) > maxCodeViewBytes {
		return false
	}
	c := cursor.New(data, d.order)
	switch c.U32() {
	case codeViewPDB70:
		guid := c.Bytes(16)
		age := c.U32()
		if c.Err() != nil {
			return false
		}
		m.DebugFile = d.cString(c.Bytes(uint64(c.Len())))
		if !allZero(guid) {
			d.guid(guid, upperHex)
			d.texts.hex(uint64(age), 1, lowerHex)
			m.DebugID = d.texts.take()
		}
		if d.System != nil && d.System.OS.Apple() {
			d.guid(guid, lowerHex)
			m.CodeID = d.texts.take()
		} else {
			m.CodeID = d.peCodeID(m.TimeStamp, m.Size)
		}
	case codeViewPDB20:
		c.Skip(4) // offset
		signature, age := c.U32(), c.U32()
		if c.Err() != nil {
			return false
		}
		m.DebugFile = d.cString(c.Bytes(uint64(c.Len())))
		d.texts.hex(uint64(signature), 8, upperHex)
		d.texts.hex(uint64(age), 1, lowerHex)
		m.DebugID = d.texts.take()
		m.CodeID = d.peCodeID(m.TimeStamp, m.Size)
	case codeViewELF:
		buildID := c.Bytes(uint64(c.Len()))
		m.DebugFile = m.CodeFile
		for _, b := range buildID {
			d.texts.hex(uint64(b), 2, lowerHex)
		}
		m.CodeID = d.texts.take()
		// The debug id is the build id's first 16 bytes taken for a GUID.
		var guid [16]byte
		copy(guid[:], buildID)
		if !allZero(guid[:]) {
			d.guidFields(binary.LittleEndian, guid[:], upperHex)
			d.texts.byte('0') // age
			m.DebugID = d.texts.take()
		}
	default:
		return false
	}
	return true
}

// peCodeID is the name that Microsoft's symbol servers file an image under.
func (d *Dump) peCodeID(timeStamp uint32, size uint64) string {
	d.texts.hex(uint64(timeStamp), 8, lowerHex)
	d.texts.hex(size, 1, lowerHex)
	return d.texts.take()
}

// guid appends a GUID of the dump to d.texts in 32 hex digits.
func (d *Dump) guid(b []byte, alphabet string) { d.guidFields(d.order, b, alphabet) }

func (d *Dump) guidFields(order binary.ByteOrder, b []byte, alphabet string) {
	d.texts.hex(uint64(order.Uint32(b)), 8, alphabet)
	d.texts.hex(uint64(order.Uint16(b[4:])), 4, alphabet)
	d.texts.hex(uint64(order.Uint16(b[6:])), 4, alphabet)
	d.texts.hex(binary.BigEndian.Uint64(b[8:]), 16, alphabet)
}

func allZero(b []byte) bool {
	return len(bytes.Trim(b, "\x00")) == 0
}

// cString is the text up to the first NUL, with invalid UTF-8 replaced.
func (d *Dump) cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return d.utf8Text(b)
}
