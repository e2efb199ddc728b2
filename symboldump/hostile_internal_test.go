package symboldump

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"aftershock/breakpad"
)

// hostileFile is a file of some hostileBytes, and what its report must tell.
type hostileFile struct {
	build   func(n int) *File
	reasons []Reason
	err     error
	// held bounds what is held, and allocated what is allocated in all, in bytes.
	held, allocated int64
}

const (
	hostileBytes = 256 << 10
	mib          = 1 << 20
)

// hostileFiles are files that ask for much more than their n bytes: each is an attempt
// to make places refer to the same bytes again and again, or bytes stand for more than
// they are.
var hostileFiles = map[string]hostileFile{
	"references to a number without end": {
		build: func(n int) *File {
			end := uint32(11 + 9 + n/2)
			call := bytesOfParts(uint8(madeCode), uint64(0x2000), uint32(16), end)
			b := numbered(bytes.Repeat(call, n/2/len(call)), len(call), 1)
			b = append(b, make([]byte, n/2-len(b))...)
			return madeDWARF(append(b, bytes.Repeat([]byte{0x80}, n/2)...), nil)
		},
		reasons: []Reason{UnitDamaged},
		held:    3 * mib, allocated: 8 * mib,
	},
	"abbreviations that all units share in part": {
		build: func(n int) *File {
			table := append(bytes.Repeat([]byte{1, 0x2e, 0, 0, 0}, n/2/5), 0)
			var info []byte
			for i := range n / 2 / 12 {
				info = append(info, sized(bytesOfParts(uint16(4), uint32(5*i), uint8(8), uint8(1)))...)
			}
			return made(breakpad.AMD64, map[string][]byte{".debug_info": info, ".debug_abbrev": table})
		},
		reasons: []Reason{WorkLimit},
		held:    64 * mib, allocated: 32 * mib,
	},
	"entries of attributes that take no bytes": {
		build: func(n int) *File {
			table := bytesOfParts(uint8(1), uint8(0x11), uint8(1), uint8(attrLowPC), uint8(formAddr), uint16(0), uint8(2), uint8(0x34), uint8(0),
				bytes.Repeat([]byte{attrLanguage, formFlagPresent}, 250), uint8(attrLanguage), uint8(formUdata), uint16(0), uint8(0))
			unit := sized(bytesOfParts(uint16(4), uint32(0), uint8(8), uint8(1), uint64(0x1000), bytes.Repeat([]byte{2, 0}, n/2)))
			return made(breakpad.AMD64, map[string][]byte{".debug_info": unit, ".debug_abbrev": table})
		},
		reasons: []Reason{WorkLimit},
		held:    mib, allocated: mib,
	},
	"references in a cycle": {
		build: func(n int) *File {
			at := uint32(11 + 9)
			call := bytesOfParts(uint8(madeCode), uint64(0x2000), uint32(16), at)
			return madeDWARF(numbered(bytes.Repeat(call, n/len(call)), len(call), 1), nil)
		},
		reasons: []Reason{WorkLimit},
		held:    3 * mib, allocated: 8 * mib,
	},
	"a range list for every call": {
		build: func(n int) *File {
			var list []byte
			for i := range n / 2 / 16 {
				list = append(list, bytesOfParts(uint64(i), uint64(i+1<<20))...)
			}
			table := bytesOfParts(uint8(1), uint8(0x11), uint8(1), uint8(attrLowPC), uint8(formAddr), uint16(0),
				uint8(2), uint8(tagSubprogram), uint8(1), uint8(attrLowPC), uint8(formAddr), uint8(attrHighPC), uint8(formData4), uint16(0),
				uint8(3), uint8(tagInlinedSubroutine), uint8(0), uint8(attrRanges), uint8(formSecOffset), uint16(0), uint8(0))
			unit := sized(bytesOfParts(uint16(4), uint32(0), uint8(8), uint8(1), uint64(0x1000),
				uint8(2), uint64(0x2000), uint32(0x7fffffff), bytes.Repeat([]byte{3, 0, 0, 0, 0}, n/2/5)))
			return made(breakpad.AMD64, map[string][]byte{".debug_info": unit, ".debug_abbrev": table, ".debug_ranges": list})
		},
		reasons: []Reason{RangesDamaged, MemoryLimit},
		held:    68 * mib, allocated: 256 * mib,
	},
	"a row for every byte": {
		build: func(n int) *File { return linesFile(1, bytes.Repeat([]byte{lnsMadeAdvance}, n)) },
		held:  24 * mib, allocated: 32 * mib,
	},
	"lines of functions in functions": {
		build: func(n int) *File {
			f := linesFile(1, bytes.Repeat([]byte{lnsMadeAdvance}, n/2))
			one := madeEntry(madeFunction, 0x2000, 0, "f")
			b := numbered(bytes.Repeat(one, n/2/len(one)), len(one), 1)
			for i := 0; i < len(b); i += len(one) { // all end together
				copy(b[i+9:], bytesOfParts(uint32(n-i/len(one))))
			}
			return madeLines(f, b)
		},
		reasons: []Reason{LinesDamaged, DepthLimit},
		err:     ErrOutputLimit,
		held:    48 * mib, allocated: 64 * mib,
	},
	"a line table for every unit, longer than all": {
		build: func(n int) *File {
			return linesFile(n/2/21, bytes.Repeat([]byte{lnsMadeAdvance}, n/2))
		},
		reasons: []Reason{LinesDamaged},
		held:    16 * mib, allocated: 32 * mib,
	},
	"files of nothing": {
		build: func(n int) *File {
			head := bytesOfParts(uint8(1), uint8(1), uint8(1), uint8(0xfb), uint8(14), uint8(1), // up to opcode_base
				uint8(200), bytes.Repeat([]byte{lnctDirectoryIndex, formFlagPresent}, 200), uleb(1<<40), uint8(0), uint8(0))
			return madeLines(made(breakpad.AMD64, map[string][]byte{".debug_line": sized(bytesOfParts(uint16(5), uint8(8), uint8(0), uint32(len(head)), head))}),
				nil, bytes.Repeat(lineUnit(), n/len(lineUnit())))
		},
		reasons: []Reason{LinesDamaged},
		held:    8 * mib, allocated: 16 * mib,
	},
	"a long name for every function": {
		build: func(n int) *File {
			table := bytesOfParts(uint8(1), uint8(0x11), uint8(1), uint8(attrLowPC), uint8(formAddr), uint16(0),
				uint8(2), uint8(tagSubprogram), uint8(0), uint8(attrLowPC), uint8(formAddr), uint8(attrHighPC), uint8(formData1), uint8(attrName), uint8(formStrp), uint16(0), uint8(0))
			one := bytesOfParts(uint8(2), uint64(0x2000), uint8(1), uint32(0))
			b := numbered(bytes.Repeat(one, n/len(one)), len(one), 1)
			unit := sized(bytesOfParts(uint16(4), uint32(0), uint8(8), uint8(1), uint64(0x1000), b))
			name := "f" + strings.Repeat(".cold.1", maxTextBytes/8) + "\x00"
			return made(breakpad.AMD64, map[string][]byte{".debug_info": unit, ".debug_abbrev": table, ".debug_str": []byte(name)})
		},
		reasons: []Reason{NameTooLong, WorkLimit},
		held:    3 * mib, allocated: 4 * mib,
	},
	"a long name for every symbol": {
		build: func(n int) *File {
			return symbolFile(n/24, "_Z1f"+strings.Repeat("P", maxTextBytes-8))
		},
		reasons: []Reason{NameTooLong, WorkLimit},
		held:    3 * mib, allocated: 4 * mib,
	},
	"a name that is slow to demangle for every symbol": {
		build: func(n int) *File {
			return symbolFile(n/24, "_Z1f"+strings.Repeat("P", maxMangledBytes-5)+"i")
		},
		reasons: []Reason{WorkLimit},
		held:    3 * mib, allocated: 32 * mib,
	},
	"a short name that stands for a long one for every symbol": {
		build:   func(n int) *File { return symbolFile(n/24, doubled(6)) },
		reasons: []Reason{NameTooLong},
		held:    12 * mib, allocated: 64 * mib,
	},
	"rows that change all registers": {
		build: func(n int) *File {
			rows := []byte{cfaRememberState, cfaAdvanceLoc | 1}
			for i := range uint8(16) {
				rows = append(rows, cfaOffset|i, 0x7f)
			}
			rows = append(rows, cfaAdvanceLoc|1, cfaRestoreState)
			return wide(frameFile("", nil, 1, bytes.Repeat(rows, n/len(rows))))
		},
		held: mib, allocated: 32 * mib,
	},
	"rows whose expression has no form": {
		build: func(n int) *File {
			expression := bytesOfParts(uint8(opBreg0+7), uint8(0), bytes.Repeat([]byte{opBreg0 + 7, 0, opPlus}, 80), uint8(0xff))
			return wide(frameFile("", nil, 1, bytesOfParts(uint8(cfaDefCFAExpression), uleb(uint64(len(expression))), expression, bytes.Repeat([]byte{cfaAdvanceLoc | 1}, n))))
		},
		reasons: []Reason{CFAUnsaid},
		held:    mib, allocated: 4 * mib,
	},
	"frames of one function": {
		build: func(n int) *File {
			one := frameFile("", nil, 1, []byte{cfaAdvanceLoc | 1, cfaDefCFAOffset, 16}).sections[0].data
			cie := int(one[0]) + 4
			data := bytes.Clone(one)
			for len(data) < n {
				fde := bytes.Clone(one[cie:])
				copy(fde[4:], bytesOfParts(uint32(len(data)+4)))
				data = append(data, fde...)
			}
			return made(breakpad.AMD64, map[string][]byte{".eh_frame": data})
		},
		held: mib, allocated: 16 * mib,
	},
	"one frame for every compact entry": {
		build: func(n int) *File {
			frames := wide(frameFile("", nil, 1, append(bytes.Repeat([]byte{cfaAdvanceLoc | 1}, n/2), 0xff))).sections[0].data
			entries := n / 2 / 8
			pages := entries / 500
			var data []byte
			data = append(data, bytesOfParts(uint32(1), uint32(28), uint32(0), uint32(28), uint32(0), uint32(28), uint32(pages+1))...)
			second := 28 + 12*(pages+1)
			for i := range pages {
				data = append(data, bytesOfParts(uint32(0x2000+500*i), uint32(second+i*4008), uint32(0))...)
			}
			data = append(data, bytesOfParts(uint32(0x2000+500*pages), uint32(0), uint32(0))...)
			for i := range pages {
				data = append(data, bytesOfParts(uint32(compactRegularPage), uint16(8), uint16(500))...)
				for j := range 500 {
					data = append(data, bytesOfParts(uint32(0x2000+500*i+j), uint32(x64ModeDWARF|18))...)
				}
			}
			f := made(breakpad.AMD64, map[string][]byte{"__unwind_info": data, "__eh_frame": frames})
			f.format = formatMachO
			return f
		},
		reasons: []Reason{UnwindDamaged, WorkLimit},
		held:    3 * mib, allocated: 96 * mib,
	},
	"one page for every compact index": {
		build: func(n int) *File {
			count := n / 12
			data := bytesOfParts(uint32(1), uint32(28), uint32(0), uint32(28), uint32(0), uint32(28), uint32(count))
			data = append(data, bytes.Repeat(bytesOfParts(uint32(1), uint32(28), uint32(0)), count)...)
			copy(data[28:], bytesOfParts(uint32(compactCompressPage), uint16(0), uint16(0xffff)))
			f := made(breakpad.AMD64, map[string][]byte{"__unwind_info": data})
			f.format = formatMachO
			return f
		},
		reasons: []Reason{UnwindDamaged, WorkLimit},
		held:    3 * mib, allocated: 4 * mib,
	},
	"chains of unwind codes": {
		build: func(n int) *File {
			info := func(next uint32) []byte {
				return bytesOfParts(uint8(unwindFlagChained<<3|1), uint8(0), uint8(254), uint8(0), bytes.Repeat([]byte{0, uwopAllocSmall}, 254), uint64(0), next)
			}
			var infos []byte
			for i := range maxUnwindChain - 1 {
				infos = append(infos, info(uint32(0x100+len(info(0))*(i+1)))...)
			}
			infos = append(infos, bytesOfParts(uint8(1), uint8(0), uint8(0), uint8(0))...)
			var table []byte
			for i := range n / 12 {
				table = append(table, bytesOfParts(uint32(0x20000000+i), uint32(0x20000001+i), uint32(0x100))...)
			}
			f := made(breakpad.AMD64, nil)
			f.format, f.data = formatPE, table
			f.sections = []section{{name: ".xdata", addr: 0x100, size: uint64(len(infos)), data: infos}, {name: ".pdata", addr: 0x10000, size: uint64(len(table)), data: table}}
			f.image = &peImage{}
			f.image.exceptions.VirtualAddress, f.image.exceptions.Size = 0x10000, uint32(len(table))
			return f
		},
		reasons: []Reason{UnwindDamaged, WorkLimit},
		held:    mib, allocated: 32 * mib,
	},
	"the longest instructions for every entry of ARM's": {
		build: func(n int) *File {
			table := bytesOfParts(uint32(exidxInline|1<<24|0xff<<16|0xb1), bytes.Repeat([]byte{0x01}, 255*4))
			var index []byte
			for i := range n / 8 {
				at := uint32(0x100000 + 8*i)
				index = append(index, bytesOfParts((uint32(0x20000000+2*i)-at)&0x7fffffff, (uint32(0x80000)-at-4)&0x7fffffff)...)
			}
			f := made(breakpad.ARM, map[string][]byte{".ARM.exidx": index})
			f.sections[0].addr = 0x100000
			many := make([]section, maxSections-2)
			f.sections = append(append(f.sections, section{name: ".ARM.extab", addr: 0x80000, data: table}), many...)
			f.code = []Segment{{RVA: 0, Size: 1 << 32}}
			return f
		},
		reasons: []Reason{WorkLimit},
		held:    2 * mib, allocated: 16 * mib,
	},
	"a zstd window": {
		build: func(int) *File {
			// A frame of one empty block, of unknown size, with a window of 1 GiB.
			frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00}
			data := bytesOfParts(uint32(elf.COMPRESS_ZSTD), uint32(0), uint64(1), uint64(1), frame)
			f := made(breakpad.AMD64, map[string][]byte{".debug_info": data})
			f.sections[0].compressed = true
			return f
		},
		reasons: []Reason{SectionDamaged},
		held:    mib, allocated: mib,
	},
	"sections of the same packed bytes": {
		build: func(n int) *File {
			z, err := zstd.NewWriter(nil)
			if err != nil {
				panic(err)
			}
			size := 16 * n
			data := bytesOfParts(uint32(elf.COMPRESS_ZSTD), uint32(0), uint64(size), uint64(1), z.EncodeAll(make([]byte, size), nil))
			f := made(breakpad.AMD64, map[string][]byte{".bss": make([]byte, n)})
			for _, name := range []string{"info", "abbrev", "line", "line_str", "str", "str_offsets", "addr", "ranges", "rnglists", "frame"} {
				f.sections = append(f.sections, section{name: ".debug_" + name, data: data, compressed: true})
			}
			return f
		},
		reasons: []Reason{SectionDamaged, UnitUnknown, MemoryLimit},
		held:    68 * mib, allocated: 80 * mib,
	},
	"units without entries": {
		build: func(n int) *File {
			return made(breakpad.AMD64, map[string][]byte{".debug_info": bytes.Repeat(sized(bytesOfParts(uint16(4), uint32(0), uint8(8))), n/11)})
		},
		held: 24 * mib, allocated: 32 * mib,
	},
	"symbols": {
		build: func(n int) *File { return symbolFile(n/24, "f") },
		held:  3 * mib, allocated: 4 * mib,
	},
}

