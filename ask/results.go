package ask

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"aftershock/sinks/clickhouse"
)

// Page is crashes in the order of a search. Next and Previous are cursors of the pages beside
// it, empty where there is none.
type Page struct {
	IDs            []string // the crashes'
	Rows           [][]json.RawMessage
	Next, Previous string
}

// Page reads a page.
func (s *Search) Page(ctx context.Context, db *clickhouse.DB) (*Page, error) {
	p := &Page{}
	if s.Number == 0 {
		return p, nil
	}
	st, err := s.page()
	if err != nil {
		return nil, err
	}
	rows, err := st.rows(ctx, db)
	if err != nil {
		return nil, err
	}
	more := len(rows) > s.Number // beyond this page
	rows = rows[:min(len(rows), s.Number)]
	before := s.at != nil && s.at.Before
	if before {
		slices.Reverse(rows)
	}
	var keys [][]string
	for _, row := range rows {
		var of []string
		for _, v := range row[len(s.Columns):] {
			of = append(of, shown(v))
		}
		p.Rows, keys = append(p.Rows, row[:len(s.Columns):len(s.Columns)]), append(keys, of)
		p.IDs = append(p.IDs, of[len(of)-1])
	}
	if len(rows) == 0 {
		return p, nil
	}
	if more || before {
		if p.Next, err = s.writeCursor(keys[len(keys)-1], false); err != nil {
			return nil, err
		}
	}
	if before && more || !before && s.at != nil {
		p.Previous, err = s.writeCursor(keys[0], true)
	}
	return p, err
}

// page is the statement of a page: its crashes, and one more.
func (s *Search) page() (Select, error) {
	st, order, err := s.crashes(true)
	if err != nil {
		return st, err
	}
	st.SQL += "\nORDER BY " + order + "\nLIMIT " + strconv.Itoa(s.Number+1)
	if s.Offset > 0 {
		st.SQL += " OFFSET " + strconv.Itoa(s.Offset)
	}
	return st, nil
}

// crashes selects the columns, as c0 and so on, and the keys, as k0 and so on: an alias with
// the name of a column would hide it in conditions. A cursor counts for pages alone.
func (s *Search) crashes(paged bool) (st Select, order string, err error) {
	b := bound{}
	where, err := s.where(b)
	if err != nil {
		return st, "", err
	}
	backward := false
	if paged && s.at != nil {
		where += "\n  AND " + s.behind(b, s.at)
		backward = s.at.Before
	}
	var selected, orders []string
	for i, c := range s.Columns {
		x := c.Field.column
		if c.Field.Kind == KindID {
			x = "toString(" + x + ")" // Parquet has 16 bytes for a UUID, which few programs show as one
		}
		selected = append(selected, fmt.Sprintf("%s AS c%d", x, i))
	}
	for i, k := range s.keys() {
		selected = append(selected, fmt.Sprintf("%s AS k%d", k.of, i))
		name := fmt.Sprintf("k%d", i)
		if k.falling != backward {
			name += " DESC"
		}
		orders = append(orders, name)
	}
	return Select{fmt.Sprintf("SELECT %s\nFROM %s\nWHERE %s", strings.Join(selected, ", "), s.from(b), where), b}, strings.Join(orders, ", "), nil
}

// export is the statement of all crashes, with the names of their columns.
func (s *Search) export() (Select, error) {
	if len(s.Columns) == 0 {
		return Select{}, refuse("_columns: want some")
	}
	st, order, err := s.crashes(false)
	if err != nil {
		return st, err
	}
	var names []string
	for i, c := range s.Columns {
		names = append(names, fmt.Sprintf("c%d AS `%s`", i, c.As))
	}
	st.SQL = fmt.Sprintf("SELECT %s\nFROM (%s)\nORDER BY %s", strings.Join(names, ", "), st.SQL, order)
	return st, nil
}

// Each hands on all crashes of a search in its order, as they come: the values of its columns.
func (s *Search) Each(ctx context.Context, db *clickhouse.DB, do func(row []json.RawMessage) error) error {
	st, err := s.export()
	if err != nil {
		return err
	}
	return st.each(ctx, db, do)
}

// Parquet writes all crashes of a search in its order. open is called when the tables have
// begun to answer.
func (s *Search) Parquet(ctx context.Context, db *clickhouse.DB, open func() io.Writer) error {
	st, err := s.export()
	if err != nil {
		return err
	}
	body, err := st.send(ctx, db, "Parquet")
	if err != nil {
		return err
	}
	out := &ending{w: open()}
	_, err = io.Copy(out, body)
	if closed := body.Close(); err == nil {
		err = closed
	}
	switch {
	case err != nil:
		return told(err)
	case string(out.last) != parquetEnd: // what went wrong stands behind rows that were sent
		return fmt.Errorf("search: the tables did not end the file")
	}
	return nil
}

// parquetEnd is what a file in Parquet ends with.
const parquetEnd = "PAR1"

// ending remembers the last bytes that were written.
type ending struct {
	w    io.Writer
	last []byte
}

func (e *ending) Write(p []byte) (int, error) {
	e.last = append(e.last, p[max(0, len(p)-len(parquetEnd)):]...)
	e.last = e.last[max(0, len(e.last)-len(parquetEnd)):]
	return e.w.Write(p)
}

// Statements are all of a search, in the order in which an answer has what they say.
func (s *Search) Statements() (out []Select, err error) {
	st, err := s.total()
	if err != nil {
		return nil, err
	}
	out = append(out, st)
	for _, step := range s.steps() {
		if st, err = s.count(step); err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	if s.Number > 0 {
		if st, err = s.page(); err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// Shown is a value as a person reads it: a text without quotes, a list with commas, and
// nothing for NULL.
func Shown(v json.RawMessage) string { return shown(v) }
