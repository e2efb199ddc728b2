package minidumptest

import (
	"slices"

	"aftershock/minidump"
)

var platforms = map[minidump.OS]uint32{
	minidump.Windows: 2, minidump.MacOS: 0x8101, minidump.IOS: 0x8102, minidump.Linux: 0x8201, minidump.Android: 0x8203,
}

var architectures = map[minidump.CPU]uint16{
	minidump.CPUX86: 0, minidump.CPUMIPS: 1, minidump.CPUARM: 5, minidump.CPUAMD64: 9, minidump.CPUARM64: 12,
}

func (b *Builder) systemInfo() []byte {
	w := b.writer()
	w.u16(architectures[b.cpu], 6, 42<<8|7)
	w.out = append(w.out, 4, 1)
	w.u32(10, 0, 19041, platforms[b.os], b.utf16(""), 0)
	w.out = append(w.out, "GenuineIntel"...)
	w.u32(0, 0, 0)
	return w.out
}

func (b *Builder) count(w *writer, n int) {
	w.u32(uint32(n))
	if b.padLists {
		w.u32(0)
	}
}

func (b *Builder) threadList() []byte {
	w := b.writer()
	b.count(w, len(b.threads))
	for _, t := range b.threads {
		w.u32(t.id, 0, 0, 0)
		w.u64(t.teb, t.stack.base)
		if t.noStack {
			w.u32(0, 0)
		} else {
			w.blob(b, t.stack.bytes(b))
		}
		w.blob(b, b.context(t.regs))
	}
	return w.out
}

func (b *Builder) threadNames() []byte {
	ids := make([]uint32, 0, len(b.names))
	for id := range b.names {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	w := b.writer()
	w.u32(uint32(len(ids)))
	for _, id := range ids {
		w.u32(id)
		w.u64(uint64(b.utf16(b.names[id])))
	}
	return w.out
}

func (b *Builder) moduleList() []byte {
	w := b.writer()
	b.count(w, len(b.modules))
	for _, m := range b.modules {
		w.u64(m.Base)
		w.u32(m.Size, 0, m.TimeStamp)
		if m.NoName {
			w.u32(1<<32 - 1)
		} else {
			w.u32(b.utf16(m.CodeFile))
		}
		version := make([]uint32, 13)
		if v := m.Version; v != nil {
			version[0], version[1] = 0xfeef04bd, 0x10000
			version[2], version[3] = uint32(v[0])<<16|uint32(v[1]), uint32(v[2])<<16|uint32(v[3])
		}
		w.u32(version...)
		if m.CodeView == nil {
			w.u32(0, 0)
		} else {
			w.blob(b, m.CodeView)
		}
		w.u64(0, 0, 0)
	}
	return w.out
}

func (b *Builder) unloadedList() []byte {
	w := b.writer()
	w.u32(12, 24, uint32(len(b.unloaded)))
	for _, m := range b.unloaded {
		w.u64(m.Base)
		w.u32(m.Size, 0, m.TimeStamp, b.utf16(m.CodeFile))
	}
	return w.out
}

func (b *Builder) memoryList() []byte {
	w := b.writer()
	b.count(w, len(b.memory))
	for _, m := range b.memory {
		w.u64(m.base)
		w.blob(b, m.bytes)
	}
	return w.out
}

func (b *Builder) memory64List() []byte {
	var all []byte
	for _, m := range b.memory {
		all = append(all, m.bytes...)
	}
	w := b.writer()
	w.u64(uint64(len(b.memory)), uint64(b.put(all)))
	for _, m := range b.memory {
		w.u64(m.base, uint64(len(m.bytes)))
	}
	return w.out
}

// context encodes registers; nil for a CPU without contexts and for no
// registers at all.
func (b *Builder) context(regs Regs) []byte {
	if regs == nil {
		return nil
	}
	var size, flagsAt, word int
	var flags uint32
	var offsets map[string]int
	switch b.cpu {
	case minidump.CPUAMD64:
		size, flagsAt, flags, word, offsets = 1232, 48, 0x10000f, 8, amd64Offsets
	case minidump.CPUX86:
		size, flagsAt, flags, word, offsets = 716, 0, 0x1003f, 4, x86Offsets
	default:
		return nil
	}
	out := make([]byte, size)
	b.order.PutUint32(out[flagsAt:], flags)
	for name, v := range regs {
		at, ok := offsets[name]
		switch {
		case !ok:
			panic(unknownRegister(b.cpu, name))
		case word == 8:
			b.order.PutUint64(out[at:], v)
		default:
			b.order.PutUint32(out[at:], uint32(v))
		}
	}
	return out
}

// Offsets in CONTEXT of winnt.h.
var (
	amd64Offsets = map[string]int{
		"rax": 120, "rcx": 128, "rdx": 136, "rbx": 144, "rsp": 152, "rbp": 160, "rsi": 168, "rdi": 176, "r8": 184, "r9": 192,
		"r10": 200, "r11": 208, "r12": 216, "r13": 224, "r14": 232, "r15": 240, "rip": 248,
	}
	x86Offsets = map[string]int{
		"edi": 156, "esi": 160, "ebx": 164, "edx": 168, "ecx": 172, "eax": 176, "ebp": 180, "eip": 184, "eflags": 192, "esp": 196,
	}
)
