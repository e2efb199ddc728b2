package collector

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// encoding is how a body is compressed.
type encoding int

const (
	encodingNone encoding = iota
	encodingGzip
	encodingDeflate
	encodingZstd
)

// encodingOf reads a Content-Encoding. One that nobody knows is taken for none, as the
// reference does: then the body is either parts, or refused because it is not.
func encodingOf(header string) encoding {
	switch strings.ToLower(strings.TrimSpace(header)) {
	case "gzip", "x-gzip":
		return encodingGzip
	case "deflate":
		return encodingDeflate
	case "zstd":
		return encodingZstd
	}
	return encodingNone
}

// maxZstdWindow is the window that everybody must be able to read (RFC 9659), and that
// nobody may go beyond.
const maxZstdWindow = 8 << 20

// inflater makes a body of its compressed bytes. Those of gzip are large, and cheap to use
// again.
type inflater struct {
	src   *bufio.Reader
	out   io.Reader
	gzip  *gzip.Reader
	zstd  *zstd.Decoder
	extra bool // something that is no gzip stood behind the last member
}

var (
	gzips    = sync.Pool{New: func() any { return new(gzip.Reader) }}
	inBuffer = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4096) }}
)

// newInflater begins to inflate.
func newInflater(src io.Reader, by encoding) (*inflater, error) {
	f := &inflater{src: inBuffer.Get().(*bufio.Reader)} //nolint:forcetypeassert // the pool holds nothing else
	f.src.Reset(src)
	var err error
	switch by {
	case encodingGzip:
		f.gzip = gzips.Get().(*gzip.Reader) //nolint:forcetypeassert // nor does this one
		err = f.gzip.Reset(f.src)
		f.gzip.Multistream(false)
	case encodingDeflate:
		f.out, err = deflated(f.src)
	default:
		f.zstd, err = zstd.NewReader(f.src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		f.out = f.zstd
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// deflated reads what HTTP calls deflate: zlib's format, or, of clients that took the name
// at its word, deflate itself.
func deflated(src *bufio.Reader) (io.Reader, error) {
	head, err := src.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 { // RFC 1950 2.2
		return zlib.NewReader(src)
	}
	return flate.NewReader(src), nil
}

// Read hands out inflated bytes, of one gzip member after the other. What stands behind the
// last and is no gzip is overlooked: the member before was whole.
func (f *inflater) Read(b []byte) (int, error) {
	if f.gzip == nil {
		return f.out.Read(b)
	}
	for {
		n, err := f.gzip.Read(b)
		if n > 0 || !errors.Is(err, io.EOF) {
			if errors.Is(err, io.EOF) {
				err = nil // asked again, it says so again
			}
			return n, err
		}
		if head, err := f.src.Peek(2); !bytes.Equal(head, gzipMagic) {
			if f.extra = len(head) > 0; err != nil && !errors.Is(err, io.EOF) {
				return 0, err
			}
			return 0, io.EOF
		}
		if err := f.gzip.Reset(f.src); err != nil {
			return 0, err
		}
		f.gzip.Multistream(false)
	}
}

var gzipMagic = []byte{0x1f, 0x8b}

// close gives back what will be used again.
func (f *inflater) close() {
	if f.gzip != nil {
		gzips.Put(f.gzip)
	}
	if f.zstd != nil {
		f.zstd.Close()
	}
	f.src.Reset(nil)
	inBuffer.Put(f.src)
}
