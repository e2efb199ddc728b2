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
		m, ok := strictLinuxMap(line)
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
	m.Perms, m.Path = f[1], bytes.Trim(line, mapsBlanks)
	return m, oks == [3]bool{true, true, true} && isDevice(f[3]) && isDecimal(f[4], 1<<64-1) && strictMapsPath(m.Path)
}

const mapsBlanks = " \t\r\n\v\f"

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
