package minidump

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinesWithKeys(t *testing.T) {
	for text, want := range map[string][]KeyValue{
		"":                          nil,
		"no separator\n":            nil,
		"Name=\tapp\nPid= 7\n":      {{"Name", "app"}, {"Pid", "7"}},
		"a=b=c":                     {{"a", "b=c"}},
		"=x\ny=\n":                  {{"", "x"}, {"y", ""}},
		"\"a\"= \"b\"\n":            {{"a", "b"}},
		"a= \"\nb= \"\"\nc= \"x":    {{"a", `"`}, {"b", ""}, {"c", `"x`}},
		"d= x\"\ne= 'x'\n":          {{"d", `x"`}, {"e", "'x'"}},
		"a= \xff\r\n\x00b= c\x00\n": {{"a", "\ufffd"}, {"b", "c"}},
	} {
		if d := cmp.Diff(want, keyValues([]byte(text), '=')); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
	for key, want := range map[string]string{"a": "1", "b": "3", "c": ""} {
		if got := keyValue([]byte("a: 1\na: 2\nb: \"3\"\n"), ':', key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestReleasesOfEitherFile(t *testing.T) {
	for text, want := range map[string]LinuxRelease{
		"": {},
		"DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=16.04\nDISTRIB_CODENAME=xenial\nDISTRIB_DESCRIPTION=\"Ubuntu 16.04\"\n": {"Ubuntu", "16.04", "xenial", "Ubuntu 16.04"},
		"ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nPRETTY_NAME=Debian\nHOME_URL=x\n":                 {"debian", "12", "bookworm", "Debian"},
		"ID=a\n\"ID\"=b\n": {ID: "b"},
	} {
		if d := cmp.Diff(&want, parseRelease([]byte(text))); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

func TestLimitsOfProcesses(t *testing.T) {
	for line, want := range map[string][]LinuxLimit{
		"Limit                     Soft Limit           Hard Limit           Units     ": nil,
		"Max cpu time              unlimited            100                  seconds   ": {{"Max cpu time", "unlimited", "100", "seconds"}},
		"Max nice priority         0                    1                    ":           {{"Max nice priority", "0", "1", ""}},
		"Max nice priority         0 ": nil,
		"a  b  c  d  e":                {{"a", "b", "c", "d"}},
	} {
		if d := cmp.Diff(want, parseLimits([]byte(line+"\n"))); d != "" {
			t.Errorf("%q: %s", line, d)
		}
	}
}

func TestHexadecimalNumbers(t *testing.T) {
	for text, want := range map[string]struct {
		v  uint64
		ok bool
	}{
		"":                  {0, false},
		"0":                 {0, true},
		"09afAF":            {0x09afaf, true},
		"10":                {16, true},
		"g":                 {0, false},
		"G":                 {0, false},
		"/":                 {0, false},
		":":                 {0, false},
		"@":                 {0, false},
		"`":                 {0, false},
		"ffffffffffffffff":  {1<<64 - 1, true},
		"0ffffffffffffffff": {1<<64 - 1, true},
		"10000000000000000": {0, false},
		"1000000000000000":  {1 << 60, true},
		"1000000000000000x": {0, false},
	} {
		if v, ok := parseHex([]byte(text)); v != want.v || ok != want.ok {
			t.Errorf("%q: %#x, %v", text, v, ok)
		}
	}
	for text, want := range map[string]bool{"0": true, "4294967295": true, "4294967296": false, "": false, "-1": false, "1a": false} {
		if _, ok := parseUint32(text); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

func TestDecimalNumbersUpToALimit(t *testing.T) {
	const most = 1<<64 - 1
	for _, tc := range []struct {
		text  string
		limit uint64
		want  bool
	}{
		{"0", most, true},
		{"", most, false},
		{"+", most, false},
		{"+7", most, true},
		{"++7", most, false},
		{"-7", most, false},
		{"7/", most, false},
		{"7:", most, false},
		{"18446744073709551615", most, true},
		{"18446744073709551616", most, false},
		{"184467440737095516150", most, false},
		{"4294967295", 1<<32 - 1, true},
		{"4294967296", 1<<32 - 1, false},
		{"0004294967295", 1<<32 - 1, true},
	} {
		if got := isDecimal([]byte(tc.text), tc.limit); got != tc.want {
			t.Errorf("%q up to %d: %v", tc.text, tc.limit, got)
		}
	}
}

// The parts of a line of /proc/PID/maps, as the reference takes them.
func TestPartsOfAMapsLine(t *testing.T) {
	for text, want := range map[string]bool{
		"0:0": true, "7fffffff:7fffffff": true, "80000000:0": false, "0:80000000": false, "-80000000:0": true, "-80000001:0": false, "0:-80000000": true,
		"+7fffffff:0": true, "+80000000:0": false, "-:0": false, "+:0": false, "0": false, ":0": false, "0:0:x": true, "--1:0": false, "g:0": false,
	} {
		if got := isDevice([]byte(text)); got != want {
			t.Errorf("the device %q: %v", text, got)
		}
	}
	for text, want := range map[string]bool{
		"": true, "/a b": true, "[stack]": true, "[stack:0]": true, "[stack:4294967295]": true, "[stack:4294967296]": false, "[stack:]": false, "[stack:": false,
		"[stack:1:x]": true, "[stack:x]": false, "/SYSV": false, "/SYSV0000002": false, "/SYSV0000002a": true, "/SYSV0000002a (deleted)": true,
		"/SYSV+000002a": true, "/SYSV000002g0": false,
	} {
		if got := strictMapsPath([]byte(text)); got != want {
			t.Errorf("the path %q: %v", text, got)
		}
	}
	for text, want := range map[string]bool{"Size: 4 kB": true, "Size: x": false, "Size:": true, "VmFlags: rd": true, "THP: +1": true} {
		if got := strictMapsAttribute([]byte(text)); got != want {
			t.Errorf("the attribute %q: %v", text, got)
		}
	}
	for text, want := range map[string]bool{"A": true, "Z": true, "@": false, "[": false, "a": false} {
		if got := isMapsAttribute([]byte(text)); got != want {
			t.Errorf("an attribute begins with %q: %v", text, got)
		}
	}
	for text, want := range map[string]string{"": "", " ": "", "\t\n\v\f\r x y \t\n\v\f\r": "x y", "\x08x\x0e": "\x08x\x0e", "x": "x"} {
		if got := string(trimBlanks([]byte(text))); got != want {
			t.Errorf("%q without blanks: %q", text, got)
		}
	}
	for text, want := range map[string]string{"+1": "1", "1": "1", "+": "+", "": "", "-1": "-1"} {
		if got := string(unsigned([]byte(text))); got != want {
			t.Errorf("%q without its sign: %q", text, got)
		}
	}
}

// Most lines of real dumps are read by the quick reader.
func TestOrdinaryMapsArePlain(t *testing.T) {
	for line, want := range map[string]bool{
		"1-2 r-xp 3 4:5 6 x":  true,
		"1-2 r-xp 3 4:5 6 ":   true,
		"1-2 r-xp 3 4:5 6":    false,
		"1-2 r-xp 3 4:5 x ":   false,
		"1-2 r-xp 3 4:5  x":   false,
		"1-2 r-x 3 4:5 6 x":   false,
		"1-2 r-xps 3 4:5 6 x": false,
		"1-2 r xp 3 4:5 6 x":  false,
		"1-2 r-xp":            false,
		"-2 r-xp 3 4:5 6 x":   false,
		"1- r-xp 3 4:5 6 x":   false,
		"1-2 r-xp  4:5 6 x":   false,
		"1-2 r-xp 3 :5 6 x":   false,
		"1-2 r-xp 3 4: 6 x":   false,
		"0123456789abcdef-0123456789abcdef r-xp 3 4:5 6 x":     true,
		"00123456789abcdef-0123456789abcdef r-xp 3 4:5 6 x":    false,
		"1-2 r-xp 3 7fffffff:7fffffff 6 x":                     true,
		"1-2 r-xp 3 80000000:5 6 x":                            false,
		"1-2 r-xp 3 4:80000000 6 x":                            false,
		"1-2 r-xp 3 4:5 9999999999999999999 x":                 true,
		"1-2 r-xp 3 4:5 99999999999999999999 x":                false,
		"1-2 r-xp 3 4:5 6 [stack:x]":                           false,
		"1-2 r-xp A 4:5 6 x":                                   false,
		"1-2 r-xp g 4:5 6 x":                                   false,
		"ffffffffffffffff-0 ---p ffffffffffffffff 0:0 0 /a b ": true,
	} {
		m, ok := plainLinuxMap([]byte(line))
		if ok != want {
			t.Errorf("%q: %v", line, ok)
		}
		if strict, taken := strictLinuxMap([]byte(line)); ok && (!taken || !cmp.Equal(m, strict)) {
			t.Errorf("%q: %+v, strict %+v, %v", line, m, strict, taken)
		}
	}
}

// What is read of lines that need not be strict, and the limit of texts.
func TestMapsThatAreNotStrict(t *testing.T) {
	for line, want := range map[string]LinuxMap{
		"  1-2   r--p  3   0   6    /a  b": {1, 2, []byte("r--p"), 3, []byte("/a  b")},
		"1-2 rw-p 3":                       {1, 2, []byte("rw-p"), 3, nil},
		"1-2 rw-p 3 0:0 7":                 {1, 2, []byte("rw-p"), 3, nil},
	} {
		if m, ok := parseLinuxMap([]byte(line)); !ok || m.Start != want.Start || m.End != want.End || string(m.Perms) != string(want.Perms) ||
			m.Offset != want.Offset || string(m.Path) != string(want.Path) {
			t.Errorf("%q: %+v, %v", line, m, ok)
		}
	}
	for _, line := range []string{"", "1", "1-2", "1-2 rw-p", "1-2 rw-p x", "x-2 rw-p 3", "1-x rw-p 3", "-2 rw-p 3"} {
		if m, ok := parseLinuxMap([]byte(line)); ok {
			t.Errorf("%q: %+v", line, m)
		}
	}
	for n, want := range map[int]bool{maxLinuxTextBytes: false, maxLinuxTextBytes + 1: true} {
		d := limited(t, StreamLinuxEnviron, []byte(strings.Repeat("x", n)))
		if found(d, FindingLimitLinuxText) != want || len(d.linuxText(StreamLinuxEnviron)) != maxLinuxTextBytes {
			t.Errorf("a text of %d bytes: %v", n, d.Findings)
		}
	}
	d := limited(t, StreamLinuxMaps, []byte("Size: 4 kB\n1-2 rw-p 3 0:0 7 x\nSize: 4 kB\nnone\n\n2-3 rw-p 3 0:0 7 y\n"))
	want := []Finding{{FindingSystemInfoMissing, -1}, {FindingThreadListMissing, -1}, {FindingLinuxMaps, 0}, {FindingLinuxMaps, 3}}
	if diff := cmp.Diff(want, d.Findings); diff != "" || len(d.LinuxMaps) != 2 || !d.HasLinuxMaps() || d.StrictLinuxMaps() {
		t.Errorf("%s, %d maps", diff, len(d.LinuxMaps))
	}
	if d := limited(t, StreamLinuxEnviron, nil); d.HasLinuxMaps() {
		t.Error("maps of a dump without them")
	}
}
