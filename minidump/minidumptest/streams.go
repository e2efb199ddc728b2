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
	minidump.CPUPPC: 3, minidump.CPUSPARC: 0x8001, minidump.CPUPPC64: 0x8002, minidump.CPUMIPS64: 0x8004, minidump.CPURISCV: 0x8005, minidump.CPURISCV64: 0x8006,
}

func (b *Builder) systemInfo() []byte {
	w := b.writer()
	architecture := architectures[b.cpu]
	if b.old {
		architecture = 0x8003
	}
	w.u16(architecture, 6, 42<<8|7)
	w.out = append(w.out, 4, 1)
	w.u32(10, 0, 19041, platforms[b.os], b.utf16(b.servicePack), 0)
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
