package clickhouse

import (
	"crypto/sha256"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"
)

// column is a column of a table: its name, and what it appends for a row.
type column struct {
	name   string
	values func() values
}

// values are a column of a block that is being made.
type values struct {
	data chproto.Column
	add  func(r *row)
}

// The types of the tables' columns.
func text() chproto.ColumnOf[string]              { return new(chproto.ColStr) }
func word() chproto.ColumnOf[string]              { return newWords() }
func uuids() chproto.ColumnOf[uuid.UUID]          { return new(chproto.ColUUID) }
func uint8s() chproto.ColumnOf[uint8]             { return new(chproto.ColUInt8) }
func uint32s() chproto.ColumnOf[uint32]           { return new(chproto.ColUInt32) }
func uint64s() chproto.ColumnOf[uint64]           { return new(chproto.ColUInt64) }
func uint128s() chproto.ColumnOf[chproto.UInt128] { return new(chproto.ColUInt128) }
func int32s() chproto.ColumnOf[int32]             { return new(chproto.ColInt32) }
func int64s() chproto.ColumnOf[int64]             { return new(chproto.ColInt64) }
func float64s() chproto.ColumnOf[float64]         { return new(chproto.ColFloat64) }
func bools() chproto.ColumnOf[bool]               { return new(chproto.ColBool) }
func days() chproto.ColumnOf[time.Time]           { return new(chproto.ColDate) }

// digests are SHA-256.
func digests() chproto.ColumnOf[[]byte] {
	return &chproto.ColFixedStr{Size: sha256.Size}
}

func seconds() chproto.ColumnOf[time.Time] { return &chproto.ColDateTime{Location: time.UTC} }

func milliseconds() chproto.ColumnOf[time.Time] {
	return new(chproto.ColDateTime64).WithPrecision(chproto.PrecisionMilli).WithLocation(time.UTC)
}

// one is a column with one value a row.
func one[T any](of func() chproto.ColumnOf[T], value func(r *row) T) func() values {
	return func() values {
		c := of()
		return values{c, func(r *row) { c.Append(value(r)) }}
	}
}

// optional is a Nullable column: nil is NULL.
func optional[T any](of func() chproto.ColumnOf[T], value func(r *row) *T) func() values {
	return func() values {
		c := chproto.NewColNullable(of())
		return values{c, func(r *row) {
			if v := value(r); v != nil {
				c.Append(chproto.NewNullable(*v))
			} else {
				c.Append(chproto.Null[T]())
			}
		}}
	}
}

// optionalWord is a LowCardinality(Nullable(String)) column.
func optionalWord(value func(r *row) *string) func() values {
	return func() values {
		c := newNullableWords()
		return values{c, func(r *row) {
			if v := value(r); v != nil {
				c.Append(*v)
			} else {
				c.AppendNull()
			}
		}}
	}
}

// each is an Array column, also one of a Nested: one value of every element.
func each[E, T any](of func() chproto.ColumnOf[T], elements func(r *row) []E, value func(e *E) T) func() values {
	return func() values {
		c := chproto.NewArray(of())
		return values{c, func(r *row) {
			in := elements(r)
			for i := range in {
				c.Data.Append(value(&in[i]))
			}
			c.Offsets.Append(uint64(c.Data.Rows()))
		}}
	}
}

// pairs is a Map column that keeps the order of the event: a Go map would give the
// same crash other bytes each time it is stored.
func pairs[E any](elements func(r *row) []E, pair func(e *E) (name, value string)) func() values {
	return func() values {
		c := chproto.NewMap(word(), text())
		return values{c, func(r *row) {
			in := elements(r)
			for i := range in {
				name, value := pair(&in[i])
				c.Keys.Append(name)
				c.Values.Append(value)
			}
			c.Offsets.Append(uint64(c.Keys.Rows()))
		}}
	}
}
