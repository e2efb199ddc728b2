package minidump

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

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
		m.CodeID = peCodeID(m.TimeStamp, m.Size)
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
		m.DebugFile = cString(c.Bytes(uint64(c.Len())))
		text := d.guidText(guid)
		if !allZero(guid) {
			m.DebugID = fmt.Sprintf("%s%x", text, age)
		}
		m.CodeID = peCodeID(m.TimeStamp, m.Size)
		if d.System != nil && d.System.OS.Apple() {
			m.CodeID = strings.ToLower(text)
		}
	case codeViewPDB20:
		c.Skip(4) // offset
		signature, age := c.U32(), c.U32()
		if c.Err() != nil {
			return false
		}
		m.DebugFile = cString(c.Bytes(uint64(c.Len())))
		m.DebugID = fmt.Sprintf("%08X%x", signature, age)
		m.CodeID = peCodeID(m.TimeStamp, m.Size)
	case codeViewELF:
		buildID := c.Bytes(uint64(c.Len()))
		m.DebugFile = m.CodeFile
		m.CodeID = hex.EncodeToString(buildID)
		// The debug id is the build id's first 16 bytes taken for a GUID.
		var guid [16]byte
		copy(guid[:], buildID)
		if !allZero(guid[:]) {
			m.DebugID = littleEndianGUID(guid[:]) + "0"
		}
	default:
		return false
	}
	return true
}

// peCodeID is the name that Microsoft's symbol servers file an image under.
func peCodeID(timeStamp uint32, size uint64) string {
	return fmt.Sprintf("%08x%x", timeStamp, size)
}

// guidText is a GUID of the dump in 32 upper-case hex digits.
func (d *Dump) guidText(b []byte) string {
	return fmt.Sprintf("%08X%04X%04X%X", d.order.Uint32(b), d.order.Uint16(b[4:]), d.order.Uint16(b[6:]), b[8:])
}

func littleEndianGUID(b []byte) string {
	return fmt.Sprintf("%02X%02X%02X%02X%02X%02X%02X%02X%X", b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8:])
}

func allZero(b []byte) bool {
	return len(bytes.Trim(b, "\x00")) == 0
}

// cString is the text up to the first NUL, with invalid UTF-8 replaced.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}
