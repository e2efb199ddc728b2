package report_test

import (
	"path/filepath"
	"strings"
	"testing"

	"aftershock/internal/reference"
)

// TestFieldCases compares with the reference's answers on dumps that were made
// after faults which users of crash reporters met.
func TestFieldCases(t *testing.T) {
	dumps, err := filepath.Glob(filepath.Join(reference.Path(t, "cases", "field"), "*", "*.dmp"))
	if err != nil || len(dumps) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range dumps {
		dir, name := filepath.Split(strings.TrimSuffix(path, ".dmp"))
		t.Run(filepath.Base(dir)+"/"+name, func(t *testing.T) {
			in, err := walkFile(path, []string{filepath.Join(dir, "symbols")})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences(t, readJSON(t, filepath.Join(dir, name+".expected.json")), in) {
				t.Error(d)
			}
		})
	}
}
