package processor

import (
	"fmt"
	"testing"

	"aftershock/minidump"
)

func TestHexWord(t *testing.T) {
	for cpu, digits := range map[minidump.CPU]int{minidump.CPUX86: 8, minidump.CPUAMD64: 16} {
		d := &minidump.Dump{System: &minidump.SystemInfo{CPU: cpu}}
		for _, v := range []uint64{0, 1, 0xdeadbeef, 1<<32 - 1, 1 << 32, 1<<64 - 1} {
			if got, want := hexWord(d, v), fmt.Sprintf("0x%0*x", digits, v); got != want {
				t.Errorf("%v %#x: %s, want %s", cpu, v, got, want)
			}
		}
	}
}
