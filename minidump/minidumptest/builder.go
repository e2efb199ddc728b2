// Package minidumptest builds minidumps for tests.
//
// A test says what crashed, in the words of the crash, and gets the bytes of a
// dump that a real writer could have made:
//
//	dump := minidumptest.New(minidump.CPUAMD64, minidump.Linux).
//		Module(minidumptest.Module{Base: 0x400000, Size: 0x1000, CodeFile: "/bin/app"}).
//		Thread(7, minidumptest.Regs{"rip": 0x400123, "rsp": 0x8000}, stack).
//		Exception(7, 11, 1, 0x10).
//		Bytes()
//
// The builder panics on wrong use; it is for tests only.
package minidumptest

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"aftershock/minidump"
)

// Regs names the registers of a context; those not named are 0.
type Regs map[string]uint64

// Module describes a record of the module list.
type Module struct {
	Base      uint64
	Size      uint32
	TimeStamp uint32
	CodeFile  string
	// CodeView is the raw record; see PDB70 and BuildID.
	CodeView []byte
	// NoName leaves the name's RVA pointing outside the file.
	NoName bool
	// Version is the four numbers of the file version; nil for none.
	Version []uint16
}

// Annotation is an entry of a Crashpad dictionary.
type Annotation struct{ Name, Value string }

type thread struct {
	id      uint32
	teb     uint64
	regs    Regs
	stack   Stack
	noStack bool
}

type memory struct {
	base  uint64
	bytes []byte
}

type stream struct {
	typ  minidump.StreamType
	body func(b *Builder) []byte
}

// Builder collects what goes into a dump; its methods return it for chaining.
type Builder struct {
	servicePack string
	cpu         minidump.CPU
	os          minidump.OS
	order       binary.ByteOrder
	old         bool

	time     uint32
	threads  []thread
	names    map[uint32]string
	modules  []Module
	unloaded []Module
	memory   []memory
	memory64 bool
	streams  []stream
	padLists bool

	data []byte
}

// New starts a little-endian dump of a process on this CPU and system.
func New(cpu minidump.CPU, os minidump.OS) *Builder {
	return &Builder{cpu: cpu, os: os, order: binary.LittleEndian, names: map[uint32]string{}}
}

// BigEndian makes the dump big-endian.
func (b *Builder) BigEndian() *Builder {
	b.order = binary.BigEndian
	return b
}

// OldARM64 writes Breakpad's number and context layout for arm64 from before
// Microsoft had them.
func (b *Builder) OldARM64() *Builder {
	b.old = true
	return b
}

// PadLists puts four bytes after the count of list streams, as some writers do.
func (b *Builder) PadLists() *Builder {
	b.padLists = true
	return b
}

// ServicePack is the text about the system that Windows calls so; Breakpad's
// Linux writer puts uname's there.
func (b *Builder) ServicePack(text string) *Builder {
	b.servicePack = text
	return b
}

// Time sets when the dump was written.
func (b *Builder) Time(seconds uint32) *Builder {
	b.time = seconds
	return b
}

// Thread adds a thread with registers and stack.
func (b *Builder) Thread(id uint32, regs Regs, stack Stack) *Builder {
	b.threads = append(b.threads, thread{id: id, regs: regs, stack: stack})
	return b
}

// ThreadWithoutStack adds a thread whose stack the thread list does not hold;
// Memory may.
func (b *Builder) ThreadWithoutStack(id uint32, regs Regs) *Builder {
	b.threads = append(b.threads, thread{id: id, regs: regs, noStack: true})
	return b
}

// TEB sets the environment block address of the last thread.
func (b *Builder) TEB(addr uint64) *Builder {
	b.threads[len(b.threads)-1].teb = addr
	return b
}

// ThreadName names a thread.
func (b *Builder) ThreadName(id uint32, name string) *Builder {
	b.names[id] = name
	return b
}

// Module adds a loaded module.
func (b *Builder) Module(m Module) *Builder {
	b.modules = append(b.modules, m)
	return b
}

// UnloadedModule adds a module that was unloaded.
func (b *Builder) UnloadedModule(m Module) *Builder {
	b.unloaded = append(b.unloaded, m)
	return b
}

// Memory adds a region to the memory list.
func (b *Builder) Memory(base uint64, bytes []byte) *Builder {
	b.memory = append(b.memory, memory{base, bytes})
	return b
}

// Memory64 writes the regions as a Memory64List.
func (b *Builder) Memory64() *Builder {
	b.memory64 = true
	return b
}

// Stream adds a stream of raw bytes. A type that the builder writes itself
// then stands in the directory twice, the raw one last.
func (b *Builder) Stream(typ minidump.StreamType, body []byte) *Builder {
	b.streams = append(b.streams, stream{typ, func(*Builder) []byte { return body }})
	return b
}

