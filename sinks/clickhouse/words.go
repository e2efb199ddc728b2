package clickhouse

import (
	"math"

	chproto "github.com/ClickHouse/ch-go/proto"
)

// words are a LowCardinality(String) column that looks a value up when it is
// appended and keeps its key alone: ch-go's own keeps every value until the block is
// encoded, which costs more to hold and to scan than all the rest.
//
// One that is nullable is a LowCardinality(Nullable(String)): the first entry of its
// dictionary stands for NULL.
type words struct {
	nullable                     bool
	chproto.ColLowCardinalityRaw // keys are as wide as the dictionary needs
	dictionary                   *chproto.ColStr
	keys                         map[string]int
	rows                         int
	// What came last often comes again: all of a stack was found by CFI.
	last    string
	hasLast bool
	lastKey int
}

var _ chproto.ColumnOf[string] = (*words)(nil)

func newWords() *words {
	c := &words{dictionary: new(chproto.ColStr), keys: map[string]int{}}
	c.Index, c.Key = c.dictionary, chproto.KeyUInt8
	return c
}

func newNullableWords() *words {
	c := newWords()
	c.nullable = true
	c.dictionary.Append("")
	return c
}

// Type implements chproto.Column.
func (c *words) Type() chproto.ColumnType {
	if c.nullable {
		return chproto.ColumnTypeLowCardinality.Sub(chproto.ColumnTypeNullable.Sub(chproto.ColumnTypeString))
	}
	return c.ColLowCardinalityRaw.Type()
}

// AppendNull appends a NULL to a nullable column.
func (c *words) AppendNull() {
	c.AppendKey(0)
	c.rows++
}

// Append implements chproto.ColumnOf.
func (c *words) Append(v string) {
	if !c.hasLast || v != c.last {
		c.last, c.lastKey, c.hasLast = v, c.key(v), true
	}
	c.AppendKey(c.lastKey)
	c.rows++
}

// appendBytes is Append of a text that the caller goes on to change.
func (c *words) appendBytes(v []byte) {
	if key, ok := c.keys[string(v)]; ok {
		c.AppendKey(key)
		c.rows++
		return
	}
	c.Append(string(v))
}

// key is a value's place in the dictionary.
func (c *words) key(v string) int {
	key, ok := c.keys[v]
	if !ok {
		key = c.dictionary.Rows()
		c.keys[v] = key
		c.dictionary.Append(v)
		c.widen(key)
	}
	return key
}

// widen makes room for a key.
func (c *words) widen(key int) {
	switch {
	case c.Key == chproto.KeyUInt8 && key > math.MaxUint8:
		c.Key = chproto.KeyUInt16
		for _, k := range c.Keys8 {
			c.Keys16 = append(c.Keys16, uint16(k))
		}
	case c.Key == chproto.KeyUInt16 && key > math.MaxUint16:
		c.Key = chproto.KeyUInt32
		for _, k := range c.Keys16 {
			c.Keys32 = append(c.Keys32, uint32(k))
		}
	}
}

// AppendArr implements chproto.ColumnOf.
func (c *words) AppendArr(values []string) {
	for _, v := range values {
		c.Append(v)
	}
}

// Row implements chproto.ColumnOf.
func (c *words) Row(i int) string {
	switch c.Key {
	case chproto.KeyUInt8:
		return c.dictionary.Row(int(c.Keys8[i]))
	case chproto.KeyUInt16:
		return c.dictionary.Row(int(c.Keys16[i]))
	default:
		return c.dictionary.Row(int(c.Keys32[i]))
	}
}

// Rows implements chproto.Column.
func (c *words) Rows() int { return c.rows }

// Reset implements chproto.Column. No value is kept.
func (c *words) Reset() {
	c.ColLowCardinalityRaw.Reset()
	clear(c.keys)
	c.Key, c.rows, c.last, c.hasLast = chproto.KeyUInt8, 0, "", false
	if c.nullable {
		c.dictionary.Append("")
	}
}
