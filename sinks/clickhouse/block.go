package clickhouse

import (
	"fmt"
	"slices"

	"github.com/ClickHouse/ch-go/compress"
	chproto "github.com/ClickHouse/ch-go/proto"
)

const (
	// rowsAtATime are read column by column: as many as a processor's cache holds.
	rowsAtATime = 32
	// frameBytes of a block are compressed at a time.
	frameBytes = 1 << 20
	// maxKeptBlocks of each table wait for the next insert. A block that was larger than
	// maxKeptBytes in Native form does not: it has about four times as much memory. A full
	// batch of crashes comes to 5 MiB.
	maxKeptBlocks = 2
	maxKeptBytes  = 8 << 20
)

// block makes the body of an insert: rows by columns, in ClickHouse's Native format,
// in compressed frames. It is used again: what it has grown to is what the next rows
// need. One goroutine uses it at a time.
type block struct {
	columns []values
	input   chproto.Input
	native  chproto.Buffer
	packer  *compress.Writer
	packed  []byte
}

func newBlock(columns []column) *block {
	b := &block{packer: compress.NewWriter(compress.LevelZero, compress.LZ4)}
	for _, c := range columns {
		v := c.values()
		b.columns = append(b.columns, v)
		b.input = append(b.input, chproto.InputColumn{Name: c.name, Data: v.data})
	}
	return b
}

// pack returns the whole body of an insert of the rows, valid until the next call.
func (b *block) pack(rows []row) ([]byte, error) {
	b.native.Reset()
	b.packed = b.packed[:0]
	for few := range slices.Chunk(rows, rowsAtATime) {
		for _, c := range b.columns {
			for i := range few {
				c.add(&few[i])
			}
		}
	}
	defer b.input.Reset() // nothing of the rows stays
	// Revision 0: what HTTP wants, without block info.
	if err := (chproto.Block{Columns: len(b.input), Rows: len(rows)}).EncodeRawBlock(&b.native, 0, b.input); err != nil {
		return nil, fmt.Errorf("native block: %w", err)
	}
	for rest := b.native.Buf; len(rest) > 0; {
		n := min(len(rest), frameBytes)
		if err := b.packer.Compress(rest[:n]); err != nil {
			return nil, fmt.Errorf("native block: compress: %w", err)
		}
		b.packed = append(b.packed, b.packer.Data...)
		rest = rest[n:]
	}
	return b.packed, nil
}

// block returns a kept block, or a new one.
func (t *table) block() *block {
	select {
	case b := <-t.kept:
		return b
	default:
		return newBlock(t.columns)
	}
}

// keep keeps a block that nobody uses any more, if it is small and there is room.
func (t *table) keep(b *block) {
	if len(b.native.Buf) > maxKeptBytes {
		return
	}
	select {
	case t.kept <- b:
	default:
	}
}