// Exception adds the exception stream, without a context of its own.
func (b *Builder) Exception(threadID, code, flags uint32, address uint64, params ...uint64) *Builder {
	return b.exception(threadID, code, flags, address, nil, params)
}

// ExceptionWithContext is Exception with registers at the crash.
func (b *Builder) ExceptionWithContext(threadID, code, flags uint32, address uint64, regs Regs, params ...uint64) *Builder {
	return b.exception(threadID, code, flags, address, regs, params)
}

func (b *Builder) exception(threadID, code, flags uint32, address uint64, regs Regs, params []uint64) *Builder {
	b.streams = append(b.streams, stream{minidump.StreamException, func(b *Builder) []byte {
		w := b.writer()
		w.u32(threadID, 0, code, flags)
		w.u64(0, address)
		w.u32(uint32(len(params)), 0)
		for i := range 15 {
			if i < len(params) {
				w.u64(params[i])
			} else {
				w.u64(0)
			}
		}
		w.blob(b, b.context(regs))
		return w.out
	}})
	return b
}

// BreakpadInfo adds the stream that names the thread that wrote the dump and
// the one that asked for it.
func (b *Builder) BreakpadInfo(dumpThread, requestingThread uint32) *Builder {
	w := b.writer()
	w.u32(3, dumpThread, requestingThread)
	return b.Stream(minidump.StreamBreakpadInfo, w.out)
}

// Process adds the misc info with the process's id and start.
func (b *Builder) Process(pid, created uint32) *Builder {
	w := b.writer()
	w.u32(24, 3, pid, created, 0, 0)
	return b.Stream(minidump.StreamMiscInfo, w.out)
}

// MemoryInfo adds the list of the process's ranges as Windows tells them; of
// each Base, Size, State, Protection and Type count.
func (b *Builder) MemoryInfo(ranges ...minidump.MemoryInfo) *Builder {
	w := b.writer()
	w.u32(16, 48)
	w.u64(uint64(len(ranges)))
	for _, r := range ranges {
		w.u64(r.Base, r.Base)
		w.u32(r.Protection, 0)
		w.u64(r.Size)
		w.u32(r.State, r.Protection, r.Type, 0)
	}
	return b.Stream(minidump.StreamMemoryInfoList, w.out)
}

// MacCrashRecord is a record of macOS' crash info: its numbers after the version
// and its texts, in the order of the record.
type MacCrashRecord struct {
	Version uint64
	Numbers []uint64
	Texts   []string
}

// MacCrashInfo adds the crash info of macOS' system libraries.
func (b *Builder) MacCrashInfo(records ...MacCrashRecord) *Builder {
	const streamType, most = uint32(minidump.StreamMozMacosCrashInfo), 20
	b.streams = append(b.streams, stream{minidump.StreamMozMacosCrashInfo, func(b *Builder) []byte {
		w := b.writer()
		start := 0
		if len(records) > 0 {
			start = 16 + 8*len(records[0].Numbers)
		}
		w.u32(streamType, uint32(len(records)), uint32(start))
		for i := range most {
			if i >= len(records) {
				w.u32(0, 0)
				continue
			}
			r := b.writer()
			r.u64(uint64(streamType), records[i].Version)
			r.u64(records[i].Numbers...)
			for _, text := range records[i].Texts {
				r.out = append(append(r.out, text...), 0)
			}
			w.blob(b, r.out)
		}
		return w.out
	}})
	return b
}

// MacBootArgs adds the arguments that macOS' kernel was started with.
func (b *Builder) MacBootArgs(text string) *Builder {
	b.streams = append(b.streams, stream{minidump.StreamMozMacosBootArgs, func(b *Builder) []byte {
		w := b.writer()
		w.u32(uint32(minidump.StreamMozMacosBootArgs))
		w.u64(uint64(b.utf16(text)))
		return w.out
	}})
	return b
}

// LinuxMaps adds the text of /proc/PID/maps.
func (b *Builder) LinuxMaps(text string) *Builder {
	return b.Stream(minidump.StreamLinuxMaps, []byte(text))
}

// Crashpad adds the Crashpad stream: annotations of the process, and of the
// module with this index simple ones, list entries and string objects.
func (b *Builder) Crashpad(process []Annotation, module uint32, simple []Annotation, list []string, objects []Annotation) *Builder {
	b.streams = append(b.streams, stream{minidump.StreamCrashpadInfo, func(b *Builder) []byte {
		info := b.writer()
		info.u32(1)
		info.blob(b, b.rvaList(list))
		info.blob(b, b.dictionary(simple))
		o := b.writer()
		o.u32(uint32(len(objects)))
		for _, a := range objects {
			o.u32(b.utf8(a.Name))
			o.u16(minidump.AnnotationString, 0)
			o.u32(b.utf8(a.Value))
		}
		info.blob(b, o.out)
		modules := b.writer()
		modules.u32(1, module)
		modules.blob(b, info.out)

		w := b.writer()
		w.u32(1)
		w.out = append(w.out, "report-id-16byteclient-id-16byte"...)
		w.blob(b, b.dictionary(process))
		w.blob(b, modules.out)
		return w.out
	}})
	return b
}

