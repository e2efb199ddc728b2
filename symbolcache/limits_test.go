package symbolcache

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSectionsAreBounded(t *testing.T) {
	const text = "MODULE Linux x86_64 0 app\nFUNC 10 10 0 f\n10 10 1 1\n"
	var sizes [sectionCount]uint64
	largest := uint64(0)
	o := newOutput(io.Discard)
	if err := compile(o, strings.NewReader(text), &meter{}, nil); err != nil {
		t.Fatal(err)
	}
	sizes = o.sizes
	for _, size := range sizes {
		largest = max(largest, size)
	}
	for limit, want := range map[uint64]error{largest: nil, largest - 1: ErrTooLarge} {
		o := newOutput(io.Discard)
		o.limit = limit
		if err := compile(o, strings.NewReader(text), &meter{}, nil); !errors.Is(err, want) {
			t.Errorf("limit %d: %v, want %v", limit, err, want)
		}
	}
}
