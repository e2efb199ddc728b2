package web

import (
	"net/url"
	"os"
	"strings"
	"testing"
)

func TestTrackersAreRead(t *testing.T) {
	for text, want := range map[string]string{
		`bugs: [{match: "[0-9]+", url: "https://bugs.example/show?id={bug}"}]`:       "",
		`bugs: [{match: "(", url: "https://bugs.example/{bug}"}]`:                    "missing closing )",
		`bugs: [{match: "x", url: "http://bugs.example/{bug}"}]`:                     "want an https address",
		`bugs: [{match: "x", url: "https://{bug}.example/"}]`:                        "want an https address",
		`bugs: [{match: "x", url: "https://bugs.example?{bug}"}]`:                    "want an https address",
		`bugs: [{match: "x", url: "https://me@bugs.example/{bug}"}]`:                 "want an https address",
		`bugs: [{match: "x", url: "javascript:alert(1)//{bug}"}]`:                    "want an https address",
		`bugs: [{match: "x", url: "https://bugs.example/"}]`:                         "want {bug}",
		`new: [{product: A, url: "https://bugs.example/"}]`:                          "want a product",
		`new: [{product: "*", name: B, url: "https://bugs.example/?t={signature}"}]`: "",
		`old: []`: "field old not found",
		"new: [" + strings.Repeat(`{product: "*", name: B, url: "https://b.example/"},`, 100) + "]": "",
		"new: [" + strings.Repeat(`{product: "*", name: B, url: "https://b.example/"},`, 101) + "]": "more than 100 trackers",
		"new: [] #" + strings.Repeat("x", MaxTrackersBytes-9):                                       "",
		"new: [] #" + strings.Repeat("x", MaxTrackersBytes-8):                                       "more than 65536 bytes",
	} {
		_, err := ReadTrackers([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.70s: %v, want %q", text, err, want)
		}
	}
}

// What crashes say is a value in an address, and no more.
func TestBugsAreLinks(t *testing.T) {
	trackers, err := ReadTrackers([]byte(`
bugs:
  - {match: "[0-9]+", url: "https://bugs.example/show?id={bug}"}
  - {match: "([a-z]+)/([a-z]+)#[0-9]+", url: "https://git.example/search?q={bug}"}
new:
  - {product: Orchard, name: One, url: "https://bugs.example/enter?title=Crash in {signature}&text={stack}&v={version}"}
  - {product: "*", name: All, url: "https://all.example/{product}"}
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"12": "https://bugs.example/show?id=12", "a/b#1": "https://git.example/search?q=a%2Fb%231", "12&x": "", "javascript:1": "", strings.Repeat("1", maxFiledBytes+1): ""} {
		if got := trackers.bug(name); got != want {
			t.Errorf("%.20s: %q, want %q", name, got, want)
		}
	}
	values := map[string]string{"product": "Orchard", "version": "{stack}", "signature": `a&b=c#"<`, "stack": strings.Repeat("é", 1000)}
	links := trackers.filed("Orchard", values)
	if len(links) != 2 || links[0].Name != "One" || links[1].Path != "https://all.example/Orchard" {
		t.Fatalf("%v", links)
	}
	u, err := url.Parse(links[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("title") != `Crash in a&b=c#"<` || q.Get("v") != "{stack}" || len(q) != 3 || q.Get("text") != strings.Repeat("é", maxFiledBytes/2)+"…" {
		t.Errorf("%s", links[0].Path)
	}
	if links := trackers.filed("Tidepool", values); len(links) != 1 {
		t.Errorf("%v", links)
	}
	if (*Trackers)(nil).filed("Orchard", values) != nil || (*Trackers)(nil).bug("1") != "" {
		t.Error("no trackers have links")
	}
}

// The example of docs/web.md is one.
func TestTheDocumentedTrackers(t *testing.T) {
	text, err := os.ReadFile("../docs/web.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(text), "    bugs:\n")
	example, _, _ = strings.Cut(example, "\n\n")
	trackers, err := ReadTrackers([]byte("    bugs:\n" + example))
	if !ok || err != nil || len(trackers.bugs) != 1 || len(trackers.files) != 1 {
		t.Errorf("%v", err)
	}
}
