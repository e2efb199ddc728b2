package collector

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"aftershock/schema"
)

// packed is a dump as it is stored. Its original bytes are in memory as a whole only
// when they cannot be compressed.
type packed struct {
	name     string
	size     int64
	sum      schema.SHA256
	stored   []byte
	encoding schema.Encoding // of stored: zstd frames, or as it came
	minidump bool            // it begins as one does
}

// compressor is safe for concurrent EncodeAll. Of zstd's levels it takes the fastest:
// the next one costs twice the time for a fiftieth of the size.
var compressor = func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constant
	}
	return e
}()

// packPiece of a dump is compressed at once, a frame each: a stream would cost a
// fourth more, for copies of what it remembers.
const packPiece = 4 << 20

// packer digests and compresses on the way.
type packer struct {
	sum    hash.Hash
	piece  []byte
	stored []byte
	size   int64
	magic  [4]byte // the first bytes
}

var packers = sync.Pool{New: func() any { return &packer{sum: sha256.New()} }}

func (p *packer) Write(b []byte) (n int, err error) {
	n = len(b)
	if p.size < int64(len(p.magic)) {
		copy(p.magic[p.size:], b)
	}
	p.size += int64(n)
	p.sum.Write(b)
	for len(b) > 0 {
		if len(p.piece) == packPiece {
			p.flush()
		}
		fits := min(packPiece-len(p.piece), len(b))
		p.piece = append(p.piece, b[:fits]...)
		b = b[fits:]
	}
	return n, nil
}

func (p *packer) flush() {
	p.stored = compressor.EncodeAll(p.piece, p.stored)
	p.piece = p.piece[:0]
}

// unpacker is safe for concurrent DecodeAll. It reads what packers have just written.
var unpacker = func() *zstd.Decoder {
	d, err := zstd.NewReader(nil)
	if err != nil {
		panic(err) // the options are constant
	}
	return d
}()

// pack reads a dump. What is stored is never larger than the dump: where compressing
// saves nothing, it is the dump itself.
func pack(name string, src io.WriterTo) (packed, error) {
	p := packers.Get().(*packer)
	defer packers.Put(p)
	p.sum.Reset()
	p.piece, p.stored, p.size, p.magic = p.piece[:0], nil, 0, [4]byte{}
	if _, err := src.WriteTo(p); err != nil {
		return packed{}, err
	}
	if len(p.piece) > 0 {
		p.flush()
	}
	d := packed{name: name, size: p.size, stored: p.stored, encoding: schema.EncodingZstd, minidump: string(p.magic[:]) == schema.MinidumpSignature}
	p.stored = nil
	p.sum.Sum(d.sum[:0])
	if int64(len(d.stored)) >= d.size {
		var err error
		d.encoding = schema.EncodingNone
		if d.stored, err = unpacker.DecodeAll(d.stored, make([]byte, 0, d.size)); err != nil {
			return packed{}, fmt.Errorf("a dump as it came: %w", err)
		}
	}
	return d, nil
}
