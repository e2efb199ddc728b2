package clickhouse

import (
	"math"

	chproto "github.com/ClickHouse/ch-go/proto"
)

// words are a LowCardinality(String) column that looks a value up when it is
// appended and keeps its key alone: ch-go's own keeps every value until the block is
// encoded, which costs more to hold and to scan than all the rest.
type words struct {
	chproto.ColLowCardinalityRaw // keys are as wide as the dictionary needs
	dictionary                   *chproto.ColStr
	keys                         map[string]int
	rows                         int
	// What came last often comes again: all of a stack was found by CFI.
	last    string
	lastKey int
}

var _ chproto.ColumnOf[string] = (*words)(nil)

func newWords() *words {
	c := &words{dictionary: new(chproto.ColStr), keys: map[string]int{}}
	c.Index, c.Key = c.dictionary, chproto.KeyUInt8
	return c
}

// Append implements chproto.ColumnOf.
func (c *words) Append(v string) {
	if c.rows == 0 || v != c.last {
		c.last, c.lastKey = v, c.key(v)
	}
	c.AppendKey(c.lastKey)
	c.rows++
}

// key is a value's place in the dictionary.
func (c *words) key(v string) int {
	key, ok := c.keys[v]
	if !ok {
		key = len(c.keys)
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
	c.Key, c.rows, c.last, c.lastKey = chproto.KeyUInt8, 0, "", 0
}
