package pyjson

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// The words and places of json.loads: they end in notes.
func TestPythonsJSONErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":              "Expecting value: line 1 column 1 (char 0)",
		" \t\r\n x":     "Expecting value: line 2 column 2 (char 5)",
		"é\u00e9":       "Expecting value: line 1 column 1 (char 0)",
		"\"é\"\n\"é\" ": "Extra data: line 2 column 1 (char 4)",
		"1 2":           "Extra data: line 1 column 3 (char 2)",
		"{":             "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
		"{ 1":           "Expecting property name enclosed in double quotes: line 1 column 3 (char 2)",
		`{"a"`:          "Expecting ':' delimiter: line 1 column 5 (char 4)",
		`{"a":`:         "Expecting value: line 1 column 6 (char 5)",
		`{"a":1`:        "Expecting ',' delimiter: line 1 column 7 (char 6)",
		`{"a":1,`:       "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
		"[":             "Expecting value: line 1 column 2 (char 1)",
		"[1":            "Expecting ',' delimiter: line 1 column 3 (char 2)",
		"[1,":           "Expecting value: line 1 column 4 (char 3)",
		"[1}":           "Expecting ',' delimiter: line 1 column 3 (char 2)",
		`"a`:            "Unterminated string starting at: line 1 column 1 (char 0)",
		`"a\`:           "Unterminated string starting at: line 1 column 1 (char 0)",
		"\"a\x1f\"":     "Invalid control character at: line 1 column 3 (char 2)",
		`"\x"`:          `Invalid \escape: line 1 column 2 (char 1)`,
		`"\u12g4"`:      `Invalid \uXXXX escape: line 1 column 3 (char 2)`,
		`"\u000@"`:      `Invalid \uXXXX escape: line 1 column 3 (char 2)`,
		"\"\\u000`\"":   `Invalid \uXXXX escape: line 1 column 3 (char 2)`,
		`"\u000G"`:      `Invalid \uXXXX escape: line 1 column 3 (char 2)`,
		`"\u000/"`:      `Invalid \uXXXX escape: line 1 column 3 (char 2)`,
		`"\u000:"`:      `Invalid \uXXXX escape: line 1 column 3 (char 2)`,
		`"\u123`:        `Invalid \uXXXX escape: line 1 column 3 (char 2)`,
		`"\u1234`:       `Invalid \uXXXX escape: line 1 column 3 (char 2)`,
		"\ufeff1":       "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)",
		"nul":           "Expecting value: line 1 column 1 (char 0)",
		"-":             "Expecting value: line 1 column 1 (char 0)",
		"01":            "Extra data: line 1 column 2 (char 1)",
		"1.":            "Extra data: line 1 column 2 (char 1)",
		"1.e1":          "Extra data: line 1 column 2 (char 1)",
		"1e":            "Extra data: line 1 column 2 (char 1)",
		"1e+":           "Extra data: line 1 column 2 (char 1)",
	} {
		r := New(text)
		if err := r.Document(func() { r.Value() }); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if v := r.Value(); v != nil {
			t.Errorf("%q: %v is read behind an error", text, v)
		}
	}
	for depth, want := range map[int]bool{MaxDepth: true, MaxDepth + 1: false} {
		for _, pair := range []string{"[]", `{"a":}`} {
			open, shut := pair[:len(pair)-1], pair[len(pair)-1:]
			text := strings.Repeat(open, depth) + strings.Repeat(shut, depth)
			if len(pair) > 2 {
				text = strings.Repeat(open, depth) + "1" + strings.Repeat(shut, depth)
			}
			r := New(text)
			if err := r.Document(func() { r.Value() }); (err == nil) != want || err != nil && !r.TooDeep() {
				t.Errorf("%d of %s: %v", depth, pair, err)
			}
		}
	}
	if MaxDepth != 900 {
		t.Error(MaxDepth)
	}
	// What ends is not deep any more.
	r := New("[" + strings.Repeat("[],{},", MaxDepth) + `[[1]],{"a":{"b":1}}]`)
	if err := r.Document(func() { r.Value() }); err != nil {
		t.Error(err)
	}
}

func TestPythonsJSONValues(t *testing.T) {
	for text, want := range map[string]any{
		`"a\"\\\/\b\f\n\r\t"`:  "a\"\\/\b\f\n\r\t",
		`"\u00e9\u00E9x"`:      "ééx",
		`"\ud83d\ude00"`:       "\U0001f600",
		`"\ud83dx"`:            "\ufffdx",
		`"\ud83d\u0041"`:       "\ufffdA",
		`"\ude00"`:             "\ufffd",
		"12":                   Int("12"),
		"-0":                   Int("0"),
		"0":                    Int("0"),
		"-1.5":                 -1.5,
		"0.5":                  0.5,
		"1e2":                  100.0,
		"1E+2":                 100.0,
		"1.5e-1":               0.15,
		" [ 1 , 2 ] ":          []any{Int("1"), Int("2")},
		"[]":                   []any{},
		"null":                 nil,
		"\t\r\n true":          true,
		`"` + "\u2028" + ` a"`: "\u2028 a",
	} {
		r := New(text)
		var v any
		if err := r.Document(func() { v = r.Value() }); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if d := cmp.Diff(want, v); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	for s, want := range map[string]struct {
		text  string
		float bool
	}{
		"": {}, "-": {}, "a": {}, "0": {"0", false}, "00": {"0", false}, "9": {"9", false}, "10x": {"10", false}, "1.5": {"1.5", true}, "1.": {"1", false}, "1.e": {"1", false},
		"1e5": {"1e5", true}, "1e": {"1", false}, "1e-": {"1", false}, "1e-07,": {"1e-07", true}, "-12.30E+4]": {"-12.30E+4", true}, ".5": {}, "-.5": {}, "/": {}, ":": {},
	} {
		if text, float := number(s); text != want.text || float != want.float {
			t.Errorf("%q begins with %q, %v", s, text, float)
		}
	}
}

// FuzzReadJSON holds the reader to encoding/json where both must agree: on what
// is JSON, and on its strings.
func FuzzReadJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9\n",null,true]}`, `[NaN]`, `{"a" 1}`, `"\ud800"`, `01`, `-`, "\"\x01\"", `{"a":1,"a":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := New(text)
		var got any
		err := r.Document(func() { got = r.Value() })
		var want any
		if json.Unmarshal([]byte(text), &want) != nil {
			return // Python takes more: NaN, Infinity
		}
		if err != nil {
			if !r.TooDeep() {
				t.Fatalf("%q is JSON: %v", text, err)
			}
			return
		}
		if w, isText := want.(string); isText && utf8.ValidString(text) && got != w {
			t.Errorf("%q: got %q, want %q", text, got, w)
		}
	})
}
