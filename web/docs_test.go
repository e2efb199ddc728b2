package web_test

import (
	"net/url"
	"os"
	"strings"
	"testing"
)

// Every address in the documents of the search and the API is answered.
func TestAddressesInTheDocumentsAreAnswered(t *testing.T) {
	s, _ := site(t, generated(t, 200)...)
	asked := 0
	for _, doc := range []string{"../docs/search.md", "../docs/api.md"} {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			at, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    /")
			if !ok {
				continue
			}
			path, query, _ := strings.Cut(at, "?")
			q := url.Values{}
			for pair := range strings.SplitSeq(query, "&") {
				if name, value, ok := strings.Cut(pair, "="); ok {
					q.Add(name, value)
				}
			}
			status, _, body := get(t, s.URL+"/"+path+"?"+q.Encode())
			if asked++; status != 200 || strings.Contains(body, "no crash is like that") && strings.Contains(at, "28d") {
				t.Errorf("%s: %s: %d %.300s", doc, at, status, body)
			}
		}
	}
	if asked < 12 {
		t.Errorf("%d addresses", asked)
	}
}
