package symbolcache

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"slices"

	"aftershock/breakpad"
	"aftershock/symboldump"
)

const maxRVA = 1<<32 - 1

// Compile reads the text of a symbol file and writes it compiled. Equal texts
// give equal bytes. The error is one of breakpad.Parse, ErrTooLarge, or the
// reader's or writer's; w may have got a part of the file then. A Cache also
// bounds the memory that compilers hold (Options.MaxCompileBytes).
//
// It is one pass: the code of a function is written when the next one starts,
// and what is held until the end is a few dozen bytes a symbol, the names, each
// once, and STACK records.
func Compile(w io.Writer, r io.Reader) error { return compile(newOutput(w), r, &meter{}, nil) }

// compile also writes the code of a module's own file, if there is any.
func compile(o *output, r io.Reader, m *meter, code []symboldump.Segment) error {
	c := &compiler{out: o, names: newNames(), meter: m}
	c.names.meter, c.files.meter, c.origins.meter = m, m, m
	m.hold(compilerBytes)
	text := &hashed{r: r, sum: sha256.New()}
	file, err := breakpad.Scan(text, breakpad.ParseOptions{}, c)
	if err != nil {
		return err
	}
	c.endFunction()
	c.meta(file)
	c.symbols(file.OldInlines())
	cfi := newCFITable(file.CFIRows())
	file.EachCFI(cfi.row)
	cfi.write(o)
	writeWin(o, file)
	c.arch = file.Arch()
	writeModule(o, c, code)
	if c.names.full {
		return ErrTooLarge
	}
	h := &o.header
	h.arch, h.textBytes = file.Arch(), text.size
	h.records, h.badLines = uint64(file.Records()), uint64(file.BadLines())
	text.sum.Sum(h.textSHA256[:0])
	return o.finish()
}

// hashed is a reader that hashes what it reads.
type hashed struct {
	r    io.Reader
	sum  hash.Hash
	size uint64
}

func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.sum.Write(p[:n])
	h.size += uint64(n)
	return n, err
}

// compiler is the sink of the records of one text.
type compiler struct {
	out     *output
	names   *names
	meter   *meter
	files   definitions
	origins definitions

	functions []function
	publics   []public
	arch      breakpad.Arch
	body      body // of the last function
}

// function is what is kept of a function until all have been read.
type function struct {
	first, last   uint32
	name          uint32
	parameterSize uint32
	code          uint32 // offset of its entry in the code section
}

// public is a PUBLIC record.
type public struct{ rva, parameterSize, name uint32 }

func (c *compiler) File(id uint32, name []byte) { c.files.define(id, c.names.number(name)) }

func (c *compiler) Origin(id uint32, name []byte) { c.origins.define(id, c.names.number(name)) }

// Unwind is what breakpad holds.
func (c *compiler) Unwind(bytes int) { c.meter.hold(bytes) }

// Err ends the scan.
func (c *compiler) Err() error { return cmp.Or(c.meter.failed(), c.out.err) }

func (c *compiler) Function(r breakpad.FuncRecord) {
	c.endFunction()
	c.meter.hold(functionBytes)
	c.functions = append(c.functions, function{
		first: r.First, last: r.Last, name: c.names.number(r.Name), parameterSize: r.ParameterSize,
		code: uint32(c.out.size()),
	})
	c.body.reset(r.First, r.Last)
}

func (c *compiler) endFunction() {
	if len(c.functions) > 0 {
		c.out.append(c.body.encode())
	}
}

func (c *compiler) Line(r breakpad.LineRecord) {
	if len(c.body.lines) == cap(c.body.lines) {
		c.meter.hold(lineBytes * max(cap(c.body.lines), 1))
	}
	c.body.lines = append(c.body.lines, line{r.First, r.Last, r.Number, c.files.index(r.File)})
}

func (c *compiler) Inline(r breakpad.InlineRecord) {
	in := call{origin: c.origins.index(r.Origin), line: r.CallLine, depth: r.Depth, old: r.Old}
	if !r.Old {
		in.file = c.files.index(r.CallFile)
	}
	if room := cap(c.body.ranges) - len(c.body.ranges); room < len(r.Ranges) {
		c.meter.hold(rangeBytes * max(cap(c.body.ranges), len(r.Ranges)))
	}
	if len(c.body.calls) == cap(c.body.calls) {
		c.meter.hold(callBytes * max(cap(c.body.calls), 1))
	}
	for _, at := range r.Ranges {
		c.body.ranges = append(c.body.ranges, inlineRange{
			key: uint64(r.Depth)<<32 | uint64(at.First), size: at.Size, call: uint32(len(c.body.calls)),
		})
	}
	c.body.calls = append(c.body.calls, in)
}

func (c *compiler) Public(r breakpad.PublicRecord) {
	c.meter.hold(publicBytes)
	c.publics = append(c.publics, public{r.RVA, r.ParameterSize, c.names.number(r.Name)})
}