func (b *Builder) dictionary(entries []Annotation) []byte {
	w := b.writer()
	w.u32(uint32(len(entries)))
	for _, a := range entries {
		w.u32(b.utf8(a.Name), b.utf8(a.Value))
	}
	return w.out
}

func (b *Builder) rvaList(texts []string) []byte {
	w := b.writer()
	w.u32(uint32(len(texts)))
	for _, text := range texts {
		w.u32(b.utf8(text))
	}
	return w.out
}

// Bytes writes the dump.
func (b *Builder) Bytes() []byte {
	const headerSize, entrySize, maxEntries = 32, 12, 64
	streams := append([]stream{
		{minidump.StreamSystemInfo, (*Builder).systemInfo},
		{minidump.StreamThreadList, (*Builder).threadList},
		{minidump.StreamModuleList, (*Builder).moduleList},
	}, b.streams...)
	if b.memory64 {
		streams = append(streams, stream{minidump.StreamMemory64List, (*Builder).memory64List})
	} else if len(b.memory) > 0 {
		streams = append(streams, stream{minidump.StreamMemoryList, (*Builder).memoryList})
	}
	if len(b.names) > 0 {
		streams = append(streams, stream{minidump.StreamThreadNames, (*Builder).threadNames})
	}
	if len(b.unloaded) > 0 {
		streams = append(streams, stream{minidump.StreamUnloadedModuleList, (*Builder).unloadedList})
	}
	if len(streams) > maxEntries {
		panic("minidumptest: too many streams")
	}
	b.data = make([]byte, headerSize+entrySize*len(streams))
	directory := b.writer()
	for _, s := range streams {
		body := s.body(b)
		directory.u32(uint32(s.typ))
		directory.blob(b, body)
	}
	header := b.writer()
	header.u32(0x504d444d, 0xa793, uint32(len(streams)), headerSize, 0, b.time)
	header.u64(0)
	copy(b.data, header.out)
	copy(b.data[headerSize:], directory.out)
	return b.data
}

// put appends bytes to the file and answers their RVA.
func (b *Builder) put(bytes []byte) uint32 {
	rva := len(b.data)
	b.data = append(b.data, bytes...)
	return uint32(rva)
}

func (b *Builder) utf16(text string) uint32 {
	units := utf16.Encode([]rune(text))
	w := b.writer()
	w.u32(uint32(2 * len(units)))
	w.u16(units...)
	w.u16(0)
	return b.put(w.out)
}

func (b *Builder) utf8(text string) uint32 {
	w := b.writer()
	w.u32(uint32(len(text)))
	w.out = append(append(w.out, text...), 0)
	return b.put(w.out)
}

func (b *Builder) writer() *writer { return &writer{order: b.order} }

// writer encodes numbers in the dump's byte order.
type writer struct {
	order binary.ByteOrder
	out   []byte
}

func (w *writer) u16(values ...uint16) {
	for _, v := range values {
		w.out = append(w.out, 0, 0)
		w.order.PutUint16(w.out[len(w.out)-2:], v)
	}
}

func (w *writer) u32(values ...uint32) {
	for _, v := range values {
		w.out = append(w.out, 0, 0, 0, 0)
		w.order.PutUint32(w.out[len(w.out)-4:], v)
	}
}

func (w *writer) u64(values ...uint64) {
	for _, v := range values {
		w.out = append(w.out, 0, 0, 0, 0, 0, 0, 0, 0)
		w.order.PutUint64(w.out[len(w.out)-8:], v)
	}
}

// blob puts bytes into the file and writes their location.
func (w *writer) blob(b *Builder, bytes []byte) {
	w.u32(uint32(len(bytes)), b.put(bytes))
}

// PDB70 is a CodeView record that refers to a PDB.
func PDB70(guid [16]byte, age uint32, name string) []byte {
	out := append([]byte("RSDS"), guid[:]...)
	out = binary.LittleEndian.AppendUint32(out, age)
	return append(append(out, name...), 0)
}

// BuildID is Breakpad's CodeView record for ELF.
func BuildID(id []byte) []byte { return append([]byte("LEpB"), id...) }

func unknownRegister(cpu minidump.CPU, name string) string {
	return fmt.Sprintf("minidumptest: %v has no register %q", cpu, name)
}
