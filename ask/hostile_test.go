package ask

import (
	"math"
	"strings"
	"testing"
)

// A value stays in its cell, and is no link, whatever it holds.
func TestValuesStayInTheirCells(t *testing.T) {
	a := &Answer{Columns: []Column{{"signature", "String"}}, Rows: [][]string{{`a\|b`}, {"![x](http://evil.test/x.png)"}, {"a\u202eb\u2028c\u200bd\x1b[31m"}}}
	var out strings.Builder
	if err := a.WriteMarkdown(&out); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "| signature |\n| --- |\n| a\\\\\\|b |\n| !\\[x\\](http://evil.test/x.png) |\n| a\uFFFDb\uFFFDc\uFFFDd\uFFFD\\[31m |\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, v := range []float64{math.Inf(1), math.NaN(), 1} {
		if got := bar(v, math.Inf(1)); got != "" {
			t.Errorf("%v: %q", v, got)
		}
	}
}
