package spreadsheet

import (
	"slices"
	"testing"
)

func TestFormula(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, " \n": false, "a=1": false, "\xff=": false, "1": false, "'=1": false,
		"=1": true, "+1": true, "-1": true, "@x": true, " \n=1": true, "\ta": true, "\ra": true, "＝1": true, "＋1": true, "－1": true, "＠x": true,
	} {
		if got := Formula(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestRow(t *testing.T) {
	cells := []string{"", "a", "=1", "-1", "+2.5e-3", "-", "--", "-1+cmd|' /C calc'!A0", "\t=1", "'=1"}
	if got, want := Row(cells), []string{"", "a", "'=1", "-1", "+2.5e-3", "'-", "'--", "'-1+cmd|' /C calc'!A0", "'\t=1", "'=1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if cells[2] != "=1" {
		t.Error("the row itself is changed")
	}
}
