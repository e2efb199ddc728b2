package signature

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/internal/pyjson"
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
		r := pyjson.New(text)
		var v any
		if err := r.Document(func() { v = r.Value() }); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := repr(v); got != want {
			t.Errorf("repr(%s): %s, want %s", text, got, want)
		}
	}
	if got := str("a"); got != "a" {
		t.Errorf("str of a text: %s", got)
	}
}

// Python's truth of a value.
func TestPythonsTruth(t *testing.T) {
	for _, v := range []any{nil, false, pyjson.Int("0"), 0.0, "", []any{}, &pyjson.Object{}} {
		if truthy(v) {
			t.Errorf("%#v is true", v)
		}
	}
	for _, v := range []any{true, pyjson.Int("1"), pyjson.Int("-1"), 0.1, "0", []any{nil}, &pyjson.Object{Keys: []string{""}}} {
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
		{pyjson.Int("0"), nil, true},
		{pyjson.Int("1"), nil, false},
		{0.0, nil, true},
		{0.5, nil, false},
		{"né", []any{"n", "é"}, true},
		{[]any{pyjson.Int("1")}, []any{pyjson.Int("1")}, true},
		{&pyjson.Object{Keys: []string{"b", "a"}}, []any{"b", "a"}, true},
	} {
		if got, ok := iterate(tc.v); ok != tc.ok || !slices.Equal(got, tc.want) {
			t.Errorf("a loop over %#v: %v, %v", tc.v, got, ok)
		}
	}
}
