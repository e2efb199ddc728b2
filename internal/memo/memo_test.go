package memo

import (
	"fmt"
	"testing"
)

func TestANewEntryPushesTheOldestOut(t *testing.T) {
	one := New[int, string](setEntries)
	if one.Wants(7) || !one.Wants(7) || one.Wants(8) || (*Table[int, string])(nil).Wants(7) {
		t.Error("a key is wanted when it comes a second time")
	}
	for key := range setEntries + 1 {
		one.Put(uint64(key)<<8, &Entry[int, string]{key, fmt.Sprint(key)})
		if got := one.Get(uint64(key), key); got == nil || *got != fmt.Sprint(key) {
			t.Errorf("key %d: %v", key, got)
		}
	}
	for key, want := range map[int]bool{0: false, 1: true, setEntries: true, setEntries + 1: false} {
		if (one.Get(0, key) != nil) != want {
			t.Errorf("key %d is kept: %v", key, !want)
		}
	}
	if (*Table[int, string])(nil).Get(0, 0) != nil {
		t.Error("a table that is none has an entry")
	}
	many := New[int, string](2 * setEntries)
	for key := range 2 * setEntries { // by turns into the one set and the other
		many.Put(uint64(key), &Entry[int, string]{key, ""})
	}
	for key := range 2 * setEntries {
		if many.Get(uint64(key), key) == nil || many.Get(uint64(key+1), key) != nil {
			t.Errorf("key %d is not in its set", key)
		}
	}
}
