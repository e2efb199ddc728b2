package spreadsheet

import "testing"

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
