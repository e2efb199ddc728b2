package collector

import (
	"fmt"
	"strings"
	"testing"

	"aftershock/schema"
)

// What annotations take of an event is bounded from above: else an event could be larger
// than a broker takes.
func TestAnnotationBytesAreABound(t *testing.T) {
	for n := range 40 {
		raw := &schema.RawCrash{CrashID: "0bfe7d58-d1b5-4906-97eb-92de20261129", Annotations: map[string]string{}}
		for i := range n * 20 {
			name := fmt.Sprintf("%0*d", 1+(i*7)%schema.MaxAnnotationName, i)
			if i%2 == 0 {
				raw.Annotations[name] = strings.Repeat("x", i)
				continue
			}
			raw.AnnotationOverflow = append(raw.AnnotationOverflow, schema.AnnotationRef{Name: name, Size: 1 << 40, Blob: strings.Repeat("k", 2*len(name))})
		}
		b, err := schema.Encode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if bound := eventOverhead + annotationBytes(raw); len(b) > bound || n > 20 && bound > len(b)+eventOverhead+n*20*64 {
			t.Errorf("%d annotations: %d bytes, bound %d", n*20, len(b), bound)
		}
	}
}

// Each annotation counts with its name, its value and what tells their lengths.
func TestWhatAnAnnotationCounts(t *testing.T) {
	raw := &schema.RawCrash{
		Annotations:        map[string]string{"abc": "value", "": ""},
		AnnotationOverflow: []schema.AnnotationRef{{Name: "four", Size: 1 << 40, Blob: "key"}},
	}
	if got := annotationBytes(raw); got != 3+5+10+10+4+3+60 {
		t.Errorf("%d bytes", got)
	}
	if got := annotationBytes(&schema.RawCrash{}); got != 0 {
		t.Errorf("none: %d bytes", got)
	}
}

// What an event takes beside annotations and inline dumps is bounded, with as many dumps
// as a report may have, named as long as they may be.
func TestEventOverheadIsABound(t *testing.T) {
	raw := &schema.RawCrash{CrashID: "0bfe7d58-d1b5-4906-97eb-92de20261129", Annotations: map[string]string{}}
	for i := range maxDumps {
		key := strings.Repeat("k", 128)
		raw.Dumps = append(raw.Dumps, schema.Dump{Name: strings.Repeat("n", schema.MaxDumpName-2) + fmt.Sprintf("%02d", i), Size: 1 << 40, Encoding: schema.EncodingZstd, Blob: &key})
	}
	b, err := schema.Encode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > eventOverhead-2<<10 || len(b) < eventOverhead/4 {
		t.Errorf("%d dumps take %d bytes of %d", maxDumps, len(b), eventOverhead)
	}
}
