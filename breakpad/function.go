package breakpad

// unknown is an index that nothing has: of a file or origin whose id is not
// defined.
const unknown = 1<<32 - 1

// tables is the Sink that keeps all records in a File.
type tables struct {
	file      *File
	fileIDs   map[uint32]uint32 // id in the text → index in File.files
	originIDs map[uint32]uint32 // id in the text → index in File.origins
}

// keep stores a name and answers where.
func (t *tables) keep(name []byte) text {
	at := text{uint32(len(t.file.names)), uint32(len(name))}
	t.file.names = append(t.file.names, name...)
	return at
}

func (t *tables) File(id uint32, name []byte) {
	t.fileIDs[id] = uint32(len(t.file.files))
	t.file.files = append(t.file.files, t.keep(name))
}

func (t *tables) Origin(id uint32, name []byte) {
	t.originIDs[id] = uint32(len(t.file.origins))
	t.file.origins = append(t.file.origins, origin{name: t.keep(name), file: unknown})
}

func (t *tables) Function(r FuncRecord) {
	f := t.file
	f.functions = append(f.functions, function{
		first: r.First, last: r.Last, parameterSize: r.ParameterSize, name: t.keep(r.Name),
		lines:   slice{uint32(len(f.lines)), uint32(len(f.lines))},
		inlines: slice{uint32(len(f.inlines)), uint32(len(f.inlines))},
	})
}

// Unwind and Err: nothing bounds what a File holds but the limits.
func (t *tables) Unwind(int) {}

func (t *tables) Err() error { return nil }

func (t *tables) current() *function { return &t.file.functions[len(t.file.functions)-1] }

func (t *tables) Line(r LineRecord) {
	t.file.lines = append(t.file.lines, line{first: r.First, last: r.Last, number: r.Number, file: r.File})
	t.current().lines.end = uint32(len(t.file.lines))
}

func (t *tables) Inline(r InlineRecord) {
	for _, at := range r.Ranges {
		t.file.inlines = append(t.file.inlines, inlineRange{
			depth: r.Depth, first: at.First, size: at.Size,
			callFile: r.CallFile, callLine: r.CallLine, origin: r.Origin, old: r.Old,
		})
	}
	t.current().inlines.end = uint32(len(t.file.inlines))
}

func (t *tables) Public(r PublicRecord) {
	t.file.publics = append(t.file.publics, public{rva: r.RVA, parameterSize: r.ParameterSize, name: t.keep(r.Name)})
}

// resolve turns the ids of files and origins into indices.
func (t *tables) resolve() {
	f := t.file
	if f.oldInlines {
		t.splitOrigins()
	}
	for i := range f.lines {
		f.lines[i].file = t.fileIndex(f.lines[i].file)
	}
	for i := range f.inlines {
		in := &f.inlines[i]
		in.callFile = t.fileIndex(in.callFile)
		if index, ok := t.originIDs[in.origin]; ok {
			in.origin = index
		} else {
			in.origin = unknown
		}
	}
}

// splitOrigins gives every origin its declaration file.
func (t *tables) splitOrigins() {
	for i := range t.file.origins {
		o := &t.file.origins[i]
		file, name, ok := OldOrigin(t.file.text(o.name))
		if !ok {
			continue
		}
		o.file = t.fileIndex(file)
		o.name = text{o.name.start + o.name.size - uint32(len(name)), uint32(len(name))}
	}
}

func (t *tables) fileIndex(id uint32) uint32 {
	if i, ok := t.fileIDs[id]; ok {
		return i
	}
	return unknown
}
