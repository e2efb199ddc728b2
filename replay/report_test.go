package replay

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"aftershock/signature"
)

// small is a diff with a split, a merger, and something of every kind.
func small() *Diff {
	d := &Diff{A: Side{1, 1, "aaaaaaaaaaaaaaaa", "r"}, B: Side{2, 1, "bbbbbbbbbbbbbbbb", "r"}, From: new(noon), Causes: []CauseCount{}}
	text := func(s string) *string { return &s }
	d.fill([]cell{
		{text("f"), text("f | a"), false, 600, []string{crashID(1, "261122")}},
		{text("f"), text("f"), false, 400, nil},
		{text("g"), text("f | a"), true, 3, []string{crashID(2, "261122")}},
		{text("h"), text("i"), false, 1, []string{crashID(3, "261122")}},
		{text("h"), nil, false, 2, nil},
	}, nil, 2)
	d.Pairs[0].Examples[0].Why = "the rules alone move it"
	d.Pairs[0].Examples[0].Line, d.Pairs[0].Examples[0].Added = signature.ListLine{File: "prefix_signature_re.txt", Number: 3, Text: "f"}, true
	d.shareLines()
	return d
}

func TestTextSaysWhatChangedAndWhy(t *testing.T) {
	var out bytes.Buffer
	if err := small().WriteText(&out); err != nil {
		t.Fatal(err)
	}
	want := `Signature version 2 against 1, crashes received from 2026-11-22T12:00:00Z on (ruleset aaaaaaaaaaaa → bbbbbbbbbbbb)

split "f": 1000 crashes
      600 to "f | a"
          new: prefix_signature_re.txt:3: f
      400 to "f" (as before)
merged "f | a": 603 crashes
      600 from "f"
          new: prefix_signature_re.txt:3: f
        3 from "g"
and 5 changes more (--limit)

crashes  of its old  pair
    600       60 %  "f"
                   → "f | a"
                     600: rules
                     00000001-0000-4000-8000-000000261122: the rules alone move it
                       new: prefix_signature_re.txt:3: f
      3      100 %  "g"
                   → "f | a"
                     3: rules or symbols
                     00000002-0000-4000-8000-000000261122
      1            1 pairs more (--limit)

                           in both  1004
                        only in v1     2
                        only in v2     0
                  signatures of v1     3
                  signatures of v2     3
             moved because of rules   601
  moved because of rules or symbols     3
604 of 1004 crashes change their signature (60 %)
`
	if diff := cmp.Diff(lines(want), lines(out.String())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// lines are the lines of a text without what only aligns them.
func lines(s string) (out []string) {
	for line := range strings.Lines(s) {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return out
}

func TestJSONHoldsAllOfTheDiff(t *testing.T) {
	var out bytes.Buffer
	if err := small().WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var back Diff
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(small(), &back); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if want := `{"a":{"signature_version":1,"process_version":1,"ruleset_hash":"aaaaaaaaaaaaaaaa","registry_hash":"r"},`; !strings.HasPrefix(out.String(), want) {
		t.Errorf("%.200s", out.String())
	}
}

// hostile are signatures as nobody would wish them.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onload='alert(1)`, "</title></svg><script>", "{{.Title}}", "javascript:alert(1)",
	"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", " =1", "\t=1", "＝1", "a\nb\r\nc", "\x1b]0;owned\x07\x1b[2J", "\xff\xfe broken \xc3", "\u202egnp.exe", "\x00\u0085\u009b31m",
	strings.Repeat("long ", 2000), "", "a,b;\"c\"",
}

func hostileDiff() *Diff {
	d := &Diff{Causes: []CauseCount{}, A: Side{1, 1, "a", "r"}, B: Side{2, 1, "b", "r"}}
	var cells []cell
	for i := range hostile {
		cells = append(cells, cell{&hostile[i], &hostile[(i+1)%len(hostile)], false, int64(100 - i), []string{crashID(i, "261122")}})
	}
	d.fill(cells, nil, 100)
	d.Pairs[0].Examples[0].Line = signature.ListLine{File: "prefix_signature_re.txt", Number: 1, Text: hostile[0] + hostile[14]}
	d.shareLines()
	return d
}

func TestTextOfHostileSignaturesIsHarmless(t *testing.T) {
	var out bytes.Buffer
	if err := hostileDiff().WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for i, r := range out.String() {
		if r == utf8.RuneError || r != '\n' && r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e {
			t.Fatalf("%U at %q", r, out.String()[max(0, i-20):i+20])
		}
	}
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(line) > 4*maxShownRunes {
			t.Errorf("a line of %d characters", utf8.RuneCountInString(line))
		}
	}
}

func TestCSVOfHostileSignaturesIsHarmless(t *testing.T) {
	var out bytes.Buffer
	if err := hostileDiff().WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	if !utf8.Valid(out.Bytes()) || bytes.ContainsAny(out.Bytes(), "\x00\x1b\x07\r\t\u0085\u009b") {
		t.Errorf("control characters: %q", out.String())
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != len(hostile)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.ContainsAny(strings.TrimSpace(cell[:min(len(cell), 3)])+" ", "=@") || strings.HasPrefix(cell, "+") || strings.HasPrefix(cell, "-") {
				if !strings.HasPrefix(cell, "'") {
					t.Errorf("a formula: %q", cell)
				}
			}
		}
	}
	if got := rows[len(rows)-1][3]; got != hostile[len(hostile)-1] && rows[1][3] != hostile[0] {
		t.Errorf("what is harmless is changed: %q", got)
	}
}

