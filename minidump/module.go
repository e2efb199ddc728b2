package minidump

import (
	"strconv"
	"strings"

	"aftershock/internal/cursor"
)

// Module is a loaded executable or library. Modules whose range is empty or
// wraps around are left out of Dump.Modules (FindingModuleRange).
//
// Its texts are decoded by each call: a walk asks for those of a few modules of
// hundreds.
type Module struct {
	Base, Size uint64
	TimeStamp  uint32
	Checksum   uint32

	dump     *Dump
	name     []byte // UTF-16
	version  []byte // VS_FIXEDFILEINFO
	codeView codeView
}

// End is the address after the module.
func (m *Module) End() uint64 { return m.Base + m.Size }

// CodeFile is the path as the dump has it, "" when unreadable.
func (m *Module) CodeFile() string { return utf16Text(m.name, m.dump.Header.BigEndian) }

// CodeName is the last element of CodeFile, after '/' or '\'.
func (m *Module) CodeName() string { return BaseName(m.CodeFile()) }

// DebugName is the last element of DebugFile, after '/' or '\'.
func (m *Module) DebugName() string { return BaseName(m.DebugFile()) }

// Version is "a.b.c.d", "" when the dump has none. Writers on Windows and
// Apple's systems use the 16-bit halves of VS_FIXEDFILEINFO's file version, those
// elsewhere put one number into each field.
func (m *Module) Version() string {
	c := cursor.New(m.version, m.dump.order)
	magic, format := c.U32(), c.U32()
	hi, lo, productHi, productLo := c.U32(), c.U32(), c.U32(), c.U32()
	switch {
	case magic != fixedFileInfoMagic || format != fixedFileInfoFormat:
		return ""
	case m.dump.on(Windows, MacOS, IOS):
		return dotted(hi>>16, hi&0xffff, lo>>16, lo&0xffff)
	}
	return dotted(hi, lo, productHi, productLo)
}

// dotted is a version number.
func dotted(numbers ...uint32) string {
	var buf [44]byte
	text := buf[:0]
	for i, n := range numbers {
		if i > 0 {
			text = append(text, '.')
		}
		text = strconv.AppendUint(text, uint64(n), 10)
	}
	return string(text)
}

// BaseName is what follows the last '/' or '\' of a path of any system.
func BaseName(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

const (
	moduleSize          = 108
	fixedFileInfoSize   = 52
	fixedFileInfoMagic  = 0xfeef04bd // VS_FFI_SIGNATURE
	fixedFileInfoFormat = 0x00010000 // VS_FFI_STRUCVERSION
)

func (d *Dump) readModules(c *cursor.Cursor) bool {
	n, ok := d.listCount(c, moduleSize, maxModules, FindingLimitModules)
	if !ok {
		return false
	}
	d.Modules = make([]Module, 0, n)
	d.moduleOfRecord = make([]int, n)
	for i := range n {
		d.moduleOfRecord[i] = -1
		m := Module{dump: d}
		m.Base = c.U64()
		m.Size = uint64(c.U32())
		m.Checksum = c.U32()
		m.TimeStamp = c.U32()
		nameRVA := c.U32()
		m.version = c.Bytes(fixedFileInfoSize)
		record := readLocation(c)
		c.Skip(24) // misc record, reserved
		if m.Size == 0 || m.Base+m.Size < m.Base {
			d.find(FindingModuleRange, i)
			continue
		}
		if m.name, ok = d.utf16At(uint64(nameRVA)); !ok {
			d.find(FindingModuleName, i)
		}
		if m.codeView, ok = d.readCodeView(record); !ok {
			d.find(FindingModuleCodeView, i)
		}
		d.moduleOfRecord[i] = len(d.Modules)
		d.Modules = append(d.Modules, m)
	}
	spans := make([]span, len(d.Modules))
	for i := range d.Modules {
		m := &d.Modules[i]
		spans[i] = span{m.Base, m.Base + m.Size - 1, i}
	}
	kept, dropped := separate(spans)
	d.moduleSpans, d.moduleRests = kept, rests(kept, dropped)
	return c.Err() == nil
}

// UnloadedModule is a module that the process had unloaded before. Several
// may cover one address.
type UnloadedModule struct {
	Base, Size uint64
	TimeStamp  uint32
	Checksum   uint32
	CodeFile   string
	CodeID     string
}

// CodeName is the last element of CodeFile.
func (m *UnloadedModule) CodeName() string { return BaseName(m.CodeFile) }

// End is the address after the module.
func (m *UnloadedModule) End() uint64 { return m.Base + m.Size }

// readUnloadedModules reads MINIDUMP_UNLOADED_MODULE_LIST, which tells the
// sizes of its header and entries itself.
func (d *Dump) readUnloadedModules(c *cursor.Cursor) bool {
	const entrySize = 24
	entry, n, ok := d.sizedList(c, entrySize, maxUnloadedModules, FindingLimitUnloaded)
	if !ok {
		return false
	}
	d.UnloadedModules = make([]UnloadedModule, 0, n)
	for i := range n {
		var m UnloadedModule
		m.Base = c.U64()
		m.Size = uint64(c.U32())
		m.Checksum = c.U32()
		m.TimeStamp = c.U32()
		nameRVA := c.U32()
		c.Skip(entry - entrySize)
		if m.Size == 0 || m.Base+m.Size < m.Base {
			continue
		}
		if m.CodeFile, ok = d.textAt(uint64(nameRVA)); !ok {
			d.find(FindingUnloadedModuleName, i)
		}
		m.CodeID = peCodeID(m.TimeStamp, m.Size)
		d.UnloadedModules = append(d.UnloadedModules, m)
	}
	return c.Err() == nil
}

// sizedList reads the header {SizeOfHeader, SizeOfEntry, NumberOfEntries} that
// later list streams start with, and goes to the first entry.
func (d *Dump) sizedList(c *cursor.Cursor, entrySize uint64, limit int, over FindingCode) (entry uint64, n int, ok bool) {
	const headerSize = 12
	header, entry := uint64(c.U32()), uint64(c.U32())
	if header < headerSize || entry < entrySize {
		return 0, 0, false
	}
	count := uint64(c.U32())
	c.Skip(header - headerSize)
	if c.Err() != nil || count > uint64(c.Len())/entry {
		return 0, 0, false
	}
	if count > uint64(limit) {
		d.find(over, -1)
		count = uint64(limit)
	}
	return entry, int(count), true
}

// ModuleAt is the index in Modules of the module that covers addr. Of modules
// that overlap only one can be found.
func (d *Dump) ModuleAt(addr uint64) (index int, ok bool) {
	return lookup(d.moduleSpans, addr)
}

// ModuleOf is ModuleAt that also finds what is left of a module behind one that
// it overlaps with.
func (d *Dump) ModuleOf(addr uint64) (index int, ok bool) {
	if index, ok = lookup(d.moduleSpans, addr); ok || len(d.moduleRests) == 0 {
		return index, ok
	}
	return lookup(d.moduleRests, addr)
}

// HighestModule is the index in Modules of the one at the highest address that
// ModuleAt can find.
func (d *Dump) HighestModule() (index int, ok bool) {
	if len(d.moduleSpans) == 0 {
		return 0, false
	}
	return d.moduleSpans[len(d.moduleSpans)-1].index, true
}
