package symboldump

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Options change what is written. The zero value is right for one file.
type Options struct {
	// Name is what the MODULE record calls a module whose file does not say it:
	// the file's own name.
	Name string
	// Alternate is the file that dwz moved to what several files have in common,
	// see [File.Alternate]; nil if there is none.
	Alternate *File
	// Package is the .dwp file with the split units of the debug information; nil
	// if there is none.
	Package *File
	// Split finds the .dwo file of a split unit, which its compilation wrote to
	// name, relative to dir; nil if it is not there. The unit of another id in it is
	// passed over.
	Split func(dir, name string) *File
	// Hold, if set, is asked for room for what is to be held, and told of what is no
	// longer, which is negative. It answers false if there is none: debug information
	// or symbols are left out then. There is a bound by the size of the files as well.
	Hold func(bytes int64) bool
}

// WriteSymbols writes the module's symbol file: MODULE and INFO CODE_ID, INFO
// SIGNAL_FRAME for each range of [File.SignalFrames], functions with lines and
// inlined calls, PUBLIC records of what lies in no function, and STACK CFI. debug
// is the file with the debug information that was stripped off f, nil if there is
// none.
//
// The error is ErrOutputLimit or the writer's. What could not be told is in the
// Report, also with an error.
func (f *File) WriteSymbols(w io.Writer, debug *File, o Options) (report Report, err error) {
	files := []*File{f}
	if debug != nil {
		files = append(files, debug)
	}
	size := int64(0) // of all files that names can come from
	for _, file := range append(files, o.Alternate, o.Package) {
		if file != nil {
			size += int64(len(file.data))
		}
	}
	report.room = roomFor(size, o)
	defer func() { report.release() }()
	s := symbols{report: &report, nameRoom: minOutputBytes + maxRepeats*size}
	if !s.readFunctions(f, debug, o, &report) { // without: there is room for how code is unwound then
		s = symbols{report: &report, nameRoom: s.nameRoom}
		report.empty(files)
	}
	for _, file := range files {
		s.addPublics(file, &report)
		if file.findAny("gnu_debugdata") != nil {
			report.drop(Minidebug)
		}
	}
	s.finish(&report)
	for _, file := range files {
		size += int64(file.spent)
	}
	out := newOutput(w, minOutputBytes+maxOutputRatio*size)
	f.writeHead(out, o)
	for i, file := range files {
		if i > 0 && f.hasFrames() {
			continue // the same ones
		}
		for _, r := range file.signalFrames(&report) {
			out.text("INFO SIGNAL_FRAME ")
			out.hex(r.RVA)
			out.text(" ")
			out.hex(r.Size)
			out.text("\n")
		}
	}
	s.write(out, &report)
	for i, file := range files {
		file.writeUnwind(out, &report, i > 0 && f.hasFrames())
	}
	return report, out.flush()
}

func (f *File) writeHead(out *output, o Options) {
	name := f.module.Name
	if name == "" {
		name = printableName([]byte(o.Name))
	}
	if name == "" {
		name = "unknown"
	}
	out.text("MODULE " + f.module.OS + " " + f.module.CPU + " " + f.module.DebugID + " " + name + "\n")
	if f.module.CodeID != "" {
		out.text("INFO CODE_ID " + strings.ToUpper(f.module.CodeID))
		if f.format == formatPE && o.Name != "" { // what the id is of: MODULE names the PDB file
			out.text(" " + printableName([]byte(o.Name)))
		}
		out.text("\n")
	}
}

// write writes names, functions and publics, the latter two by address.
func (s *symbols) write(out *output, report *Report) {
	s.files.write(out, "FILE ")
	s.origins.write(out, "INLINE_ORIGIN ")
	publics := s.publics
	for i := range s.functions {
		fn := &s.functions[i]
		for len(publics) > 0 && publics[0].rva < fn.rva {
			publics[0].write(out)
			publics = publics[1:]
		}
		fn.write(out, report)
		report.Lines += len(fn.lines)
	}
	for i := range publics {
		publics[i].write(out)
	}
	report.Functions += len(s.functions)
	report.Publics += len(s.publics)
}

func (t *nameTable) write(out *output, record string) {
	for i, name := range t.names {
		out.text(record)
		out.text(strconv.Itoa(i))
		out.text(" ")
		out.text(name)
		out.text("\n")
	}
}

func (p *public) write(out *output) {
	out.text("PUBLIC ")
	if p.multiple {
		out.text("m ")
	}
	out.hex(uint64(p.rva))
	out.text(" 0 ")
	out.text(p.name)
	out.text("\n")
}

func (fn *function) write(out *output, report *Report) {
	out.text("FUNC ")
	if fn.multiple {
		out.text("m ")
	}
	out.hex(uint64(fn.rva))
	out.text(" ")
	out.hex(uint64(fn.size))
	out.text(" 0 ")
	out.text(fn.name)
	out.text("\n")
	report.Inlines += fn.writeInlines(out)
	for i := range fn.lines {
		l := &fn.lines[i]
		b := append(strconv.AppendUint(out.buf[:0], uint64(l.rva), 16), ' ')
		b = append(strconv.AppendUint(b, uint64(l.size), 16), ' ')
		b = append(strconv.AppendUint(b, uint64(l.number), 10), ' ')
		b = append(strconv.AppendUint(b, uint64(l.file), 10), '\n')
		out.buf = b
		out.write(b)
	}
}

// writeInlines writes a record for each call, with all ranges of it, and answers
// how many they are.
func (fn *function) writeInlines(out *output) int {
	slices.SortFunc(fn.inlines, func(a, b inline) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.callLine, b.callLine), cmp.Compare(a.callFile, b.callFile),
			cmp.Compare(a.origin, b.origin), cmp.Compare(a.rva, b.rva))
	})
	records := 0
	b := out.buf[:0]
	for i := 0; i < len(fn.inlines); {
		c := fn.inlines[i]
		records++
		b = append(b[:0], "INLINE "...)
		for _, v := range [...]uint32{c.depth, c.callLine, c.callFile, c.origin} {
			b = append(strconv.AppendUint(b, uint64(v), 10), ' ')
		}
		for i < len(fn.inlines) && fn.inlines[i].sameCall(&c) {
			at, end := fn.inlines[i].rva, uint64(fn.inlines[i].rva)+uint64(fn.inlines[i].size)
			for i++; i < len(fn.inlines) && fn.inlines[i].sameCall(&c) && uint64(fn.inlines[i].rva) == end; i++ {
				end += uint64(fn.inlines[i].size)
			}
			b = append(strconv.AppendUint(b, uint64(at), 16), ' ')
			b = append(strconv.AppendUint(b, end-uint64(at), 16), ' ')
		}
		b[len(b)-1] = '\n'
		out.write(b)
	}
	out.buf = b
	return records
}

func (i *inline) sameCall(of *inline) bool {
	return i.depth == of.depth && i.callLine == of.callLine && i.callFile == of.callFile && i.origin == of.origin
}