func (c *compiler) meta(file *breakpad.File) {
	var b []byte
	for _, s := range []string{file.OS, file.DebugID, file.Name, file.CodeID, file.CodeFile, file.URL, string(file.Encoding)} {
		b = appendText(b, []byte(s))
	}
	flags := byte(0)
	if file.Strict() {
		flags |= metaStrict
	}
	b = append(b, flags)
	c.out.section(sectionMeta, b)
}

// run is the part of the module that one symbol covers.
type run struct {
	first, last uint32
	name        uint32
	parameters  uint32
	start       uint32 // of a function its code, of a PUBLIC symbol its address
	public      bool
}

// runs lays functions and PUBLIC symbols side by side: those of PUBLIC symbols
// go from each to the next symbol, as far as no function covers them. None goes
// on behind a function that starts at or after it.
func (c *compiler) runs() []run {
	functions := breakpad.Disjoint(c.functions, func(f function) (uint32, uint32) { return f.first, f.last })
	publics := c.lastPublics()
	runs := make([]run, 0, len(functions)+len(publics))
	next := 0 // of functions
	for i, p := range publics {
		for ; next < len(functions) && functions[next].first <= p.rva; next++ {
			runs = append(runs, functions[next].run())
		}
		first, last := uint64(p.rva), uint64(maxRVA)
		if next > 0 {
			before := &functions[next-1]
			if before.first == p.rva {
				continue
			}
			first = max(first, uint64(before.last)+1)
		}
		if next < len(functions) {
			last = uint64(functions[next].first) - 1
		}
		if i+1 < len(publics) {
			last = min(last, uint64(publics[i+1].rva)-1)
		}
		if first <= last {
			runs = append(runs, run{uint32(first), uint32(last), p.name, p.parameterSize, p.rva, true})
		}
	}
	for ; next < len(functions); next++ {
		runs = append(runs, functions[next].run())
	}
	return runs
}

func (f *function) run() run { return run{f.first, f.last, f.name, f.parameterSize, f.code, false} }

// lastPublics sorts PUBLIC records; of several at one address the one with the
// greatest name counts, then the one with the most parameters.
func (c *compiler) lastPublics() []public {
	slices.SortFunc(c.publics, func(a, b public) int {
		return cmp.Or(cmp.Compare(a.rva, b.rva), bytes.Compare(c.names.text(a.name), c.names.text(b.name)), cmp.Compare(a.parameterSize, b.parameterSize))
	})
	kept := c.publics[:0]
	for i, p := range c.publics {
		if i+1 == len(c.publics) || c.publics[i+1].rva != p.rva {
			kept = append(kept, p)
		}
	}
	return kept
}

// symbols writes the sections from symbols to names.
func (c *compiler) symbols(oldInlines bool) {
	declared := make([]uint32, len(c.origins.names)) // where origins are
	for i, name := range c.origins.names {
		declared[i] = undefined
		if oldInlines && name != undefined {
			c.origins.names[i], declared[i] = c.oldOrigin(name)
		}
	}
	runs := c.runs()
	order := c.names.sorted()
	spellings := c.names.spellings(order)
	addresses := make([]uint32, len(runs))
	c.out.section(sectionSymbols, nil)
	entry := newTable(symbolSize / 4)
	for i, r := range runs {
		addresses[i] = r.first
		s := spellings[r.name]
		if r.public {
			s.shared |= publicBit
		}
		entry = entry[:0]
		entry.append(r.first, r.last, r.parameters, r.start)
		entry.name(s)
		c.out.append(entry)
	}
	c.out.section(sectionSymbolIndex, appendAddressIndex(nil, addresses, 1))
	c.out.section(sectionOrigins, nil)
	for i, file := range declared {
		entry = entry[:0]
		entry.append(file)
		entry.name(named(spellings, c.origins.names[i]))
		c.out.append(entry)
	}
	c.out.section(sectionFiles, nil)
	for _, name := range c.files.names {
		entry = entry[:0]
		entry.name(named(spellings, name))
		c.out.append(entry)
	}
	c.names.write(c.out, order, spellings)
}

func named(spellings []spelling, name uint32) spelling {
	if name == undefined {
		return spelling{shared: undefined}
	}
	return spellings[name]
}

// oldOrigin takes the name of an origin of the older form apart.
func (c *compiler) oldOrigin(text uint32) (name, file uint32) {
	id, rest, ok := breakpad.OldOrigin(c.names.text(text))
	if !ok {
		return text, undefined
	}
	return c.names.number(rest), c.files.index(id)
}

// table is numbers of 32 bits.
type table []byte

func newTable(numbers int) table { return make(table, 0, 4*numbers) }

func (t *table) append(numbers ...uint32) {
	for _, v := range numbers {
		*t = binary.LittleEndian.AppendUint32(*t, v)
	}
}

func (t *table) name(s spelling) { t.append(s.whole, s.shared, s.rest, s.size) }
