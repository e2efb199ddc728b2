package clickhouse

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/compress"
	chproto "github.com/ClickHouse/ch-go/proto"

	"aftershock/schema"
)

// encoded is a column's form in a block.
func encoded(t *testing.T, c chproto.Column) []byte {
	t.Helper()
	var out chproto.Buffer
	if err := (chproto.Block{Columns: 1, Rows: c.Rows()}).EncodeRawBlock(&out, 0, []chproto.InputColumn{{Name: "c", Data: c}}); err != nil {
		t.Fatal(err)
	}
	return out.Buf
}

// Our column makes the same bytes as ch-go's, where keys get wider and when it is used again.
func TestWordsAreEncodedAsChGoDoes(t *testing.T) {
	c := newWords()
	for _, distinct := range []int{0, 1, 255, 256, 257, 65535, 65536, 65537, 3} {
		c.Reset()
		want := new(chproto.ColStr).LowCardinality()
		for i := range distinct {
			for _, v := range []string{fmt.Sprint("value ", i), fmt.Sprint("value ", i), fmt.Sprint("value ", i/2), ""}[:1+i%4] {
				c.Append(v)
				want.Append(v)
			}
		}
		if !bytes.Equal(encoded(t, c), encoded(t, want)) {
			t.Errorf("%d values: other bytes", distinct)
		}
		for i := range c.Rows() {
			if c.Row(i) != want.Row(i) {
				t.Fatalf("%d values: row %d is %q, want %q", distinct, i, c.Row(i), want.Row(i))
			}
		}
	}
}

// A column that may be NULL has the same bytes as ch-go's of keys, whose first is NULL's.
func TestNullableWordsHaveTheirFirstKeyForNull(t *testing.T) {
	c := newNullableWords()
	for range 2 { // again, when it was reset
		c.Reset()
		for _, v := range []string{"a", "", "NULL", "a", "NULL"} {
			if v == "NULL" {
				c.AppendNull()
			} else {
				c.Append(v)
			}
		}
		dictionary := new(chproto.ColStr)
		for _, v := range []string{"", "a", ""} {
			dictionary.Append(v)
		}
		want := &chproto.ColLowCardinalityRaw{Index: dictionary, Key: chproto.KeyUInt8}
		for _, key := range []int{1, 2, 0, 1, 0} {
			want.AppendKey(key)
		}
		got, plain := encoded(t, c), encoded(t, want)
		const name = "LowCardinality(Nullable(String))"
		if !bytes.Contains(got, []byte(name)) || !bytes.Equal(bytes.Replace(got, []byte("\x20"+name), []byte("\x16LowCardinality(String)"), 1), plain) {
			t.Errorf("%q, want %q", got, plain)
		}
	}
}

// textBlock is a block with one column, and rows of it that come to a size in Native form.
func textBlock(t *testing.T, nativeBytes int) (*table, *block, []row) {
	t.Helper()
	table := newTable(Reports, "t", column{"c", one(text, func(r *row) string { return r.p.Signature })})
	rows := []row{{p: &schema.ProcessedCrash{}}}
	b := table.block()
	if _, err := b.pack(rows); err != nil {
		t.Fatal(err)
	}
	length := nativeBytes - len(b.native.Buf)
	for range 4 { // the length of the length
		rows[0].p.Signature = string(bytes.Repeat([]byte("x"), length))
		if _, err := b.pack(rows); err != nil {
			t.Fatal(err)
		}
		length -= len(b.native.Buf) - nativeBytes
	}
	if len(b.native.Buf) != nativeBytes {
		t.Fatalf("%d bytes, want %d", len(b.native.Buf), nativeBytes)
	}
	return table, b, rows
}

func TestBlocksAreKeptUpToALimit(t *testing.T) {
	for native, want := range map[int]int{maxKeptBytes: 1, maxKeptBytes + 1: 0} {
		table, b, _ := textBlock(t, native)
		table.keep(b)
		if len(table.kept) != want {
			t.Errorf("%d bytes: %d blocks are kept, want %d", native, len(table.kept), want)
		}
	}
	table, _, _ := textBlock(t, 1000)
	for range maxKeptBlocks + 1 {
		table.keep(newBlock(table.columns))
	}
	if len(table.kept) != maxKeptBlocks {
		t.Errorf("%d blocks are kept, want %d", len(table.kept), maxKeptBlocks)
	}
}

// A body is cut into frames, and unpacks to the block, to the last byte.
func TestBodiesAreFramesOfTheBlock(t *testing.T) {
	for _, native := range []int{frameBytes, frameBytes + 1, 3*frameBytes + 7} {
		_, b, rows := textBlock(t, native)
		body, err := b.pack(rows)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, native)
		r := compress.NewReader(bytes.NewReader(body))
		if _, err := io.ReadFull(r, got); err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%d bytes: more follows", native)
		}
		if !bytes.Equal(got, b.native.Buf) {
			t.Errorf("%d bytes: another block", native)
		}
	}
}

// A block that is used again holds nothing of the rows before.
func TestBlocksAreMadeAnew(t *testing.T) {
	digest := strings.Repeat("7f", 32)
	rows := []row{{p: &schema.ProcessedCrash{CrashID: "00000001-0000-4000-8000-000000261122"}, pub: &schema.TelemetryCrash{Signature: "a", ContentHash: digest}}}
	rows[0].pub.Modules = []schema.PublicModule{{Filename: "a"}, {Filename: "b"}}
	rows[0].p.Threads = []schema.Thread{{Frames: []schema.Frame{{Function: "f"}}}, {}}
	other := []row{{p: &schema.ProcessedCrash{Crash: schema.CrashInfo{Address: new("0x1")}}, pub: &schema.TelemetryCrash{Signature: "b", ContentHash: digest, UptimeSeconds: new(int64(1))}}}
	other[0].pub.Frames = []schema.PublicFrame{{Function: "g", Inlines: []schema.Inline{{Function: "h"}}}}
	for _, table := range tables {
		want, err := newBlock(table.columns).pack(rows)
		if err != nil {
			t.Fatal(err)
		}
		b := newBlock(table.columns)
		if _, err := b.pack(append(other, rows...)); err != nil {
			t.Fatal(err)
		}
		if got, err := b.pack(rows); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: another body, %v", table.name, err)
		}
	}
}

func TestBlocksHoldTheRowsInOrder(t *testing.T) {
	for _, n := range []int{1, rowsAtATime, rowsAtATime + 1, 3 * rowsAtATime} {
		table := newTable(Reports, "t", column{"c", one(text, func(r *row) string { return r.p.CrashID })})
		want := new(chproto.ColStr)
		var rows []row
		for i := range n {
			rows = append(rows, row{p: &schema.ProcessedCrash{CrashID: fmt.Sprint(i)}})
			want.Append(fmt.Sprint(i))
		}
		b := table.block()
		if _, err := b.pack(rows); err != nil || !bytes.Equal(b.native.Buf, encoded(t, want)) {
			t.Errorf("%d rows: another block, %v", n, err)
		}
	}
}
