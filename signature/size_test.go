package signature

import (
	"regexp/syntax"
	"strings"
	"testing"
)

// What expressions compile to is bounded, for a line and for a list.
func TestExpressionsAreBounded(t *testing.T) {
	file := func(lines ...string) error {
		_, err := FromFiles(map[string]string{prefixFile: strings.Join(lines, "\n") + "\n"})
		return err
	}
	most := strings.Repeat("[a-y]{999}", 9) + "[a-y]{998}" // a concatenation is one step more
	parsed, err := syntax.Parse(most, syntax.Perl)
	if err != nil || size(parsed) != maxLineSize {
		t.Fatalf("%d steps, %v", size(parsed), err)
	}
	if err := file(most); err != nil {
		t.Error(err)
	}
	if err := file(strings.Replace(most, "998", "999", 1)); err == nil || !strings.Contains(err.Error(), prefixFile+":1: an expression of 10001 steps") {
		t.Errorf("%v", err)
	}
	var many []string
	for range maxListSize / size(parsed) {
		many = append(many, most)
	}
	if err := file(many...); err != nil {
		t.Error(err)
	}
	if err := file(append(many, most)...); err == nil || !strings.Contains(err.Error(), "the lines up to this one") {
		t.Errorf("%v", err)
	}
	if err := file(strings.Repeat("[a-y]{1000}", 370)); err == nil {
		t.Error("370,000 steps")
	}
	for _, f := range Default().Files() {
		all := 0
		for text := range strings.Lines(f.Text) {
			if parsed, err := syntax.Parse(strings.TrimSpace(text), syntax.Perl); err == nil {
				all += size(parsed)
			}
		}
		if all > maxListSize/4 {
			t.Errorf("%s has %d steps: lists that are twice as long have no room", f.Name, all)
		}
	}
}
