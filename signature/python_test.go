package signature

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What Python 3 answers to the same.
func TestPythonsBlanksAndLines(t *testing.T) {
	for s, want := range map[string]string{
		"\x1c\x1d\x1e\x1fx\x1c": "x", "\x1bx\x20": "\x1bx", "\t \n\r\v\fx\u0085\u00a0\u2028": "x", "": "",
	} {
		if got := strip(s); got != want {
			t.Errorf("%q stripped: %q, want %q", s, got, want)
		}
	}
	for s, want := range map[string][]string{
		"": nil, "a": {"a"}, "a\n": {"a"}, "a\nb": {"a", "b"}, "a\r\nb\rc": {"a", "b", "c"}, "\n\na": {"", "", "a"}, "a\n\r\nb": {"a", "", "b"},
		"a\vb\fc\x1cd\x1de\x1ef\u0085g\u2028h\u2029i\x1fj": {"a", "b", "c", "d", "e", "f", "g", "h", "i\x1fj"},
	} {
		if d := cmp.Diff(want, splitLines(s)); d != "" {
			t.Errorf("%q: %s", s, d)
		}
	}
}

func TestPythonsNumbers(t *testing.T) {
	for s, want := range map[string]struct {
		n  int64
		ok bool
	}{
		"0": {0, true}, " -1_0 ": {-10, true}, "+7": {7, true}, "": {}, "-": {}, "+": {}, "_1": {}, "1_": {}, "1__0": {}, "--1": {}, "1a": {}, "1 2": {}, "0x1": {},
		"9223372036854775807": {1<<63 - 1, true}, "9223372036854775808": {1<<63 - 1, true}, "-9223372036854775809": {-1 << 63, true},
	} {
		if n, ok := integer(s); n != want.n || ok != want.ok {
			t.Errorf("int(%q): %d, %v", s, n, ok)
		}
	}
	for s, want := range map[string]string{
		"0": "0x0", "00": "0x0", "0x0": "0x0", "0X00fF": "0xff", "ff": "0xff", "\n-0x10\n": "-0x10", "+1f": "0x1f", "0x_1": "0x1", "1_0": "0x10", "-0": "0x0", "0x1_0": "0x10",
		"": "", "0x": "", "x": "", "0x+1": "", "0x-1": "", "--1": "", "g": "", "0x__1": "", "-": "", "0x1_": "",
	} {
		if got, ok := hexadecimal(s); got != want || ok != (want != "") {
			t.Errorf("hex(int(%q, 16)): %q, %v; want %q", s, got, ok, want)
		}
	}
}

func TestPythonsRepr(t *testing.T) {
	for text, want := range map[string]string{
		"null": "None", "true": "True", "false": "False", "-0": "0", "12345678901234567890": "12345678901234567890",
		"1.0": "1.0", "0.0": "0.0", "-0.0": "-0.0", "0.0001": "0.0001", "0.00009": "9e-05", "1e15": "1000000000000000.0", "1e16": "1e+16", "1.5e300": "1.5e+300", "9999999999999998.0": "9999999999999998.0",
		"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf", "1e999": "inf",
		`"a"`: `'a'`, `"a'b"`: `"a'b"`, `"a'\"b"`: `'a\'"b'`, `"a\\b"`: `'a\\b'`, `"\n\r\t"`: `'\n\r\t'`, `"\u001f\u007f"`: `'\x1f\x7f'`, `"\u00a0\u00ff"`: `'\xa0ÿ'`,
		`"\u0378"`: `'\u0378'`, `"\u2028"`: `'\u2028'`, `"\ue000"`: `'\ue000'`, `"\udb80\udc00"`: `'\U000f0000'`, `"\ud83d\ude00"`: "'\U0001f600'", `"é"`: "'é'",
		"[]": "[]", `[1, "a", [null]]`: "[1, 'a', [None]]", "{}": "{}", `{"b": 1, "a": {"c": 2}}`: "{'b': 1, 'a': {'c': 2}}", `{"a": 1, "b": 2, "a": 3}`: "{'a': 3, 'b': 2}",
	} {
		r := jsonReader{in: text}
		var v any
		if err := r.document(func() { v = r.value() }); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := repr(v); got != want {
			t.Errorf("repr(%s): %s, want %s", text, got, want)
		}
	}
	if got := str("a"); got != "a" {
		t.Errorf("str of a text: %s", got)
	}
}

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
		r := jsonReader{in: text}
		if err := r.document(func() { r.value() }); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if v := r.value(); v != nil {
			t.Errorf("%q: %v is read behind an error", text, v)
		}
	}
	for depth, want := range map[int]bool{maxJSONDepth: true, maxJSONDepth + 1: false} {
		for _, pair := range []string{"[]", `{"a":}`} {
			open, shut := pair[:len(pair)-1], pair[len(pair)-1:]
			text := strings.Repeat(open, depth) + strings.Repeat(shut, depth)
			if len(pair) > 2 {
				text = strings.Repeat(open, depth) + "1" + strings.Repeat(shut, depth)
			}
			r := jsonReader{in: text}
			if err := r.document(func() { r.value() }); (err == nil) != want || err != nil && r.err.message != errTooDeep {
				t.Errorf("%d of %s: %v", depth, pair, err)
			}
		}
	}
	if maxJSONDepth != 900 {
		t.Error(maxJSONDepth)
	}
	// What ends is not deep any more.
	r := jsonReader{in: "[" + strings.Repeat("[],{},", maxJSONDepth) + `[[1]],{"a":{"b":1}}]`}
	if err := r.document(func() { r.value() }); err != nil {
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
		"12":                   jsonInt("12"),
		"-0":                   jsonInt("0"),
		"0":                    jsonInt("0"),
		"-1.5":                 -1.5,
		"0.5":                  0.5,
		"1e2":                  100.0,
		"1E+2":                 100.0,
		"1.5e-1":               0.15,
		" [ 1 , 2 ] ":          []any{jsonInt("1"), jsonInt("2")},
		"[]":                   []any{},
		"null":                 nil,
		"\t\r\n true":          true,
		`"` + "\u2028" + ` a"`: "\u2028 a",
	} {
		r := jsonReader{in: text}
		var v any
		if err := r.document(func() { v = r.value() }); err != nil {
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

// Python's truth of a value.
func TestPythonsTruth(t *testing.T) {
	for _, v := range []any{nil, false, jsonInt("0"), 0.0, "", []any{}, &jsonObject{}} {
		if truthy(v) {
			t.Errorf("%#v is true", v)
		}
	}
	for _, v := range []any{true, jsonInt("1"), jsonInt("-1"), 0.1, "0", []any{nil}, &jsonObject{keys: []string{""}}} {
		if !truthy(v) {
			t.Errorf("%#v is false", v)
		}
	}
	for _, tc := range []struct {
		v    any
		want []any
		ok   bool
	}{
		{nil, nil, true},
		{false, nil, true},
		{true, nil, false},
		{jsonInt("0"), nil, true},
		{jsonInt("1"), nil, false},
		{0.0, nil, true},
		{0.5, nil, false},
		{"né", []any{"n", "é"}, true},
		{[]any{jsonInt("1")}, []any{jsonInt("1")}, true},
		{&jsonObject{keys: []string{"b", "a"}}, []any{"b", "a"}, true},
	} {
		if got, ok := iterate(tc.v); ok != tc.ok || !slices.Equal(got, tc.want) {
			t.Errorf("a loop over %#v: %v, %v", tc.v, got, ok)
		}
	}
}