const lnsMadeAdvance = 30 // a special opcode: one byte further, and some lines

// doubled is a mangled name of a function whose parameters are each two of the one
// before.
func doubled(parameters int) string {
	name := "_Z1f1AIiiE"
	for i := range parameters {
		before := string("0123456789ABCDEF"[i])
		name += "S_IS" + before + "_S" + before + "_E"
	}
	return name
}

// wide makes the only frame of a file reach far.
func wide(f *File) *File {
	data := f.sections[0].data
	copy(data[int(data[0])+4+4+4+8:], bytesOfParts(uint64(1<<31)))
	return f
}

// numbered gives entries of size bytes addresses: 16 apart, at an offset.
func numbered(entries []byte, size, at int) []byte {
	for i := 0; i+size <= len(entries); i += size {
		copy(entries[i+at:], bytesOfParts(uint64(0x2000+16*(i/size))))
	}
	return entries
}

// lineUnit is a unit of nothing but a line table at 0.
func lineUnit() []byte {
	return sized(bytesOfParts(uint16(4), uint32(0), uint8(8), uint8(madeLined), uint64(0x2000), uint32(0)))
}

// linesFile has units that name one line table, whose length is 2^64 - 1.
func linesFile(units int, program []byte) *File {
	head := bytesOfParts(uint8(1), uint8(1), uint8(1), uint8(0), uint8(14), uint8(13), make([]byte, 12), uint8(0), uint8(0))
	start := bytesOfParts(uint8(0), uint8(9), uint8(lneSetAddress), uint64(0x2000))
	table := bytesOfParts(uint32(0xffffffff), ^uint64(0), uint16(4), uint64(len(head)), head, start, program)
	return madeLines(made(breakpad.AMD64, map[string][]byte{".debug_line": table}), nil, bytes.Repeat(lineUnit(), units))
}

