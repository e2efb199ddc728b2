package minidump

import (
	"bytes"
	"unicode/utf8"
)

// StrictLinuxMaps tells whether minidump-stackwalk 0.27 takes the LinuxMaps
// stream: its reader refuses all of it for one line that is not as the kernel
// writes it. A usual cause is a writer that takes off the blank which ends the
// lines of anonymous memory. Version 1 of a walk, which is parity, does without
// such a stream.
func (d *Dump) StrictLinuxMaps() bool { return d.strictLinuxMaps }

// readLinuxMaps reads "start-end perms offset device inode path" lines.
func (d *Dump) readLinuxMaps(text []byte) {
	index := -1
	const shortest = 32 // bytes of a real line, so that empty ones get no room
	d.LinuxMaps = make([]LinuxMap, 0, min(bytes.Count(text, []byte{'\n'})+1, len(text)/shortest+1, maxLinuxMaps))
	d.strictLinuxMaps = utf8.Valid(text)
	for line := range bytes.Lines(text) {
		index++
		if len(d.LinuxMaps) > 0 && isMapsAttribute(line) {
			d.strictLinuxMaps = d.strictLinuxMaps && strictMapsAttribute(line)
			continue
		}
		m, ok := plainLinuxMap(line)
		if !ok {
			m, ok = strictLinuxMap(line)
		}
		if !ok {
			d.strictLinuxMaps = false
			if line = bytes.Trim(line, " \r\n\x00"); len(line) == 0 {
				continue
			}
			if m, ok = parseLinuxMap(line); !ok {
				d.find(FindingLinuxMaps, index)
				continue
			}
		}
		if len(d.LinuxMaps) == maxLinuxMaps {
			d.find(FindingLimitLinuxMaps, -1)
			return
		}
		d.LinuxMaps = append(d.LinuxMaps, m)
	}
}

// isMapsAttribute: smaps has lines like "Size: 4 kB" below each range.
func isMapsAttribute(line []byte) bool { return line[0] >= 'A' && line[0] <= 'Z' }

// strictMapsAttribute: the value is a number, but for that of VmFlags.
func strictMapsAttribute(line []byte) bool {
	words := bytes.Fields(line)
	return len(words) < 2 || bytes.HasPrefix(line, []byte("VmFlags")) || isDecimal(words[1], 1<<64-1)
}

// plainLinuxMap reads most lines, four times as fast as strictLinuxMap, which reads all
// of those alike.
func plainLinuxMap(line []byte) (m LinuxMap, ok bool) {
	const perms = 4
	var major, minor uint64
	var oks [5]bool
	m.Start, line, oks[0] = hexUntil(line, '-')
	m.End, line, oks[1] = hexUntil(line, ' ')
	if len(line) <= perms || line[perms] != ' ' || bytes.IndexByte(line[:perms], ' ') >= 0 {
		return LinuxMap{}, false
	}
	m.Perms, line = line[:perms], line[perms+1:]
	m.Offset, line, oks[2] = hexUntil(line, ' ')
	major, line, oks[3] = hexUntil(line, ':')
	minor, line, oks[4] = hexUntil(line, ' ')
	inode := 0
	for inode < len(line) && line[inode]-'0' <= 9 {
		inode++
	}
	const digits = 19 // fit 64 bits, whichever they are
	if oks != [5]bool{true, true, true, true, true} || max(major, minor) > 1<<31-1 || inode == 0 || inode > digits || inode == len(line) || line[inode] != ' ' {
		return LinuxMap{}, false
	}
	m.Path = trimBlanks(line[inode:])
	return m, strictMapsPath(m.Path)
}

// hexUntil reads up to 16 hexadecimal digits and the separator behind them.
func hexUntil(text []byte, separator byte) (v uint64, rest []byte, ok bool) {
	for n, c := range text {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c-'a' <= 5:
			c -= 'a' - 10
		case c == separator:
			return v, text[n+1:], n > 0 && n <= 16
		default:
			return 0, nil, false
		}
		v = v<<4 | uint64(c)
	}
	return 0, nil, false
}

