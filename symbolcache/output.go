package symbolcache

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"
)

// output writes a file from front to end, so that what has been written need
// not be kept. Sections come in their order; the first error stays.
type output struct {
	w      *bufio.Writer
	header header
	sizes  [sectionCount]uint64
	at     section
	limit  uint64 // of a section's bytes
	err    error
}

const outputBuffer = 256 << 10

func newOutput(w io.Writer) *output {
	o := &output{w: bufio.NewWriterSize(w, outputBuffer), limit: maxSectionBytes}
	_, o.err = o.w.Write(front())
	return o
}

// append adds b to the section that is being written.
func (o *output) append(b []byte) {
	s := &o.header.sections[o.at]
	if o.sizes[o.at] += uint64(len(b)); o.sizes[o.at] > o.limit && o.err == nil {
		o.err = fmt.Errorf("%w: section %q exceeds %d bytes", ErrTooLarge, sections[o.at].name, o.limit)
	}
	if o.err != nil {
		return
	}
	s.checksum = crc32.Update(s.checksum, castagnoli, b)
	_, o.err = o.w.Write(b)
}

// size is that of the section that is being written.
func (o *output) size() uint64 { return o.sizes[o.at] }

// next ends a section.
func (o *output) next() {
	var padding [sectionAlign]byte
	if n := o.sizes[o.at] % sectionAlign; n > 0 && o.err == nil {
		_, o.err = o.w.Write(padding[n:])
	}
	o.at++
}

// section writes a whole section.
func (o *output) section(s section, b []byte) {
	for o.at < s {
		o.next()
	}
	o.append(b)
}

// finish ends the last section and writes the footer.
func (o *output) finish() error {
	for o.at < sectionCount {
		o.next()
	}
	o.header.size = o.header.layout(o.sizes) + uint64(footerSize)
	if o.err == nil {
		_, o.err = o.w.Write(o.header.encode())
	}
	if o.err == nil {
		o.err = o.w.Flush()
	}
	return o.err
}
