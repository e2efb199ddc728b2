package minidump

import (
	"bytes"
	"iter"
	"strconv"
	"strings"
)

// KeyValue is a line of a /proc or release file.
type KeyValue struct{ Key, Value string }

// LinuxMap is a line of /proc/PID/maps. Perms and Path are as they stand in
// the dump, and alias it.
type LinuxMap struct {
	Start, End uint64 // End is the address after the range
	Perms      []byte // "r-xp"
	Offset     uint64
	Path       []byte
}

// LinuxRelease is what /etc/lsb-release or /etc/os-release says.
type LinuxRelease struct{ ID, Release, Codename, Description string }

// LinuxLimit is a line of /proc/PID/limits. Soft and Hard are numbers or
// "unlimited".
type LinuxLimit struct{ Name, Soft, Hard, Unit string }

// HasLinuxMaps tells whether the dump has a LinuxMaps stream, so that an empty
// LinuxMaps says that there was nothing in it.
func (d *Dump) HasLinuxMaps() bool { return d.hasLinuxMaps }

// LinuxProcStatus is /proc/PID/status, LinuxCPUInfo /proc/cpuinfo, LinuxLimits
// the table of /proc/PID/limits, and LinuxEnvironment /proc/PID/environ, which
// holds secrets. They are decoded by each call.
func (d *Dump) LinuxProcStatus() []KeyValue {
	return keyValues(d.linuxText(StreamLinuxProcStatus), ':')
}

// LinuxCPUInfo is like LinuxProcStatus.
func (d *Dump) LinuxCPUInfo() []KeyValue { return keyValues(d.linuxText(StreamLinuxCPUInfo), ':') }

// LinuxLimits is like LinuxProcStatus.
func (d *Dump) LinuxLimits() []LinuxLimit { return parseLimits(d.linuxText(StreamMozLinuxLimits)) }

// LinuxEnvironment is like LinuxProcStatus.
func (d *Dump) LinuxEnvironment() []KeyValue { return environment(d.linuxText(StreamLinuxEnviron)) }

func (d *Dump) readLinuxStreams() {
	for _, t := range []StreamType{
		StreamLinuxLSBRelease, StreamLinuxProcStatus, StreamLinuxCPUInfo, StreamMozLinuxLimits, StreamLinuxMaps, StreamLinuxEnviron,
	} {
		if text, _ := d.stream(t); len(text) > maxLinuxTextBytes {
			d.find(FindingLimitLinuxText, -1)
		}
	}
	if text := d.linuxText(StreamLinuxLSBRelease); text != nil {
		d.LinuxRelease = parseRelease(text)
	}
	if text := d.linuxText(StreamLinuxMaps); text != nil {
		d.hasLinuxMaps = true
		d.readLinuxMaps(text)
	}
	d.SoftErrors, _ = d.stream(StreamMozSoftErrors)
}

// linuxText is a stream's text up to the limit, nil without the stream.
func (d *Dump) linuxText(t StreamType) []byte {
	text, _ := d.stream(t)
	return text[:min(len(text), maxLinuxTextBytes)]
}

// keyLines yields the two sides of lines with a separator.
func keyLines(text []byte, separator byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		n := 0
		for line := range bytes.Lines(text) {
			at := bytes.IndexByte(line, separator)
			if at < 0 {
				continue
			}
			if n++; n > maxKeyValueLines || !yield(bytes.Trim(line[:at], blanks), bytes.Trim(line[at+1:], blanks)) {
				return
			}
		}
	}
}

const blanks = " \t\r\n\x00"

// keyValues splits lines at the first separator and trims blanks and quotes.
func keyValues(text []byte, separator byte) []KeyValue {
	var out []KeyValue
	for key, value := range keyLines(text, separator) {
		out = append(out, KeyValue{trimValue(key), trimValue(value)})
	}
	return out
}

// keyValue is the value of the first line with that key, "" without one.
func keyValue(text []byte, separator byte, key string) string {
	for k, v := range keyLines(text, separator) {
		if string(k) == key {
			return trimValue(v)
		}
	}
	return ""
}

func trimValue(b []byte) string {
	return strings.ToValidUTF8(string(trimQuotes(b)), "\ufffd")
}

func trimQuotes(b []byte) []byte {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		return b[1 : len(b)-1]
	}
	return b
}

// parseRelease takes both files' keys; a later line wins.
func parseRelease(text []byte) *LinuxRelease {
	var r LinuxRelease
	for key, value := range keyLines(text, '=') {
		var field *string
		switch string(trimQuotes(key)) {
		case "DISTRIB_ID", "ID":
			field = &r.ID
		case "DISTRIB_RELEASE", "VERSION_ID":
			field = &r.Release
		case "DISTRIB_CODENAME", "VERSION_CODENAME":
			field = &r.Codename
		case "DISTRIB_DESCRIPTION", "PRETTY_NAME":
			field = &r.Description
		default:
			continue
		}
		*field = trimValue(value)
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

func parseHex(digits []byte) (v uint64, ok bool) {
	for _, c := range digits {
		switch {
		case v>>60 != 0:
			return 0, false
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, len(digits) > 0
}

func parseUint32(s string) (uint32, bool) {
	v, err := strconv.ParseUint(s, 10, 32)
	return uint32(v), err == nil
}
