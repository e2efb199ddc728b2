package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ClickHouse/ch-go/compress"
)

// A compressed frame of ClickHouse's protocol: 16 bytes checksum, 1 byte
// method, 4 bytes packed size counted from the method on, 4 bytes unpacked size.
const (
	frameHeaderBytes  = 25
	framePackedOffset = 17
	frameUnpackOffset = 21
	frameInnerHeader  = 9
	writtenFrameBytes = 1 << 20
)

// frameReader unpacks a sequence of compressed frames. It reads each frame
// whole before it unpacks it: so it can tell the end of the sequence (io.EOF)
// from a frame cut short anywhere (io.ErrUnexpectedEOF), which ch-go's reader
// alone cannot after a header. Errors are sticky.
type frameReader struct {
	src      io.Reader
	most     uint32 // bytes of a frame, packed and unpacked
	frame    []byte
	packed   bytes.Reader
	unpack   *compress.Reader
	unpacked uint32 // bytes of the frame not yet handed out
	err      error
}

func newFrameReader(src io.Reader, most uint32) *frameReader {
	r := &frameReader{src: src, most: most}
	r.unpack = compress.NewReader(&r.packed)
	return r
}

func (r *frameReader) Read(p []byte) (int, error) {
	for r.err == nil && r.unpacked == 0 {
		r.err = r.load()
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.unpack.Read(p)
	r.unpacked -= uint32(n)
	if err != nil {
		r.err = fmt.Errorf("compressed frame: %w", noEOF(err))
	}
	return n, r.err
}

// load reads the next frame.
func (r *frameReader) load() error {
	r.frame = append(r.frame[:0], make([]byte, frameHeaderBytes)...)
	n, err := readChunk(r.src, r.frame)
	if n == 0 && errors.Is(err, io.EOF) {
		return io.EOF
	}
	if n < frameHeaderBytes {
		return fmt.Errorf("compressed frame: header: %w", noEOF(err))
	}
	packed := binary.LittleEndian.Uint32(r.frame[framePackedOffset:])
	unpacked := binary.LittleEndian.Uint32(r.frame[frameUnpackOffset:])
	if packed < frameInnerHeader || packed > r.most || unpacked > r.most {
		return fmt.Errorf("compressed frame: %d bytes for %d: want at most %d", packed, unpacked, r.most)
	}
	r.frame = append(r.frame, make([]byte, packed-frameInnerHeader)...)
	if n, err := readChunk(r.src, r.frame[frameHeaderBytes:]); frameHeaderBytes+n < len(r.frame) {
		return fmt.Errorf("compressed frame: %w", noEOF(err))
	}
	r.packed.Reset(r.frame)
	r.unpacked = unpacked
	return nil
}

// noEOF makes an end in the middle of something what it is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// frameWriter packs what is written to it into frames.
type frameWriter struct {
	dst  io.Writer
	pack *compress.Writer
}

func newFrameWriter(dst io.Writer, method compress.Method) *frameWriter {
	return &frameWriter{dst, compress.NewWriter(compress.LevelZero, method)}
}

func (w *frameWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), writtenFrameBytes)]
		if err := w.pack.Compress(part); err != nil {
			return written, err
		}
		if _, err := w.dst.Write(w.pack.Data); err != nil {
			return written, err
		}
		written += len(part)
		p = p[len(part):]
	}
	return written, nil
}
