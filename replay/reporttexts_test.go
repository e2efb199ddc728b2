package replay

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aftershock/signature"
)

func TestThreeHundredCharactersAreShown(t *testing.T) {
	for n, want := range map[int]string{299: "", 300: "", 301: "…"} {
		text := strings.Repeat("é", n)
		if got := shown(text); got != strings.Repeat("é", min(n, 300))+want {
			t.Errorf("%d: %s", n, got)
		}
		if got := quoted(text); got != `"`+strings.Repeat("é", min(n, 300))+`"`+want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestSharesInWords(t *testing.T) {
	for share, want := range map[float64]string{
		0: "0 %", 0.00001: "< 0.01 %", 0.0000999: "< 0.01 %", 0.0001: "0.01 %", 0.001234: "0.12 %", 0.01: "1 %", 0.0555: "5.5 %", 0.0994: "9.9 %", 0.0995: "10 %", 0.12345: "12 %", 1: "100 %",
	} {
		if got := percent(share); got != want {
			t.Errorf("%v: %s, want %s", share, got, want)
		}
	}
	if share(1, 0) != 0 || share(1, 4) != 0.25 || share(0, 4) != 0 {
		t.Errorf("%v, %v, %v", share(1, 0), share(1, 4), share(0, 4))
	}
}

func TestTitlesOfADiff(t *testing.T) {
	east := time.FixedZone("", 3600)
	from, to := noon.In(east), noon.Add(time.Hour).In(east)
	for name, tc := range map[string]struct {
		of   Diff
		want [3]string
	}{
		"two versions": {
			Diff{A: Side{1, 3, "123456789012345", "abc"}, B: Side{2, 3, "123456789012999", "abc"}},
			[3]string{"Signature version 2 against 1", "all crashes", "same ruleset, annotation registry and process version"},
		},
		"revisions": {
			Diff{A: Side{SignatureVersion: 4}, B: Side{SignatureVersion: 4}, Revisions: true, From: &from, To: &to},
			[3]string{"Signature version 4: the newest revisions against the ones before", "crashes received from 2026-11-22T12:00:00Z to 2026-11-22T13:00:00Z", "same ruleset, annotation registry and process version"},
		},
		"until a time": {
			Diff{A: Side{1, 3, "a", "abc"}, B: Side{2, 4, "b", "abd"}, To: &to},
			[3]string{"Signature version 2 against 1", "crashes received before 2026-11-22T13:00:00Z", "ruleset a → b, annotation registry abc → abd, process version 3 → 4"},
		},
		"from a time": {
			Diff{A: Side{1, 3, "a", "abc"}, B: Side{2, 4, "a", "abc"}, From: &from},
			[3]string{"Signature version 2 against 1", "crashes received from 2026-11-22T12:00:00Z on", "process version 3 → 4"},
		},
	} {
		if got := [3]string{tc.of.Title(), tc.of.Range(), tc.of.Differences()}; got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	if got := (CauseCount{Crashes: 3}).String(); got != "nothing that is known" {
		t.Errorf("%s", got)
	}
	if got := (CauseCount{Could: []Cause{CauseRules, CauseSymbols}}).String(); got != "rules or symbols" {
		t.Errorf("%s", got)
	}
}

// The lists of a text end with what is left out, and each part of a line is there once.
func TestATextOfRevisionsAndOtherMoves(t *testing.T) {
	line := signature.ListLine{File: "irrelevant_signature_re.txt", Number: 7, Text: "g"}
	d := &Diff{
		A: Side{SignatureVersion: 3}, B: Side{SignatureVersion: 3}, Revisions: true,
		Totals: Totals{A: 9, B: 8, Both: 7, OnlyA: 2, OnlyB: 1, Moved: 5, SignaturesA: 4, SignaturesB: 3},
		Changes: []Change{
			{Change: signature.Change{Kind: signature.Split, Signature: "f", Crashes: 6, Moves: []signature.Move{{From: "f", To: "g", Crashes: 4, Cause: line}, {From: "f", To: "h", Crashes: 2}}}, OtherMoves: 3},
			{Change: signature.Change{Kind: signature.New, Signature: "g", Crashes: 4, Moves: []signature.Move{{From: "f", To: "g", Crashes: 4}}}},
			{Change: signature.Change{Kind: signature.Vanished, Signature: "i", Crashes: 1, Moves: []signature.Move{{From: "i", To: "g", Crashes: 1}}}},
		},
		Causes: []CauseCount{{nil, 5}},
		Pairs: []Pair{{
			From: "f", To: "g", Crashes: 4, ShareOfFrom: 0.5, Causes: []CauseCount{{nil, 4}},
			Examples: []Example{{CrashID: "id", Line: line}},
		}},
		Folded: Folded{Pairs: 1, Crashes: 2},
	}
	var out bytes.Buffer
	if err := d.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	want := `Signature version 3: the newest revisions against the ones before, all crashes (same ruleset, annotation registry and process version)

split "f": 6 crashes
        4 to "g"
          no longer: irrelevant_signature_re.txt:7: g
        2 to "h"
          and 3 signatures more
new "g": 4 crashes
vanished "i": 1 crashes

crashes  of its old  pair
      4       50 %  "f"
                   → "g"
                     4: nothing that is known
                     id
                       no longer: irrelevant_signature_re.txt:7: g
      2            in pairs that are too many to be told apart: the totals count them, and what is listed is at least

                                 in both  7
            only in the revisions before  2
                      only in the newest  1
      signatures of the revisions before  4
                signatures of the newest  3
  moved because of nothing that is known  5
5 of 7 crashes change their signature (71 %)
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	out.Reset()
	if err := (&Diff{}).WriteText(&out); err != nil || strings.Contains(out.String(), "crashes  of its old") || strings.Contains(out.String(), "more") {
		t.Errorf("%v\n%s", err, &out)
	}
	out.Reset()
	if err := WriteChange(&out, &d.Changes[1].Change); err != nil || out.String() != "new \"g\": 4 crashes\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := WriteChange(full{}, &d.Changes[1].Change); err == nil {
		t.Error("nobody was told that the disk is full")
	}
}

// limited takes so many writes, and then the disk is full.
type limited struct{ writes int }

func (l *limited) Write(p []byte) (int, error) {
	if l.writes--; l.writes < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestNobodyTakesHalfOfATextForAllOfIt(t *testing.T) {
	whole := &limited{1 << 20}
	if err := small().WriteText(whole); err != nil {
		t.Fatal(err)
	}
	for n := range 1<<20 - whole.writes {
		if err := small().WriteText(&limited{n}); err == nil {
			t.Errorf("after %d writes nobody was told", n)
		}
	}
}

func TestLinesOfACSV(t *testing.T) {
	d := small()
	d.Folded = Folded{Pairs: 2, Crashes: 9}
	var out bytes.Buffer
	if err := d.WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	want := `row,version_a,version_b,signature_a,signature_b,crashes,share_of_a,share_of_b,causes,examples
pair,1,2,f,f | a,600,0.600000,0.995025,600: rules,00000001-0000-4000-8000-000000261122
pair,1,2,g,f | a,3,1.000000,0.004975,3: rules or symbols,00000002-0000-4000-8000-000000261122
others,1,2,,,1,,,,
folded,1,2,,,9,,,,
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	out.Reset()
	if err := (&Diff{}).WriteCSV(&out); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%q, %v", out.String(), err)
	}
	for text, want := range map[string]string{
		"": "", "a=1": "a=1", "=1": "'=1", " \n-1": "' \n-1", "a\tb\nc": "a\uFFFDb\nc", "\xff": "\uFFFD", "＠x": "'＠x", " ": " ",
	} {
		if got := SpreadsheetCell(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
