package minidump

import (
	"bytes"
	"strconv"
	"strings"
)

// KeyValue is a line of a /proc or release file.
type KeyValue struct{ Key, Value string }

// LinuxMap is a line of /proc/PID/maps.
type LinuxMap struct {
	Start, End uint64 // End is the address after the range
	Perms      string // "r-xp"
	Offset     uint64
	Path       string
}

// LinuxRelease is what /etc/lsb-release or /etc/os-release says.
type LinuxRelease struct{ ID, Release, Codename, Description string }

// LinuxLimit is a line of /proc/PID/limits. Soft and Hard are numbers or
// "unlimited".
type LinuxLimit struct{ Name, Soft, Hard, Unit string }

// HasLinuxMaps tells whether the dump has a LinuxMaps stream, so that an empty
// LinuxMaps says that there was nothing in it.
func (d *Dump) HasLinuxMaps() bool { return d.hasLinuxMaps }

func (d *Dump) readLinuxStreams() {
	if text, ok := d.linuxText(StreamLinuxLSBRelease); ok {
		d.LinuxRelease = parseRelease(text)
	}
	if text, ok := d.linuxText(StreamLinuxProcStatus); ok {
		d.LinuxProcStatus = keyValues(text, ':')
	}
	if text, ok := d.linuxText(StreamLinuxCPUInfo); ok {
		d.LinuxCPUInfo = keyValues(text, ':')
	}
	if text, ok := d.linuxText(StreamMozLinuxLimits); ok {
		d.LinuxLimits = parseLimits(text)
	}
	if text, ok := d.linuxText(StreamLinuxMaps); ok {
		d.hasLinuxMaps = true
		d.readLinuxMaps(text)
	}
	if text, ok := d.linuxText(StreamLinuxEnviron); ok {
		d.LinuxEnvironment = environment(text)
	}
	if data, ok := d.stream(StreamMozSoftErrors); ok {
		d.SoftErrors = data
	}
}

func (d *Dump) linuxText(t StreamType) ([]byte, bool) {
	text, ok := d.stream(t)
	if len(text) > maxLinuxTextBytes {
		d.find(FindingLimitLinuxText, -1)
		text = text[:maxLinuxTextBytes]
	}
	return text, ok && text != nil
}

// keyValues splits lines at the first separator and trims blanks and quotes.
func keyValues(text []byte, separator byte) []KeyValue {
	var out []KeyValue
	for line := range bytes.Lines(text) {
		if len(out) == maxKeyValueLines {
			break
		}
		key, value, ok := bytes.Cut(line, []byte{separator})
		if !ok {
			continue
		}
		out = append(out, KeyValue{trimValue(key), trimValue(value)})
	}
	return out
}

func trimValue(b []byte) string {
	s := strings.Trim(strings.ToValidUTF8(string(b), "\ufffd"), " \t\r\n\x00")
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	return s
}

// parseRelease takes both files' keys; a later line wins.
func parseRelease(text []byte) *LinuxRelease {
	var r LinuxRelease
	for _, kv := range keyValues(text, '=') {
		switch kv.Key {
		case "DISTRIB_ID", "ID":
			r.ID = kv.Value
		case "DISTRIB_RELEASE", "VERSION_ID":
			r.Release = kv.Value
		case "DISTRIB_CODENAME", "VERSION_CODENAME":
			r.Codename = kv.Value
		case "DISTRIB_DESCRIPTION", "PRETTY_NAME":
			r.Description = kv.Value
		}
	}
	return &r
}

// parseLimits reads the table of /proc/PID/limits, whose columns stand apart
// by two or more blanks.
func parseLimits(text []byte) []LinuxLimit {
	var out []LinuxLimit
	for line := range bytes.Lines(text) {
		if len(out) == maxKeyValueLines {
			break
		}
		var columns []string
		for column := range strings.SplitSeq(string(line), "  ") {
			if column = strings.TrimSpace(column); column != "" {
				columns = append(columns, column)
			}
		}
		if len(columns) < 3 || columns[0] == "Limit" {
			continue
		}
		limit := LinuxLimit{Name: columns[0], Soft: columns[1], Hard: columns[2]}
		if len(columns) > 3 {
			limit.Unit = columns[3]
		}
		out = append(out, limit)
	}
	return out
}

// readLinuxMaps reads "start-end perms offset device inode path" lines.
func (d *Dump) readLinuxMaps(text []byte) {
	index := -1
	for line := range bytes.Lines(text) {
		index++
		line = bytes.Trim(line, " \r\n\x00")
		if len(line) == 0 {
			continue
		}
		if len(d.LinuxMaps) == maxLinuxMaps {
			d.find(FindingLimitLinuxMaps, -1)
			return
		}
		m, ok := parseLinuxMap(string(line))
		if !ok {
			d.find(FindingLinuxMaps, index)
			continue
		}
		d.LinuxMaps = append(d.LinuxMaps, m)
	}
}

func parseLinuxMap(line string) (m LinuxMap, ok bool) {
	var f [5]string
	for i := range f {
		f[i], line, _ = strings.Cut(strings.TrimLeft(line, " "), " ")
	}
	m.Path = strings.TrimLeft(line, " ")
	m.Perms = f[1]
	start, end, _ := strings.Cut(f[0], "-")
	var errs [3]error
	m.Start, errs[0] = strconv.ParseUint(start, 16, 64)
	m.End, errs[1] = strconv.ParseUint(end, 16, 64)
	m.Offset, errs[2] = strconv.ParseUint(f[2], 16, 64)
	return m, errs == [3]error{}
}

func parseUint32(s string) (uint32, bool) {
	v, err := strconv.ParseUint(s, 10, 32)
	return uint32(v), err == nil
}
