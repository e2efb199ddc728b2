package symboldump

import (
	"strings"
	"testing"

	"aftershock/breakpad"
)

func TestExpressionsArePostfix(t *testing.T) {
	for name, tt := range map[string]struct {
		expression []byte
		initial    string
		want       string // empty for what cannot be said
	}{
		"the CFA of PLT entries": {
			[]byte{0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22},
			"",
			"$rsp 8 + $rip 16 % 11 / 8 * +",
		},
		"the CFA of __restore_rt":       {[]byte{0x77, 0xa0, 1, 0x06}, "", "$rsp 160 + ^"},
		"a saved register":              {[]byte{0x76, 0x70}, ".cfa", "$rbp -16 +"},
		"from the CFA":                  {[]byte{0x23, 8}, ".cfa", ".cfa 8 +"},
		"aligned down":                  {[]byte{0x77, 0, 0x09, 0xf0, 0x1a}, "", "$rsp 16 @"},
		"shifted right":                 {[]byte{0x77, 0, 0x33, 0x25}, "", "$rsp 8 /"},
		"less than":                     {[]byte{0x80, 0, 0x3f, 0x1a, 0x3b, 0x2d}, "", "1 $rip 16 % 11 / 1 + /"},
		"not less than a small one":     {[]byte{0x80, 0, 0x3f, 0x1a, 0x33, 0x2a}, "", "1 1 $rip 16 % 3 / 1 + / -"},
		"swapped":                       {[]byte{0x77, 0, 0x76, 0, 0x16, 0x1c}, "", "$rbp $rsp -"},
		"over and dropped":              {[]byte{0x77, 0, 0x76, 0, 0x14, 0x13, 0x13}, "", "$rsp"},
		"negated":                       {[]byte{0x77, 0, 0x1f}, "", "0 $rsp -"},
		"twice":                         {[]byte{0x77, 0, 0x12, 0x1e}, "", "$rsp $rsp *"},
		"a word of the word's size":     {[]byte{0x77, 0, 0x94, 8}, "", "$rsp ^"},
		"half a word":                   {[]byte{0x77, 0, 0x94, 4}, "", ""},
		"a comparison of what may wrap": {[]byte{0x77, 0, 0x3b, 0x2a}, "", ""},
		"an unknown operation":          {[]byte{0x77, 0, 0xf0}, "", ""},
		"a branch":                      {[]byte{0x77, 0, 0x2f, 0xfd, 0xff}, "", ""},
		"nothing":                       {nil, "", ""},
		"too few operands":              {[]byte{0x77, 0, 0x22}, "", ""},
		"a cut operand":                 {[]byte{0x77}, "", ""},
		"an unknown register":           {[]byte{0x92, 99, 0}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := postfix(reader{data: tt.expression}, registersOf[breakpad.AMD64], 8, tt.initial)
			if ok != (tt.want != "") || ok && got != tt.want {
				t.Errorf("have %q, %v; want %q", got, ok, tt.want)
			}
		})
	}
}

func TestExpressionsAreBounded(t *testing.T) {
	nops := func(n int) []byte { return []byte("\x77\x00" + strings.Repeat("\x96", n-2)) }
	if _, ok := postfix(reader{data: nops(maxExpressionBytes)}, registersOf[breakpad.AMD64], 8, ""); !ok {
		t.Error("an expression at the limit was refused")
	}
	if _, ok := postfix(reader{data: nops(maxExpressionBytes + 1)}, registersOf[breakpad.AMD64], 8, ""); ok {
		t.Error("an expression beyond the limit was read")
	}
	doubled := []byte("\x77\x00" + strings.Repeat("\x12\x1e", 100))
	if text, ok := postfix(reader{data: doubled}, registersOf[breakpad.AMD64], 8, ""); ok {
		t.Errorf("%d bytes of text were made of %d", len(text), len(doubled))
	}
}
