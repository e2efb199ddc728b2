package minidump

import (
	"strings"

	"aftershock/internal/cursor"
)

// Module is a loaded executable or library. Modules whose range is empty or
// wraps around are left out of Dump.Modules (FindingModuleRange).
type Module struct {
	Base, Size uint64
	TimeStamp  uint32
	Checksum   uint32
	// CodeFile is the path as the dump has it, "" when unreadable.
	CodeFile string
	// DebugFile is the PDB's path, for ELF and Mach-O the file's own. It is ""
	// when the module has no CodeView record, and in some that name no file.
	DebugFile string
	// CodeID identifies the binary, in lower-case hex: time stamp and size on
	// Windows, the build id of ELF, the UUID of Mach-O. "" when unknown.
	CodeID string
	// DebugID identifies the symbols: 32 upper-case hex digits and the age in
	// lower-case hex. "" when unknown.
	DebugID string
	// Version is "a.b.c.d", "" when the dump has none.
	Version string
}

// End is the address after the module.
func (m *Module) End() uint64 { return m.Base + m.Size }

// CodeName is the last element of CodeFile, after '/' or '\'.
func (m *Module) CodeName() string { return BaseName(m.CodeFile) }

// DebugName is the last element of DebugFile, after '/' or '\'.
func (m *Module) DebugName() string { return BaseName(m.DebugFile) }

// BaseName is what follows the last '/' or '\' of a path of any system.
func BaseName(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

const (
	moduleSize          = 108
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
		var m Module
		m.Base = c.U64()
		m.Size = uint64(c.U32())
		m.Checksum = c.U32()
		m.TimeStamp = c.U32()
		nameRVA := c.U32()
		m.Version = d.readVersion(c)
		codeView := readLocation(c)
		c.Skip(24) // misc record, reserved
		if m.Size == 0 || m.Base+m.Size < m.Base {
			d.find(FindingModuleRange, i)
			continue
		}
		if m.CodeFile, ok = d.utf16At(uint64(nameRVA)); !ok {
			d.find(FindingModuleName, i)
		}
		if !d.readIDs(&m, codeView) {
			d.find(FindingModuleCodeView, i)
		}
		d.moduleOfRecord[i] = len(d.Modules)
		d.Modules = append(d.Modules, m)
	}
	spans := make([]span, len(d.Modules))
	for i, m := range d.Modules {
		spans[i] = span{m.Base, m.Base + m.Size - 1, i}
	}
	d.moduleSpans = disjoint(spans)
	return c.Err() == nil
}

// readVersion reads VS_FIXEDFILEINFO. Writers on Linux and Android put one
// number of the version into each field, the others use the 16-bit halves of
// the file version.
func (d *Dump) readVersion(c *cursor.Cursor) string {
	magic, format := c.U32(), c.U32()
	hi, lo, productHi, productLo := c.U32(), c.U32(), c.U32(), c.U32()
	c.Skip(28)
	if magic != fixedFileInfoMagic || format != fixedFileInfoFormat {
		return ""
	}
	if d.System != nil && (d.System.OS == Linux || d.System.OS == Android) {
		return d.dotted(hi, lo, productHi, productLo)
	}
	return d.dotted(hi>>16, hi&0xffff, lo>>16, lo&0xffff)
}

// dotted is a version number.
func (d *Dump) dotted(numbers ...uint32) string {
	for i, n := range numbers {
		if i > 0 {
			d.texts.byte('.')
		}
		d.texts.decimal(n)
	}
	return d.texts.take()
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
		if m.CodeFile, ok = d.utf16At(uint64(nameRVA)); !ok {
			d.find(FindingUnloadedModuleName, i)
		}
		m.CodeID = d.peCodeID(m.TimeStamp, m.Size)
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

// HighestModule is the index in Modules of the one at the highest address that
// ModuleAt can find.
func (d *Dump) HighestModule() (index int, ok bool) {
	if len(d.moduleSpans) == 0 {
		return 0, false
	}
	return d.moduleSpans[len(d.moduleSpans)-1].index, true
}
