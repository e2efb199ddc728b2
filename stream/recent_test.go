package stream

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// holds are the numbers from 0 on that a window has.
func (w *window) holds(below int) (out []int) {
	for n := range below {
		if w.has(fmt.Sprint(n)) {
			out = append(out, n)
		}
	}
	return out
}

func TestAWindowForgetsTheOldest(t *testing.T) {
	w := newWindow(3)
	for _, n := range []int{0, 1, 1, 2} {
		w.add(fmt.Sprint(n))
	}
	if got := w.holds(9); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("%v", got)
	}
	for n := 3; n < 8; n++ {
		w.add(fmt.Sprint(n))
		if got := w.holds(9); !slices.Equal(got, []int{n - 2, n - 1, n}) {
			t.Errorf("after %d: %v", n, got)
		}
	}
	w.add("")
	if w.shrink(3); w.most != 3 || len(w.have) != 3 {
		t.Errorf("%d of %d", len(w.have), w.most)
	}
	if w.shrink(2); !slices.Equal(w.holds(9), []int{6, 7}) || w.most != 2 {
		t.Errorf("%v of %d", w.holds(9), w.most)
	}
	w.add("8")
	if got := w.holds(9); !slices.Equal(got, []int{7, 8}) {
		t.Errorf("%v", got)
	}
	w = newWindow(9)
	w.add("1")
	if w.shrink(4); !w.has("1") || w.most != 4 || len(w.order) != 1 {
		t.Errorf("%+v", w)
	}
}

// An output is left out when it is in its partition's window, or was earlier in the batch, and
// remembered when the batch is committed.
func TestOutputsThatAreThereAreLeftOut(t *testing.T) {
	known := newWindow(10)
	known.add("known")
	r := recent{windows: map[int32]*window{1: known}}
	out := func(ids ...string) (records []*kgo.Record) {
		for _, id := range ids {
			rec := &kgo.Record{Topic: id, Headers: []kgo.RecordHeader{{Key: "theirs", Value: []byte("known")}}}
			if id != "none" {
				Identify(rec, id)
			}
			records = append(records, rec)
		}
		return records
	}
	inputs := []*kgo.Record{{Partition: 1}, {Partition: 1}, {Partition: 2}}
	left, duplicates, done := r.without(inputs, [][]*kgo.Record{out("known", "new", "none"), out("new", "none"), out("known", "other")})
	var got []string
	for _, records := range left {
		text := ""
		for _, rec := range records {
			text += rec.Topic + " "
		}
		got = append(got, text)
	}
	if want := []string{"new none ", "none ", "known other "}; !slices.Equal(got, want) || duplicates != 2 {
		t.Errorf("%q, want %q; %d duplicates", got, want, duplicates)
	}
	if known.has("new") {
		t.Error("remembered before it is committed")
	}
	if done(); !known.has("new") || known.has("other") || len(known.have) != 2 {
		t.Errorf("%d are known", len(known.have))
	}
	r.forget([]int32{1, 5})
	if len(r.windows) != 0 {
		t.Errorf("%v", r.windows)
	}
	if identity(&kgo.Record{}) != "" {
		t.Error("an identity of none")
	}
}

// What is remembered of all partitions together is bounded, but for what is read back of each.
func TestPartitionsShareWhatIsRemembered(t *testing.T) {
	for partitions, want := range map[int]int{1: 20_000, 13: 20_000, 14: 18_724, 512: 512, 2000: 300} {
		r := recent{tail: 300, windows: map[int32]*window{}}
		for p := range partitions {
			r.windows[int32(p)] = newWindow(recentWindow)
		}
		r.bound()
		if got := r.windows[0].most; got != want {
			t.Errorf("%d partitions: %d, want %d", partitions, got, want)
		}
	}
}