// madeLines gives a file with a line table units: one with entries, or those.
func madeLines(f *File, entries []byte, units ...[]byte) *File {
	if entries != nil {
		units = [][]byte{sized(bytesOfParts(uint16(4), uint32(0), uint8(8), uint8(madeLined), uint64(0x2000), uint32(0), entries))}
	}
	return made(breakpad.AMD64, map[string][]byte{
		".debug_line": f.find(".debug_line").data, ".debug_info": bytes.Join(units, nil), ".debug_abbrev": madeAbbrevs(),
	})
}

// symbolFile has so many symbols with one name.
func symbolFile(n int, name string) *File {
	var table []byte
	for i := range n {
		table = append(table, bytesOfParts(uint32(0), uint8(2), uint8(0), uint16(1), uint64(0x2000+i), uint64(1))...)
	}
	f := made(breakpad.AMD64, map[string][]byte{".strtab": []byte(name + "\x00"), ".symtab": table})
	for i := range f.sections {
		f.sections[i].executable = true
	}
	return f
}

// TestHostileFiles writes the symbols of each, and compares what is told, held and
// allocated with what may be.
func TestHostileFiles(t *testing.T) {
	for name, tt := range hostileFiles {
		t.Run(name, func(t *testing.T) {
			f := tt.build(hostileBytes)
			var held, most int64
			o := Options{Hold: func(n int64) bool {
				held += n
				most = max(most, held)
				return true
			}}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			report, err := f.WriteSymbols(io.Discard, nil, o)
			runtime.ReadMemStats(&after)
			allocated := int64(after.TotalAlloc - before.TotalAlloc)
			if !slices.Equal(report.Reasons(), tt.reasons) || !errors.Is(err, tt.err) {
				t.Errorf("%s, %v; want %v, %v", report.String(), err, tt.reasons, tt.err)
			}
			if held != 0 {
				t.Errorf("%d bytes are held at the end", held)
			}
			if most > tt.held || allocated > tt.allocated {
				t.Errorf("%d bytes were held, %d allocated, of %d; want at most %d and %d", most, allocated, len(f.data), tt.held, tt.allocated)
			}
		})
	}
}
