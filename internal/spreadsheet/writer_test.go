package spreadsheet

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
)

// passed is CSV as a Writer passes it on, given so many bytes at a time.
func passed(t *testing.T, text string, step int) string {
	t.Helper()
	var out strings.Builder
	w := NewWriter(&out)
	for part := range slices.Chunk([]byte(text), step) {
		if n, err := w.Write(part); n != len(part) || err != nil {
			t.Fatalf("%d of %d, %v", n, len(part), err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWriter(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "\"a\",\"b\"\n": "\"a\",\"b\"\n",
		`-1,+2,\N,"=1"` + "\n" + `"",-3`: `-1,+2,\N,"'=1"` + "\n" + `"",-3`, // what is not quoted is no text
		`"-1","-1""","-","--"`:           `"-1","'-1""","'-","'--"`,
		`"""=1","a""=1","a"",""=1"`:      `"""=1","a""=1","a"",""=1"`,
		`"['=1']","@x"`:                  `"['=1']","'@x"`,
		"\" \n=1\",\"\t\",\"＝1\"":        "\"' \n=1\",\"'\t\",\"'＝1\"",
		`"=1`:                            `"'=1`, // it broke off
		`"-`:                             `"'-`,
	} {
		for _, step := range []int{1, 2, 3, 1000} {
			if got := passed(t, text, step); got != want {
				t.Errorf("%q, by %d: %q, want %q", text, step, got, want)
			}
		}
	}
	half := strings.Repeat(" ", maxHeld-2) + "＝1" // of its first sign too little is held
	if got := passed(t, `"`+half+`"`, 1); got != `"'`+half+`"` {
		t.Errorf("%.10q", got)
	}
	for _, first := range []string{" ", "-"} { // a text that does not tell for long
		for n, want := range map[int]bool{maxHeld - 1: false, maxHeld: true} {
			text := strings.Repeat(first, n) + "1"
			if first == "-" {
				text = first + strings.Repeat("1", n-1)
			}
			if got := passed(t, `"`+text+`"`, 100); (got == `"'`+text+`"`) != want || !strings.HasSuffix(got, text+`"`) {
				t.Errorf("%d of %q: %.10q", n, first, got)
			}
		}
	}
}

// Every cell is what Row makes of it.
func FuzzWriter(f *testing.F) {
	for _, s := range []string{"", "=1", "-1", "-1\"", "\"", "\"=", " \n@", "\t", "\xef\xbc", "＝", "\xff=", "a,b"} {
		f.Add(s, "-", byte(1))
		f.Add("a", s, byte(3))
	}
	f.Fuzz(func(t *testing.T, a, b string, step byte) {
		if len(a) >= maxHeld || len(b) >= maxHeld || strings.Contains(a+b, "\r\n") { // which the reader makes \n
			t.Skip()
		}
		cell := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
		text := passed(t, cell(a)+",-1,"+cell(b)+"\n"+cell(b)+",=x,"+cell(a)+"\n", int(step)+1)
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		safe := Row([]string{a, b})
		if want := [][]string{{safe[0], "-1", safe[1]}, {safe[1], "=x", safe[0]}}; !slices.EqualFunc(rows, want, slices.Equal) {
			t.Errorf("%q, want %q", rows, want)
		}
	})
}
