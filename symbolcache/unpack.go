package symbolcache

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Why a body is no symbol file. Both make a lookup Malformed.
var (
	errTooLarge = errors.New("symbol file too large")
	errPacked   = errors.New("compressed symbol file is damaged")
)

const (
	// maxRatio bounds how much larger the text may be than what was fetched.
	// Symbol files reach 5 to 20.
	maxRatio = 200
	// ratioFreeBytes of text may have any ratio: short files of few different
	// lines compress well.
	ratioFreeBytes = 1 << 20
	// maxWindowBytes is the memory that a zstd stream may ask for; it is that of
	// zstd --long.
	maxWindowBytes = 128 << 20
)

// fetched reads a source's body, bounded, and remembers what the source did
// wrong: a damaged stream can then be told from a broken connection.
type fetched struct {
	src         io.Reader
	read, limit int64
	err         error
}

func (f *fetched) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.src.Read(p)
	if f.read += int64(n); f.read > f.limit {
		n, err = 0, fmt.Errorf("%w: more than %d bytes to fetch", errTooLarge, f.limit)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// unpacked reads the text in a body, whatever it is named: gzip, zstd or plain.
type unpacked struct {
	src         io.Reader
	from        *fetched
	packed      bool
	close       func()
	read, limit int64
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// unpack looks at the first bytes. The caller closes the result.
func unpack(from *fetched, limit int64) (*unpacked, error) {
	buffered := bufio.NewReaderSize(from, 64<<10)
	head, err := buffered.Peek(len(zstdMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	u := &unpacked{src: buffered, from: from, limit: limit, close: func() {}}
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, u.blame(err)
		}
		u.src, u.packed = z, true
	case bytes.HasPrefix(head, zstdMagic):
		z, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindowBytes))
		if err != nil {
			return nil, u.blame(err)
		}
		u.src, u.packed, u.close = z, true, z.Close
	}
	return u, nil
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.src.Read(p)
	u.read += int64(n)
	switch {
	case u.read > u.limit:
		return 0, fmt.Errorf("%w: more than %d bytes of text", errTooLarge, u.limit)
	case u.packed && u.read > ratioFreeBytes && u.read > maxRatio*u.from.read:
		return 0, fmt.Errorf("%w: %d bytes of text in %d bytes", errTooLarge, u.read, u.from.read)
	case err != nil && u.packed && !errors.Is(err, io.EOF):
		return n, u.blame(err)
	}
	return n, err
}

// blame returns the source's error if it had one: the stream ends early then.
func (u *unpacked) blame(err error) error {
	if u.from.err != nil {
		return u.from.err
	}
	return fmt.Errorf("%w: %w", errPacked, err)
}
