package minidump

// utf16At finds a MINIDUMP_STRING, its length in bytes and UTF-16 text, and
// answers the text undecoded.
func (d *Dump) utf16At(rva uint64) ([]byte, bool) {
	if rva == 0 {
		return nil, false
	}
	c := d.cursorAt(rva)
	n := uint64(c.U32())
	if n%2 != 0 || n > maxStringBytes {
		return nil, false
	}
	b := c.Bytes(n)
	if c.Err() != nil || !d.payString(n) {
		return nil, false
	}
	return b, true
}

// textAt decodes a MINIDUMP_STRING.
func (d *Dump) textAt(rva uint64) (string, bool) {
	b, ok := d.utf16At(rva)
	return utf16Text(b, d.Header.BigEndian), ok
}

// utf8At reads Crashpad's MinidumpUTF8String: its length in bytes and UTF-8
// text. Invalid bytes become U+FFFD.
func (d *Dump) utf8At(rva uint64, limit uint64) (string, bool) {
	if rva == 0 {
		return "", false
	}
	c := d.cursorAt(rva)
	n := uint64(c.U32())
	if n > limit {
		return "", false
	}
	b := c.Bytes(n)
	if c.Err() != nil || !d.payString(n) {
		return "", false
	}
	return utf8Text(b), true
}

// payString takes n bytes from what all strings together may have: many
// records may point at one long string, so that a small dump could name much.
func (d *Dump) payString(n uint64) bool {
	if d.stringBytes+n > stringBytesFactor*uint64(len(d.data)) {
		if !d.stringsCut {
			d.stringsCut = true
			d.find(FindingLimitStrings, -1)
		}
		return false
	}
	d.stringBytes += n
	return true
}
