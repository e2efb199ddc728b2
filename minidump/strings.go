package minidump

// utf16At reads a MINIDUMP_STRING: its length in bytes and UTF-16 text.
// Unpaired surrogates become U+FFFD.
func (d *Dump) utf16At(rva uint64) (string, bool) {
	if rva == 0 {
		return "", false
	}
	c := d.cursorAt(rva)
	n := uint64(c.U32())
	if n%2 != 0 || n > maxStringBytes {
		return "", false
	}
	b := c.Bytes(n)
	if c.Err() != nil || !d.payString(n) {
		return "", false
	}
	return d.utf16Text(b), true
}

// utf16Text decodes UTF-16 of the dump's byte order.
func (d *Dump) utf16Text(b []byte) string {
	d.texts.utf16(b, d.Header.BigEndian)
	return d.texts.take()
}

// utf8Text is text from outside; runs of invalid bytes become U+FFFD.
func (d *Dump) utf8Text(b []byte) string {
	d.texts.utf8(b)
	return d.texts.take()
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
	return d.utf8Text(b), true
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
