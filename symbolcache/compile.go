package symbolcache

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"aftershock/breakpad"
)

const maxRVA = 1<<32 - 1

// Compile reads the text of a symbol file and writes it compiled. Equal texts
// give equal bytes. The error is one of breakpad.Parse, ErrTooLarge, or the
// reader's or writer's.
//
// It tabulates answers instead of translating records: the text tells at which
// addresses an answer can change, breakpad.File what it is there. So a compiled
// file cannot disagree with the parsed one about what overlapping, unsorted or
// broken records mean. The price is memory: the parsed file, four bytes a
// boundary and the output are held at once.
func Compile(w io.Writer, r io.Reader) error {
	var at boundaries
	sum, size := sha256.New(), counter(0)
	file, err := breakpad.Parse(io.TeeReader(r, io.MultiWriter(sum, &size, &at)), breakpad.ParseOptions{})
	if err != nil {
		return err
	}
	at.finish()
	c := newCompiler(file)
	c.locations(sorted(at.code))
	c.cfi(sorted(at.cfi))
	c.win(sorted(at.win))
	h := header{
		arch: file.Arch(), textBytes: uint64(size),
		records: uint64(file.Records()), badLines: uint64(file.BadLines()),
	}
	sum.Sum(h.textSHA256[:0])
	return c.write(w, &h, maxSectionBytes)
}

type counter uint64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func sorted(addresses []uint32) []uint32 {
	slices.Sort(addresses)
	return slices.Compact(addresses)
}

// compiler builds the sections of one file.
type compiler struct {
	file     *breakpad.File
	sections [sectionCount][]byte
	text     texts
	files    map[uint32]uint32 // text → index in the files section
	nodes    map[node]uint32   // of the current function → offset in the nodes section
	answer   breakpad.Locations

	// The run that is being written.
	open     bool // lookups at the current address end in it
	segments int
	run      run
	last     segment // what holds at the current address
	at       uint32  // where it starts to
	// What the next segment's numbers count from: those that the run named last.
	lastFile, lastLine, lastNode uint32
}

// run is an entry of the runs section: up to runSegments segments of one symbol.
// The last address that it covers is not known before the next one starts.
type run struct {
	base          uint32 // where the function starts; the run may start later
	name          uint32 // text
	parameterSize uint32
}

// place is where in the source an address is or a call stands. The zero place
// is unknown.
type place struct {
	known      bool
	file, line uint32
	rva        uint32 // where its line record or the call's range starts
}

// segment is what holds from an address to the next segment of the run.
type segment struct {
	place place  // of the innermost function
	node  uint32 // of the innermost inlined call; 0 without
}

// node is an inlined call: its function, the call that it is in, and where
// that one calls it.
type node struct {
	parent uint32 // 0 for the function itself
	name   uint32
	rva    uint32 // where the range of the call starts
	call   place
}

func newCompiler(file *breakpad.File) *compiler {
	c := &compiler{file: file, text: newTexts(), files: map[uint32]uint32{}, nodes: map[node]uint32{}}
	for _, s := range []string{file.OS, file.DebugID, file.Name, file.CodeID, file.URL} {
		c.sections[sectionMeta] = appendText(c.sections[sectionMeta], []byte(s))
	}
	c.sections[sectionNodes] = []byte{0} // offset 0 is no node
	return c
}

// locations tabulates the answers of AppendLocations.
func (c *compiler) locations(addresses []uint32) {
	for _, address := range addresses {
		c.answer.Reset()
		c.file.AppendLocations(&c.answer, uint64(address))
		answer := c.answer.List
		if len(answer) == 0 {
			c.end(address)
			continue
		}
		real := &answer[len(answer)-1]
		r := run{uint32(real.FunctionRVA), c.text.at(real.Function), real.ParameterSize}
		if r.base != c.run.base {
			clear(c.nodes) // they count addresses from it
		}
		s := segment{c.place(&answer[0]), c.chain(r.base)}
		if !c.open || r != c.run || c.segments == runSegments && s != c.last {
			c.start(address, r)
		}
		c.segment(address, s)
	}
}

// start begins a run.
func (c *compiler) start(address uint32, r run) {
	c.end(address)
	le := binary.LittleEndian
	c.sections[sectionRunAddresses] = le.AppendUint32(c.sections[sectionRunAddresses], address)
	b := c.sections[sectionRuns]
	b = le.AppendUint32(b, maxRVA)
	b = le.AppendUint32(b, r.base)
	b = le.AppendUint32(b, r.name)
	b = le.AppendUint32(b, r.parameterSize)
	c.sections[sectionRuns] = le.AppendUint32(b, uint32(len(c.sections[sectionSegments])))
	c.open, c.segments, c.run, c.last, c.at = true, 0, r, segment{}, address
	c.lastFile, c.lastLine, c.lastNode = 0, 0, 0
}

