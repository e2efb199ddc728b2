package access

import (
	"strconv"
	"testing"
)

// All viewers together have as much as they may, and not one thing more.
func TestHowMuchAllViewersSave(t *testing.T) {
	var all []Saved
	for i := range MaxSaved {
		all = append(all, Saved{ID: strconv.Itoa(i), Kind: SavedLink, Path: "/"})
	}
	if err := checkSaved(all); err != nil {
		t.Error(err)
	}
	if err := checkSaved(append(all, Saved{ID: "x", Kind: SavedLink, Path: "/"})); err == nil {
		t.Error("one more")
	}
	if err := checkSaved([]Saved{{ID: "1", Kind: SavedLink, Path: "/"}, {ID: "1", Kind: SavedLink, Path: "/"}}); err == nil {
		t.Error("an id is there twice")
	}
}
