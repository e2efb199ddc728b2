package ask

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cursor is where a page begins: behind a crash, or before it. It holds what that crash is
// sorted by, and so stays where it is whatever comes or goes meanwhile. It holds nothing that
// its page has not shown, and whoever makes one up gets crashes that they may see anyway.
type cursor struct {
	Sort   string   `json:"s"` // what it was made for
	From   int64    `json:"f"` // in milliseconds
	To     int64    `json:"t,omitempty"`
	Before bool     `json:"b,omitempty"`
	Keys   []string `json:"k"`
}

func (c *cursor) from() time.Time { return time.UnixMilli(c.From).UTC() }

func (c *cursor) to() time.Time {
	if c.To == 0 {
		return time.Time{}
	}
	return time.UnixMilli(c.To).UTC()
}

// sortChars of a text are what it is sorted by: a cursor must stay short.
const sortChars = 128

// key is an expression that crashes are sorted by, and is never NULL. It has no order of its
// own if its direction is not said.
type key struct {
	of, kind string // kind is the type of a parameter
	falling  bool
}

// keys are what a search sorts by: for each field whether there is no value, which comes last
// either way, and the value; and the crash id in the end, so that no two crashes are equal.
func (s *Search) keys() (out []key) {
	falling := false
	for i, o := range s.Sort {
		if i == 0 {
			falling = o.Falling
		}
		x := o.Field.value
		switch o.Field.Kind {
		case KindText:
			x = "ifNull(toString(" + x + "), '')"
			out = append(out, key{"(" + x + " = '')", "UInt8", false}, key{"leftUTF8(" + x + ", " + strconv.Itoa(sortChars) + ")", "String", o.Falling})
		case KindTime:
			if strings.Contains(o.Field.Type, "DateTime64") {
				x = "toUnixTimestamp64Milli(" + x + ")"
			} else {
				x = "toInt64(toUnixTimestamp(" + x + "))"
			}
			out = append(out, key{"isNull(" + x + ")", "UInt8", false}, key{"ifNull(" + x + ", 0)", "Int64", o.Falling})
		case KindID:
			out = append(out, key{"toString(" + x + ")", "String", o.Falling})
		default:
			kind := "Int64"
			if strings.Contains(o.Field.Type, "UInt64") {
				kind = "UInt64"
			}
			if strings.Contains(o.Field.Type, "Float") {
				kind = "Float64"
			}
			out = append(out, key{"isNull(" + x + ")", "UInt8", false}, key{"to" + kind + "(ifNull(" + x + ", 0))", kind, o.Falling})
		}
	}
	return append(out, key{"toString(crash_id)", "String", falling})
}

// sorted names a search's order.
func (s *Search) sorted() string {
	var names []string
	for _, o := range s.Sort {
		name := o.Field.Name
		if o.Falling {
			name = "-" + name
		}
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

// behind is true for the crashes behind a cursor's, or before it.
func (s *Search) behind(b bound, c *cursor) string {
	keys := s.keys()
	text := ""
	for i, k := range slices.Backward(keys) {
		sign := " > "
		if k.falling != c.Before {
			sign = " < "
		}
		v := b.bind(k.kind, c.Keys[i])
		beyond := k.of + sign + v
		if text != "" {
			beyond = "(" + beyond + " OR " + k.of + " = " + v + " AND " + text + ")"
		}
		text = beyond
	}
	return text
}

// write makes the cursor of a crash with these keys.
func (s *Search) writeCursor(keys []string, before bool) (string, error) {
	c := cursor{Sort: s.sorted(), From: s.From.UnixMilli(), Before: before, Keys: keys}
	if !s.To.IsZero() {
		c.To = s.To.UnixMilli()
	}
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

// errCursor is about a cursor that no page has made for this search.
var errCursor = refuse("_cursor: no page of this search has it")

func (s *Search) readCursor(text string) (*cursor, error) {
	if len(text) > maxCursorBytes {
		return nil, refuse("_cursor: more than %d bytes", maxCursorBytes)
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errCursor
	}
	c := &cursor{}
	keys := s.keys()
	if err := json.Unmarshal(data, c); err != nil || c.Sort != s.sorted() || len(c.Keys) != len(keys) {
		return nil, errCursor
	}
	for _, at := range []time.Time{c.from(), c.to()} {
		if !at.IsZero() && (at.Year() < firstYear || at.Year() >= lastYear) {
			return nil, errCursor
		}
	}
	for i, k := range keys {
		switch k.kind {
		case "Int64":
			_, err = strconv.ParseInt(c.Keys[i], 10, 64)
		case "UInt64":
			_, err = strconv.ParseUint(c.Keys[i], 10, 64)
		case "UInt8":
			_, err = strconv.ParseUint(c.Keys[i], 10, 1)
		case "Float64":
			var f float64
			if f, err = strconv.ParseFloat(c.Keys[i], 64); math.IsInf(f, 0) || math.IsNaN(f) {
				return nil, errCursor
			}
		}
		if err != nil {
			return nil, errCursor
		}
	}
	return c, nil
}