// trimBlanks takes off what C takes for blanks.
func trimBlanks(text []byte) []byte {
	blank := func(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' }
	for len(text) > 0 && blank(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && blank(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

// strictLinuxMap reads a line as the kernel writes it: six fields with one blank
// between, of which the last may be empty.
func strictLinuxMap(line []byte) (m LinuxMap, ok bool) {
	if isMapsAttribute(line) {
		return LinuxMap{}, false
	}
	var f [5][]byte
	for i := range f {
		end := bytes.IndexByte(line, ' ')
		if end < 0 {
			return LinuxMap{}, false
		}
		f[i], line = line[:end], line[end+1:]
	}
	var oks [3]bool
	start, rest, _ := bytes.Cut(f[0], []byte{'-'})
	end, _, _ := bytes.Cut(rest, []byte{'-'})
	m.Start, oks[0] = parseHex(unsigned(start))
	m.End, oks[1] = parseHex(unsigned(end))
	m.Offset, oks[2] = parseHex(unsigned(f[2]))
	m.Perms, m.Path = f[1], trimBlanks(line)
	return m, oks == [3]bool{true, true, true} && isDevice(f[3]) && isDecimal(f[4], 1<<64-1) && strictMapsPath(m.Path)
}

// unsigned takes a plus sign off a number.
func unsigned(number []byte) []byte {
	if len(number) > 1 && number[0] == '+' {
		return number[1:]
	}
	return number
}

// isDevice: two signed numbers of 32 bits in hexadecimal.
func isDevice(text []byte) bool {
	major, rest, _ := bytes.Cut(text, []byte{':'})
	minor, _, _ := bytes.Cut(rest, []byte{':'})
	for _, number := range [...][]byte{major, minor} {
		limit := uint64(1<<31 - 1)
		if len(number) > 1 && number[0] == '-' {
			number, limit = number[1:], limit+1
		} else {
			number = unsigned(number)
		}
		if v, ok := parseHex(number); !ok || v > limit {
			return false
		}
	}
	return true
}

// isDecimal tells whether a text is a number up to a limit.
func isDecimal(text []byte, limit uint64) bool {
	text = unsigned(text)
	v := uint64(0)
	for _, c := range text {
		digit := uint64(c - '0')
		if digit > 9 || v > (limit-digit)/10 {
			return false
		}
		v = 10*v + digit
	}
	return len(text) > 0
}

// strictMapsPath: the number in "[stack:42]" and the key in "/SYSV0000002a" are
// read.
func strictMapsPath(path []byte) bool {
	if rest, ok := bytes.CutPrefix(path, []byte("[stack:")); ok {
		thread, _, _ := bytes.Cut(rest[:max(len(rest)-1, 0)], []byte{':'})
		return isDecimal(thread, 1<<32-1)
	}
	if key, ok := bytes.CutPrefix(path, []byte("/SYSV")); ok {
		if len(key) < 8 {
			return false
		}
		_, ok := parseHex(unsigned(key[:8]))
		return ok
	}
	return true
}

// parseLinuxMap reads a line that need not be strict.
func parseLinuxMap(line []byte) (m LinuxMap, ok bool) {
	var f [5][]byte
	for i := range f {
		line = bytes.TrimLeft(line, " ")
		end := bytes.IndexByte(line, ' ')
		if end < 0 {
			end = len(line)
		}
		f[i], line = line[:end], line[end:]
	}
	start, end, _ := bytes.Cut(f[0], []byte{'-'})
	var oks [3]bool
	m.Start, oks[0] = parseHex(start)
	m.End, oks[1] = parseHex(end)
	m.Offset, oks[2] = parseHex(f[2])
	if oks != [3]bool{true, true, true} {
		return LinuxMap{}, false
	}
	m.Perms, m.Path = f[1], bytes.TrimLeft(line, " ")
	return m, true
}