func TestPageOfHostileSignaturesIsHarmless(t *testing.T) {
	var out bytes.Buffer
	if err := hostileDiff().WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	if !utf8.ValidString(page) || strings.ContainsAny(page, "\x00\x1b\x07\u009b\u202e") {
		t.Error("control characters")
	}
	if len(page) > 200_000 {
		t.Errorf("%d bytes", len(page))
	}
	// Whatever a signature holds is text: no element or attribute is made of it.
	elements := strings.Fields("html head meta title style body h1 h2 p div b svg path rect text table tr th td span code ul li br")
	attributes := strings.Fields("lang charset http-equiv content name class viewBox role aria-label fill d x y width height text-anchor")
	decoder := xml.NewDecoder(&out)
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	texts := map[string]bool{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if !slices.Contains(elements, token.Name.Local) {
				t.Errorf("element %s", token.Name.Local)
			}
			for _, a := range token.Attr {
				if !slices.Contains(attributes, a.Name.Local) {
					t.Errorf("attribute %s of %s", a.Name.Local, token.Name.Local)
				}
				if strings.Contains(a.Value, "://") || strings.Contains(a.Value, "alert") {
					t.Errorf("attribute %s: %q", a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			texts[string(token)] = true
		default: // ends and comments
		}
	}
	for _, want := range hostile[:6] {
		if !texts[want] {
			t.Errorf("%q is not in the page", want)
		}
	}
	if strings.Contains(page, "url(") || strings.Contains(page, "@import") || strings.Contains(page, "ZgotmplZ") {
		t.Error("something from elsewhere, or refused by the template")
	}
}

func TestPageOfNothingIsAPage(t *testing.T) {
	d := &Diff{}
	d.fill(nil, nil, 10)
	for name, write := range map[string]func(io.Writer) error{"html": d.WriteHTML, "text": d.WriteText, "csv": d.WriteCSV, "json": d.WriteJSON} {
		var out bytes.Buffer
		if err := write(&out); err != nil || out.Len() == 0 || strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "<svg") {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
	for name, write := range map[string]func(io.Writer) error{"html": small().WriteHTML, "text": small().WriteText, "csv": small().WriteCSV, "json": small().WriteJSON} {
		if err := write(full{}); err == nil {
			t.Errorf("%s: nobody was told that the disk is full", name)
		}
	}
}

// full takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestBandsAreAsWideAsTheirCrashes(t *testing.T) {
	s := newSankey([]Pair{{From: "a", To: "x", Crashes: 300}, {From: "a", To: "y", Crashes: 100}, {From: "b", To: "x", Crashes: 1}}, "crashes")
	var got []string
	for _, n := range s.Nodes {
		got = append(got, fmt.Sprintf("%s %d at %.1f, %.1f high", n.Label, n.Crashes, n.Y, n.Height))
	}
	want := []string{"a 400 at 0.0, 419.0 high", "b 1 at 431.0, 1.5 high", "x 301 at 0.0, 315.7 high", "y 100 at 327.7, 104.7 high"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	many := make([]Pair, maxSankeyPairs+1)
	for i := range many {
		many[i] = Pair{From: "a", To: fmt.Sprint(i), Crashes: 1}
	}
	if got := len(newSankey(many, "crashes").Bands); got != maxSankeyPairs {
		t.Errorf("%d bands", got)
	}
}

func TestLabelsKeepBothEnds(t *testing.T) {
	long := strings.Repeat("é", maxLabelRunes)
	for name, want := range map[string]string{
		long:                   long,
		"a" + long[2:] + "bcd": "a" + strings.Repeat("é", maxLabelRunes/2-1) + "…" + strings.Repeat("é", maxLabelRunes/2-4) + "bcd",
		"\x1b":                 `\x1b`,
	} {
		if got := label(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestOnlySoMuchOfASignatureIsShown(t *testing.T) {
	long := strings.Repeat("é", maxShownRunes)
	if got := shown(long); got != long {
		t.Errorf("at the limit: %d characters", utf8.RuneCountInString(got))
	}
	if got := shown(long + "x"); got != long+"…" {
		t.Errorf("one more: %d characters", utf8.RuneCountInString(got))
	}
	if got := quoted(long); got != `"`+long+`"` {
		t.Errorf("at the limit: %s", got)
	}
	if got := quoted(long + "x"); got != `"`+long+`"…` {
		t.Errorf("one more: %s", got)
	}
}
