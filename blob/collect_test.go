package blob_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"aftershock/blob"
	"aftershock/schema"
)

var leapDay = time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC)

func naming(keys ...string) *schema.RawCrash {
	raw := &schema.RawCrash{}
	for i, key := range keys {
		if i%2 == 0 {
			raw.Dumps = append(raw.Dumps, schema.Dump{Blob: &key}, schema.Dump{})
		} else {
			raw.AnnotationOverflow = append(raw.AnnotationOverflow, schema.AnnotationRef{Blob: key})
		}
	}
	return raw
}

func TestCollectDeletesWhatNobodyNames(t *testing.T) {
	root := t.TempDir()
	b := open(t, root)
	var keys []string
	for crash, text := range []string{"a dump", "an annotation", "an orphan"} {
		keys = append(keys, keyOf(t, crash, "200229", []byte(text)))
		if err := b.Put(t.Context(), keys[crash], []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	remains := filepath.Join(root, filepath.Dir(keys[0]), ".put-1")
	if err := os.WriteFile(remains, []byte("to"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := blob.NewReferences([]time.Time{leapDay}, 2)
	if err := named.Add(naming(keys[:2]...)); err != nil {
		t.Fatal(err)
	}
	want := blob.Stock{Blobs: 4, Bytes: 6 + 13 + 9 + 2, Referenced: 2, Orphaned: 2}
	if got, err := blob.Collect(t.Context(), b, leapDay, named, false); got != want || err != nil {
		t.Errorf("dry run: %+v, want %+v, %v", got, want, err)
	}
	want.Deleted = 2
	if got, err := blob.Collect(t.Context(), b, leapDay, named, true); got != want || err != nil {
		t.Errorf("%+v, want %+v, %v", got, want, err)
	}
	for i, key := range keys {
		if _, err := b.Get(t.Context(), key, 100); errors.Is(err, blob.ErrNotFound) != (i == 2) {
			t.Errorf("blob %d afterwards: %v", i, err)
		}
	}
	if _, err := os.Stat(remains); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the remains of a Put: %v", err)
	}
}

func TestReferencesHoldSoManyOfTheirDaysOnly(t *testing.T) {
	named := blob.NewReferences([]time.Time{leapDay.AddDate(0, 0, -7), leapDay}, 2)
	for crash, day := range []string{"200228", "200301", "261122", "200229", "200222"} { // the last two count
		if err := named.Add(naming(keyOf(t, crash, day, nil))); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // one blob counts once
		if err := named.Add(naming("no key", keyOf(t, 3, "200229", nil))); err != nil {
			t.Fatal(err)
		}
	}
	if err := named.Add(naming(keyOf(t, 5, "200229", nil))); !errors.Is(err, blob.ErrTooManyReferences) {
		t.Errorf("a third blob: %v", err)
	}
}

func TestADayIsOldWhenItWasOver(t *testing.T) {
	days := []time.Time{leapDay.AddDate(0, 0, -1), leapDay}
	end := leapDay.AddDate(0, 0, 1)
	if got := blob.Before(days, end); !slices.Equal(got, days) {
		t.Errorf("at the end of the last day: %v", got)
	}
	if got := blob.Before(days, end.Add(-time.Nanosecond)); !slices.Equal(got, days[:1]) {
		t.Errorf("before the end of the last day: %v", got)
	}
}
