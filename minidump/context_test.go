package minidump

import (
	"encoding/binary"
	"testing"
)

// FuzzContext reads arbitrary bytes as the context of every CPU, in both byte
// orders and, for arm64, layouts.
func FuzzContext(f *testing.F) {
	architectures := []uint16{0, 1, 3, 5, 9, 12, architectureARM64Old, 0x8001, 0x8002, 0x8004, 0x8006}
	for i, flags := range []uint32{contextX86, contextMIPS, contextPPC, contextARM, contextAMD64, contextARM64, contextARM64Old, contextSPARC, contextPPC64, contextMIPS64, contextRISCV64} {
		data := make([]byte, 1232)
		binary.LittleEndian.PutUint32(data, flags)
		binary.LittleEndian.PutUint32(data[48:], flags) // where x64 has it
		f.Add(uint8(i), false, data)
	}
	f.Fuzz(func(t *testing.T, which uint8, bigEndian bool, data []byte) {
		architecture := architectures[int(which)%len(architectures)]
		d := &Dump{data: data, order: binary.LittleEndian, System: &SystemInfo{CPU: cpuOf(architecture), Architecture: architecture}}
		if bigEndian {
			d.order = binary.BigEndian
		}
		ctx, ok := d.readContext(location{size: uint32(len(data))})
		switch {
		case !ok && ctx != nil:
			t.Error("an unreadable context")
		case ok && ctx != nil && len(ctx.CPU.RegisterNames()) > MaxRegisters:
			t.Error("more registers than there is room for")
		}
	})
}
