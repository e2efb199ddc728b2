package ask_test

import (
	"strings"
	"testing"

	"aftershock/ask"
)

// A list of texts is whole, or refused: at most 200 of them, and 64 KiB.
func TestListsAreWholeOrRefused(t *testing.T) {
	q, _ := ask.Find("top-crashers")
	given := func(text string) (string, error) {
		values, err := q.Values(map[string]string{"without": text}, now)
		return values["without"], err
	}
	for text, want := range map[string]string{"": "[]", "a\r\n\nb": "['a','b']", `it's \ "x"`: `['it\\'s \\\\ "x"']`} {
		if got, err := given(text); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", text, got, err, want)
		}
	}
	lines := func(n, bytes int) string { return strings.Repeat(strings.Repeat("a", bytes)+"\n", n) }
	for name, at := range map[string][2]string{
		"texts": {lines(200, 1), lines(201, 1)},
		"bytes": {lines(1, 64<<10-4), lines(1, 64<<10-1)}, // with marks around it
	} {
		if _, err := given(at[0]); err != nil {
			t.Errorf("%s: at the bound: %v", name, err)
		}
		if _, err := given(at[1]); err == nil {
			t.Errorf("%s: beyond the bound", name)
		}
	}
}
