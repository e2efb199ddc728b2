package symbolcache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"aftershock/internal/callsite"
	"aftershock/symboldump"
)

// A module's own file (ELF, PE, Mach-O) is compiled as the symbol file that
// symboldump makes of it, and two sections more: where code is, and where calls end.

// Layout of those sections. Return addresses stand in groups: the index has the
// first of each, and where the others' distances start, a byte each; 0 stands before
// one of four bytes.
const (
	executableSize = 8 // first and last address
	returnsIndex   = 8 // first address, offset in the section of returns
	returnsGroup   = 64
)

// errModule: the file is of no kind that is read. It makes a lookup Malformed.
var errModule = errors.New("no file of a module")

// CompileModule compiles a module's own file. The error is ErrTooLarge, symboldump's
// or the writer's.
func CompileModule(w io.Writer, data []byte) error {
	return compileModule(newOutput(w), data, &meter{})
}

func compileModule(o *output, data []byte, m *meter) error {
	file, err := symboldump.Open(data)
	if err != nil {
		return fmt.Errorf("%w: %w", errModule, err)
	}
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer func() { // one bad file must not end the process
			if p := recover(); p != nil {
				w.CloseWithError(fmt.Errorf("%w: panic: %v\n%s", errModule, p, debug.Stack()))
			}
		}()
		_, err := file.WriteSymbols(w, nil, symboldump.Options{Hold: m.room})
		if errors.Is(err, symboldump.ErrOutputLimit) {
			err = fmt.Errorf("%w: %w", ErrTooLarge, err)
		}
		w.CloseWithError(err)
	}()
	defer func() { // nobody reads data after the answer: it may be unmapped then
		r.Close() //nolint:errcheck,gosec // it has no error
		<-written
	}()
	return compile(o, r, m, file.Code())
}

// code writes where code is and where calls end.
func writeModule(o *output, c *compiler, code []symboldump.Segment) {
	executable := make([]byte, 0, len(code)*executableSize)
	for _, s := range code {
		if s.Size > 0 && s.RVA <= maxRVA {
			executable = binary.LittleEndian.AppendUint32(executable, uint32(s.RVA))
			executable = binary.LittleEndian.AppendUint32(executable, uint32(min(s.RVA+s.Size-1, maxRVA)))
		}
	}
	o.section(sectionExecutable, executable)
	inCode := func(rva uint64) bool { return covers(executable, rva) }
	var index, returns []byte
	n, last := 0, uint64(0)
	for _, s := range code {
		callsite.Each(c.arch, s.Data, s.RVA, inCode, func(rva uint64) {
			switch {
			case rva > maxRVA || n > 0 && rva <= last: // of segments that overlap
				return
			case n%returnsGroup == 0:
				index = binary.LittleEndian.AppendUint32(index, uint32(rva))
				index = binary.LittleEndian.AppendUint32(index, uint32(len(returns)))
			case rva-last < 256:
				returns = append(returns, byte(rva-last))
			default:
				returns = binary.LittleEndian.AppendUint32(append(returns, 0), uint32(rva-last))
			}
			if last = rva; n%returnsGroup == 0 {
				c.meter.hold(returnsGroup + returnsIndex)
			}
			n++
		})
	}
	o.section(sectionReturnsIndex, index)
	o.section(sectionReturns, returns)
}

// covers tells whether an address is in a table of ranges, which do not overlap.
func covers(ranges []byte, rva uint64) bool {
	n := countAtOrBefore(ranges, executableSize, 0, len(ranges)/executableSize, rva)
	return n > 0 && rva <= uint64(binary.LittleEndian.Uint32(ranges[(n-1)*executableSize+4:]))
}

// Executable tells whether code lies at rva. Only a file that was compiled from a
// module's own knows.
func (f *File) Executable(rva uint64) bool { return covers(f.sections[sectionExecutable], rva) }

// Returns tells whether a call ends at rva, as Executable does.
func (f *File) Returns(rva uint64) bool {
	index, returns := f.sections[sectionReturnsIndex], f.sections[sectionReturns]
	if rva > maxRVA {
		return false
	}
	le := binary.LittleEndian
	n := countAtOrBefore(index, returnsIndex, 0, len(index)/returnsIndex, rva)
	if n == 0 {
		return false
	}
	at := uint64(le.Uint32(index[(n-1)*returnsIndex:]))
	rest := part(returns, index, returnsIndex, n-1, 4)
	for at < rva && len(rest) > 0 {
		switch {
		case rest[0] != 0:
			at, rest = at+uint64(rest[0]), rest[1:]
		case len(rest) >= 5:
			at, rest = at+uint64(le.Uint32(rest[1:])), rest[5:]
		default:
			return false
		}
	}
	return at == rva
}

// maxModuleBytes bounds a module's own file. Chromium's has 300 MB, with debug
// information some have 3 GB.
const maxModuleBytes = 4 << 30

// mapText maps a text of at most limit bytes, which is a module's own file, by way of a
// file that has no name any more. unmap ends that.
func mapText(dir string, text io.Reader, limit int64) (data []byte, unmap func(), err error) {
	f, err := os.CreateTemp(dir, "module")
	if err != nil {
		return nil, nil, &DiskError{err}
	}
	defer f.Close() //nolint:errcheck // the mapping stays
	if err := os.Remove(f.Name()); err != nil {
		return nil, nil, &DiskError{err}
	}
	head := make([]byte, symboldump.MagicBytes)
	switch _, err := io.ReadFull(text, head); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), err == nil && !symboldump.Recognizes(head):
		return nil, nil, errModule // before gigabytes of it are fetched
	case err != nil:
		return nil, nil, err
	}
	n, err := io.Copy(diskWriter{f}, io.LimitReader(io.MultiReader(bytes.NewReader(head), text), limit+1))
	switch {
	case err != nil:
		return nil, nil, err
	case n > limit:
		return nil, nil, errTooLarge
	}
	data, err = unix.Mmap(int(f.Fd()), 0, int(n), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, &DiskError{err}
	}
	return data, func() { unix.Munmap(data) }, nil //nolint:errcheck,gosec // nothing can be done
}

// diskWriter tells a full disk from a source that fails.
type diskWriter struct{ io.Writer }

func (d diskWriter) Write(p []byte) (int, error) {
	n, err := d.Writer.Write(p)
	if err != nil {
		err = &DiskError{err}
	}
	return n, err
}
