package symbolcache

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"aftershock/breakpad"
)

func TestSectionsAreBounded(t *testing.T) {
	file, err := breakpad.Parse(strings.NewReader("MODULE Linux x86_64 0 app\n"), breakpad.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := newCompiler(file)
	c.sections[sectionSegments] = bytes.Repeat([]byte{0}, 1000)
	if err := c.write(io.Discard, &header{}, 1000); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if err := c.write(io.Discard, &header{}, 999); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one byte past the limit: %v", err)
	}
}
