package stream

import (
	"testing"
	"time"
)

func TestPaceGrowsWhilePollsAreFullAndQuick(t *testing.T) {
	p := newPace(100)
	for _, step := range []struct {
		name    string
		records int
		d       time.Duration
		want    int
	}{
		{"a small poll", 3, time.Millisecond, 16},
		{"a full one", 16, time.Millisecond, 32},
		{"a full one that took long enough", 32, batchTarget / 2, 32},
		{"a full one", 32, time.Millisecond, 64},
		{"a full one, at the most", 64, time.Millisecond, 100},
		{"a quarter", 25, time.Millisecond, 100},
		{"less than a quarter", 24, time.Millisecond, 50},
		{"a full one", 50, time.Millisecond, 100},
		{"twice the target", 100, 2 * batchTarget, 50},
		{"a record that takes minutes", 50, 100 * batchTarget, 1},
		{"a full one", 1, time.Millisecond, 2},
	} {
		p.took(step.records, step.d, 0)
		if p.next() != step.want {
			t.Fatalf("after %s: %d, want %d", step.name, p.next(), step.want)
		}
	}
	p = newPace(100)
	p.broke()
	if p.next() != firstPoll/4 {
		t.Errorf("after a failure: %d", p.next())
	}
	p.oneByOne(3)
	for range 3 {
		if p.next() != 1 {
			t.Errorf("a refused record is not alone: %d", p.next())
		}
		p.took(1, time.Millisecond, 0)
	}
	if p.next() != firstPoll/4 {
		t.Errorf("after those that were refused: %d", p.next())
	}
}

// A batch that waited for a long time is no reason for smaller ones: the next one has what came
// meanwhile, as far as the work on it fits.
func TestWaitingDoesNotMakeBatchesSmaller(t *testing.T) {
	for name, tc := range map[string]struct {
		records       int
		works, waited time.Duration
		want          int
	}{
		"little work":                 {16, batchTarget / 50, 10 * time.Second, 16 * 50},
		"hardly any":                  {16, 0, 10 * time.Second, 1000},
		"as much as may be":           {16, batchTarget, 10 * time.Second, 16},
		"too much":                    {16, 2 * batchTarget, 10 * time.Second, 8},
		"just not half of it":         {16, batchTarget/2 - 1, 10 * time.Second, 32},
		"little, and not a full poll": {3, batchTarget / 50, 10 * time.Second, 3 * 50},
		"little of next to nothing":   {3, batchTarget / 4, 10 * time.Second, 16},
		"little, and a short wait":    {16, batchTarget / 50, batchTarget, 32},
		"little, and a longer one":    {16, batchTarget / 50, batchTarget + 1, 16 * 50},
	} {
		p := newPace(1000)
		if p.took(tc.records, tc.works+tc.waited, tc.waited); p.next() != tc.want {
			t.Errorf("%s: %d, want %d", name, p.next(), tc.want)
		}
	}
}
