package stream

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/schema"
)

func TestWhatIsGoneIsTold(t *testing.T) {
	for want, g := range map[string]Gone{
		"group g: 3 records of t partition 1 are gone unread, offsets 4 to 6":                      {"g", "t", 1, 4, 7, 9},
		"group g has come to offset 10 of t partition 1, which ends at 9: the topic was made anew": {"g", "t", 1, 10, 7, 9},
		"group g: 0 records of t partition 1 are gone unread, offsets 9 to 6":                      {"g", "t", 1, 9, 7, 9},
	} {
		if got := g.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, tc := range []struct{ committed, from, want int64 }{{4, 7, 3}, {7, 7, 0}, {9, 7, 0}} {
		if got := (Gone{Committed: tc.committed, From: tc.from}).Records(); got != tc.want {
			t.Errorf("%d records, want %d", got, tc.want)
		}
	}
	got := GoOn([]Gone{{"g", "t", 1, 4, 7, 9}, {"g", "t", 2, 4, 8, 9}, {"g", "u", 0, 0, 5, 9}, {"h", "t", 1, 0, 6, 9}})
	want := map[string]map[string][]schema.PartitionOffset{
		"g": {"t": {{Partition: 1, Offset: 7}, {Partition: 2, Offset: 8}}, "u": {{Partition: 0, Offset: 5}}}, "h": {"t": {{Partition: 1, Offset: 6}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if !foreign("consumer.theirs") || foreign("process.v1") {
		t.Error("whose groups are whose")
	}
}
