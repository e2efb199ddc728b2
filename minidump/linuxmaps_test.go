package minidump_test

import (
	"testing"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

// TestStrictLinuxMaps has what minidump-stackwalk 0.27 was seen to refuse, and
// what it takes.
func TestStrictLinuxMaps(t *testing.T) {
	const first = "1000-2000 rw-p 00000000 08:01 42 /lib/x.so\n"
	for line, c := range map[string]struct {
		strict bool
		maps   int // that are read, with the first one
	}{
		"2000-3000 rw-p 0 0:0 0 \n":                    {true, 2},
		"2000-3000 rw-p 0 0:0 0\n":                     {false, 2}, // the blank is missing
		"2000-3000 rw-p 0 0:0 0 /a b (deleted)":        {true, 2},
		"2000-3000 rw-p 0 0:0 0      [anon:x]\n":       {true, 2},
		"2000-3000  rw-p 0 0:0 0 \n":                   {false, 2},
		"2000-3000  0 0:0 0 \n":                        {true, 2}, // no permissions
		"2000-3000-4000 rw-p 0 0:0 0 \n":               {true, 2},
		"2000-3000 rw-p x 0:0 0 \n":                    {false, 1},
		"2000-3000 rw-p 0 0 0 \n":                      {false, 2},
		"2000-3000 rw-p 0 80000000:0 0 \n":             {false, 2},
		"2000-3000 rw-p 0 7fffffff:0 0 \n":             {true, 2},
		"2000-3000 rw-p 0 -80000000:0 0 \n":            {true, 2},
		"2000-3000 rw-p 0 0:0 x \n":                    {false, 2},
		"2000-3000 rw-p 0 0:0 18446744073709551615 \n": {true, 2},
		"2000-3000 rw-p 0 0:0 18446744073709551616 \n": {false, 2},
		"2000-3000 rw-p 0 0:0 0 [stack:42]\n":          {true, 2},
		"2000-3000 rw-p 0 0:0 0 [stack:x]\n":           {false, 2},
		"2000-3000 rw-p 0 0:0 0 /SYSV0000002a\n":       {true, 2},
		"2000-3000 rw-p 0 0:0 0 /SYSV2a\n":             {false, 2},
		"2000-3000 rw-p 0 0:0 0 \xff\n":                {false, 2},
		"\n":                                           {false, 1},
		"\x00":                                         {false, 1},
		"Size: 4 kB\nVmFlags: rd wr\nKey\n":            {true, 1},
		"Size: x kB\n":                                 {false, 1},
		"A000-B000 rw-p 0 0:0 0 \n":                    {false, 1},
	} {
		d := parse(t, minidumptest.New(minidump.CPUAMD64, minidump.Linux).LinuxMaps(first+line))
		if d.StrictLinuxMaps() != c.strict || len(d.LinuxMaps) != c.maps {
			t.Errorf("%q: %v, %d maps", line, d.StrictLinuxMaps(), len(d.LinuxMaps))
		}
	}
	if d := parse(t, minidumptest.New(minidump.CPUAMD64, minidump.Linux).LinuxMaps("Size: 4 kB\n"+first)); d.StrictLinuxMaps() {
		t.Error("an attribute of nothing")
	}
}
