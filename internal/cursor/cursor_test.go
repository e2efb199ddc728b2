package cursor_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"aftershock/internal/cursor"
)

func TestReadsEveryWidthInOrder(t *testing.T) {
	buf := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	c := cursor.New(buf, binary.LittleEndian)
	if got := c.U8(); got != 1 {
		t.Errorf("U8 = %d", got)
	}
	if got := c.U16(); got != 0x0302 {
		t.Errorf("U16 = %#x", got)
	}
	if got := c.U32(); got != 0x07060504 {
		t.Errorf("U32 = %#x", got)
	}
	if got := c.U64(); got != 0x0f0e0d0c0b0a0908 {
		t.Errorf("U64 = %#x", got)
	}
	b := cursor.New(buf, binary.BigEndian)
	if got := b.U32(); got != 0x01020304 {
		t.Errorf("big-endian U32 = %#x", got)
	}
	if c.Len() != 1 || c.Offset() != 15 || c.Err() != nil {
		t.Errorf("Len %d, Offset %d, Err %v", c.Len(), c.Offset(), c.Err())
	}
}

func TestErrorIsStickyAndNamesThePlace(t *testing.T) {
	c := cursor.New([]byte{1, 2, 3}, binary.LittleEndian)
	c.U16()
	if got := c.U32(); got != 0 {
		t.Errorf("U32 past the end = %d", got)
	}
	if got := c.U8(); got != 0 {
		t.Errorf("a read after an error = %d, want 0 although a byte is left", got)
	}
	if !errors.Is(c.Err(), cursor.ErrTruncated) {
		t.Fatalf("Err = %v", c.Err())
	}
	if want := "at 0x2: want 4 bytes, have 1: truncated"; c.Err().Error() != want {
		t.Errorf("Err = %q, want %q", c.Err(), want)
	}
}

func TestHugeLengthsDoNotWrap(t *testing.T) {
	c := cursor.New(make([]byte, 8), binary.LittleEndian)
	c.Skip(4)
	if b := c.Bytes(math.MaxUint64); b != nil || c.Err() == nil {
		t.Errorf("Bytes(MaxUint64) = %v, Err %v", b, c.Err())
	}
}

func TestCountRefusesWhatCannotFollow(t *testing.T) {
	for name, tc := range map[string]struct {
		count uint32
		tail  int
		want  int
		ok    bool
	}{
		"exactly fits":   {3, 12, 3, true},
		"one byte short": {3, 11, 0, false},
		"huge":           {math.MaxUint32, 12, 0, false},
		"none":           {0, 0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			buf := binary.LittleEndian.AppendUint32(nil, tc.count)
			c := cursor.New(append(buf, make([]byte, tc.tail)...), binary.LittleEndian)
			if got := c.Count(4); got != tc.want || (c.Err() == nil) != tc.ok {
				t.Errorf("Count = %d, Err %v", got, c.Err())
			}
		})
	}
}

func TestBytesAreCapped(t *testing.T) {
	buf := []byte{1, 2, 3, 4}
	c := cursor.New(buf, binary.LittleEndian)
	_ = append(c.Bytes(2), 9)
	if buf[2] != 3 {
		t.Error("an append to the result overwrote what follows")
	}
}

func FuzzCursorStaysInside(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 9}, []byte{0, 1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, buf, ops []byte) {
		c := cursor.New(buf, binary.LittleEndian)
		for _, op := range ops {
			switch op % 6 {
			case 0:
				c.U8()
			case 1:
				c.U16()
			case 2:
				c.U32()
			case 3:
				c.U64()
			case 4:
				if n := c.Count(uint64(op)); op > 0 && n > len(buf)/int(op) {
					t.Fatalf("Count(%d) = %d of %d bytes", op, n, len(buf))
				}
			case 5:
				c.Bytes(uint64(op) << (op % 57))
			}
			if c.Offset() > len(buf) {
				t.Fatalf("Offset %d of %d", c.Offset(), len(buf))
			}
		}
	})
}