// end ends the run before address, if there is one.
func (c *compiler) end(address uint32) {
	if b := c.sections[sectionRuns]; c.open {
		binary.LittleEndian.PutUint32(b[len(b)-runSize:], address-1)
	}
	c.open = false
}

// segment writes what holds from address on.
func (c *compiler) segment(address uint32, s segment) {
	if s == c.last {
		return
	}
	code := uint64(segmentLine)
	switch {
	case !s.place.known:
		code = segmentNoLine
	case s.place == c.last.place:
		code = segmentSameLine
	case s.place.rva != address:
		code = segmentAnyLine
	default:
		if s.place.file != c.lastFile {
			code |= segmentFileBit
		}
		if s.node != c.last.node {
			code |= segmentNodeBit
		}
	}
	c.append(sectionSegments, uint64(address-c.at)<<segmentCodeBits|code)
	if code == segmentAnyLine {
		c.append(sectionSegments, uint64(address-s.place.rva))
	}
	if hasFile(code) {
		c.append(sectionSegments, uint64(s.place.file))
		c.lastFile = s.place.file
	}
	if hasLine(code) {
		c.append(sectionSegments, zigzag(s.place.line-c.lastLine))
		c.lastLine = s.place.line
	}
	if hasNode(code) {
		c.appendNode(s.node)
	}
	c.segments++
	c.last, c.at = s, address
}

func (c *compiler) appendNode(node uint32) {
	if node == 0 {
		c.append(sectionSegments, 0)
		return
	}
	c.append(sectionSegments, 1+zigzag(node-c.lastNode))
	c.lastNode = node
}

func (c *compiler) append(s section, v uint64) {
	c.sections[s] = binary.AppendUvarint(c.sections[s], v)
}

// place is where l is. A place without file, line and start is unknown: an
// answer shows no more.
func (c *compiler) place(l *breakpad.Location) place {
	if len(l.File) == 0 && l.Line == 0 && l.LineRVA == 0 {
		return place{}
	}
	name := c.text.at(l.File)
	index, ok := c.files[name]
	if !ok {
		index = uint32(len(c.files))
		c.files[name] = index
		c.sections[sectionFiles] = binary.LittleEndian.AppendUint32(c.sections[sectionFiles], name)
	}
	return place{true, index, l.Line, uint32(l.LineRVA)}
}

// chain answers the node of the innermost inlined call of the answer.
func (c *compiler) chain(base uint32) uint32 {
	at := uint32(0)
	answer := c.answer.List
	for i := len(answer) - 2; i >= 0; i-- {
		l := &answer[i]
		at = c.node(base, node{at, c.text.at(l.Function), uint32(l.FunctionRVA), c.place(&answer[i+1])})
	}
	return at
}

// node answers where n is in the section. Runs of one function share nodes.
func (c *compiler) node(base uint32, n node) uint32 {
	at, ok := c.nodes[n]
	if ok {
		return at
	}
	at = uint32(len(c.sections[sectionNodes]))
	c.nodes[n] = at
	code := uint64(callAtStart)
	switch {
	case !n.call.known:
		code = callUnknown
	case n.call.rva != n.rva:
		code = callAnywhere
	}
	back := uint64(0)
	if n.parent != 0 {
		back = uint64(at - n.parent)
	}
	c.append(sectionNodes, back<<callCodeBits|code)
	c.append(sectionNodes, uint64(n.name))
	c.append(sectionNodes, zigzag(n.rva-base))
	if code == callAnywhere {
		c.append(sectionNodes, zigzag(n.call.rva-base))
	}
	if code != callUnknown {
		c.append(sectionNodes, uint64(n.call.file))
		c.append(sectionNodes, uint64(n.call.line))
	}
	return at
}

// write writes the file. No section may exceed limit.
func (c *compiler) write(w io.Writer, h *header, limit uint64) error {
	c.sections[sectionStrings] = c.text.bytes
	var sizes [sectionCount]uint64
	for i, b := range c.sections {
		if sizes[i] = uint64(len(b)); sizes[i] > limit {
			return fmt.Errorf("%w: section %q has %d bytes, limit %d", ErrTooLarge, sections[i].name, len(b), limit)
		}
		h.sections[i].checksum = crc32.Checksum(b, castagnoli)
	}
	h.size = h.layout(sizes)
	if _, err := w.Write(h.encode()); err != nil {
		return err
	}
	var padding [sectionAlign]byte
	end := uint64(headerBytes)
	for i, b := range c.sections {
		if _, err := w.Write(padding[:h.sections[i].offset-end]); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		end = h.sections[i].offset + sizes[i]
	}
	_, err := w.Write(padding[:h.size-end])
	return err
}
