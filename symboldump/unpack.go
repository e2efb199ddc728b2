package symboldump

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

var errTooLarge = errors.New("too large")

// bytesOf are the section's bytes, decompressed if need be; nil, and counted, if
// they cannot be.
func (f *File) bytesOf(s *section, report *Report) []byte {
	zdebug := bytes.HasPrefix(s.data, []byte("ZLIB")) && len(s.name) > 2 && s.name[1] == 'z'
	if !s.compressed && !zdebug {
		return s.data
	}
	if data, ok := f.unpacked[s.name]; ok {
		return data
	}
	var data []byte
	var err error
	if zdebug { // what GNU's tools did before SHF_COMPRESSED: the size in big endian behind the magic
		r := reader{data: s.data, bigEndian: true}
		r.skip(4)
		data, err = f.inflate(elf.COMPRESS_ZLIB, r.u64(), s.data[min(12, len(s.data)):], report)
	} else {
		// Elf32_Chdr and Elf64_Chdr.
		r := f.reader(s.data)
		kind := elf.CompressionType(r.u32())
		if f.wordBytes == 8 {
			r.skip(4)
		}
		size := r.word(f.wordBytes)
		r.word(f.wordBytes) // ch_addralign
		data, err = f.inflate(kind, size, s.data[r.off:], report)
	}
	if err != nil {
		report.drop(SectionDamaged)
		data = nil
	}
	if f.unpacked == nil {
		f.unpacked = map[string][]byte{}
	}
	f.unpacked[s.name] = data
	return data
}

// inflate decompresses exactly size bytes, if the file may still ask for them.
func (f *File) inflate(kind elf.CompressionType, size uint64, packed []byte, report *Report) ([]byte, error) {
	if size > maxSectionBytes || f.spent+size > minSectionRoom+maxSectionRatio*uint64(len(f.data)) || !report.grow(int64(size)) {
		return nil, errTooLarge
	}
	f.spent += size
	switch kind {
	case elf.COMPRESS_ZLIB:
		z, err := zlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		defer z.Close() //nolint:errcheck // reads memory
		out := make([]byte, size)
		_, err = io.ReadFull(z, out)
		return out, err
	case elf.COMPRESS_ZSTD:
		// All at once: a stream's window is memory that a frame of a few bytes can ask for.
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		out, err := z.DecodeAll(packed, make([]byte, 0, size))
		if err == nil && uint64(len(out)) != size {
			err = io.ErrUnexpectedEOF
		}
		return out, err
	default:
		return nil, errors.ErrUnsupported
	}
}

// sectionBytes are the decompressed bytes of the section of that name, without
// ".": ".debug_info", ".zdebug_info" and Mach-O's "__debug_info" are the same.
func (f *File) sectionBytes(name string, report *Report) []byte {
	s := f.findAny(name)
	if s == nil {
		return nil
	}
	return f.bytesOf(s, report)
}

// findAny finds a section by its name without ".".
func (f *File) findAny(name string) *section {
	if f.format == formatMachO {
		return f.find(cutName("__" + name))
	}
	if s := f.find("." + name); s != nil {
		return s
	}
	return f.find(".z" + name)
}

// cutName: Mach-O's section names have 16 bytes.
func cutName(name string) string { return name[:min(len(name), 16)] }
