package schema

import (
	"math/rand/v2"
	"testing"
)

// What is known for a version at the first look is one at the second as well.
func TestNumbersAreVersions(t *testing.T) {
	for v, want := range map[string]bool{"1": true, "1.2": true, "1.2.3": true, "1234567890.1": true, "12345678901": false, "1.2.3.4": false, "": false, ".": false, "1.": false, ".1": false, "1..2": false, "1.a": false} {
		if isNumbers(v) != want {
			t.Errorf("%q: %v", v, !want)
		}
	}
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same each time
	numbers := 0
	for range 100_000 {
		v := make([]byte, random.IntN(14))
		for i := range v {
			v[i] = "0123456789......a"[random.IntN(17)]
		}
		if isNumbers(string(v)) {
			if numbers++; !isVersionOfWords(string(v)) {
				t.Fatalf("%q", v)
			}
		}
	}
	if numbers < 1000 {
		t.Errorf("only %d of them are numbers", numbers)
	}
}
