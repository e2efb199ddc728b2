package minidump

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// What the quick reader takes, the strict one reads alike.
func TestPlainMapsAreStrictMaps(t *testing.T) {
	lines := []string{
		"7f0000000000-7f0000001000 r-xp 00001000 fd:01 1234567                    /usr/lib/libc.so.6\n",
		"7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n",
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n",
		"0-ffffffffffffffff ---p ffffffffffffffff 7fffffff:7fffffff 9999999999999999999 [stack:4294967295]\r\n",
		"00400000-00401000 r--p 00000000 08:01 42 \t/SYSV0000002a (deleted) \v\f",
		"1-2 rwxs 3 4:5 6 x",
	}
	quick := 0
	same := func(line string) {
		plain, ok := plainLinuxMap([]byte(line))
		if !ok {
			return
		}
		quick++
		if strict, ok := strictLinuxMap([]byte(line)); !ok || !reflect.DeepEqual(plain, strict) {
			t.Fatalf("%q: %v, strict %v (%v)", line, plain, strict, ok)
		}
	}
	for _, line := range lines {
		if same(line); quick == 0 {
			t.Errorf("%q is not plain", line)
		}
		quick = 0
	}
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same lines every time
	for range 200_000 {
		line := []byte(lines[r.IntN(len(lines))])
		for range 1 + r.IntN(3) {
			at := r.IntN(len(line))
			switch r.IntN(3) {
			case 0:
				line = slices.Delete(line, at, at+1)
			case 1:
				line = slices.Insert(line, at, " \t\n-+:0189afAFgz[/\x00\xff"[r.IntN(20)])
			default:
				line[at] = " \t\n-+:0189afAFgz[/\x00\xff"[r.IntN(20)]
			}
		}
		same(string(line))
	}
	if quick < 10_000 {
		t.Errorf("only %d lines were plain", quick)
	}
}
