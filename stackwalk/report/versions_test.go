package report_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/internal/reference"
	"aftershock/stackwalk"
	"aftershock/stackwalk/report"
)

// TestNoVersionIsWorse compares versions of the walk on every dump at hand: a later
// one has no fewer frames in modules and no more in none, thread by thread. Where
// the truth is known it counts instead: a later version finds no fewer of the true
// callers, and more frames in no module only together with more of them. What
// differs otherwise is in testdata, with the reason.
func TestNoVersionIsWorse(t *testing.T) {
	for _, c := range []struct {
		earlier, later int
		reasons        string
	}{{1, 2, "versions.txt"}, {1, 3, "versions1to3.txt"}, {2, 3, "versions2to3.txt"}} {
		t.Run(fmt.Sprintf("%d to %d", c.earlier, c.later), func(t *testing.T) { noneWorse(t, c.earlier, c.later, c.reasons) })
	}
}

func noneWorse(t *testing.T, earlier, later int, reasons string) {
	allowed, used := allowedDifferences(t, reasons), map[string]bool{}
	threads := 0
	compare := func(name, dump string, symbols []string, truth *trueStacks) {
		v1, err := walkVersion(dump, symbols, earlier)
		if err != nil {
			return // neither walks it
		}
		v2, err := walkVersion(dump, symbols, later)
		if err != nil {
			t.Fatal(err)
		}
		for i := range v1.Walk.Threads {
			threads++
			was, is := &v1.Walk.Threads[i], &v2.Walk.Threads[i]
			worse := worseByTruth(truth, &v1, &v2, was.ID)
			if worse == nil {
				worse = worseByCount(was, is)
			}
			for field, what := range worse {
				key := name + "\t" + fmt.Sprintf("%s of thread %d", field, i)
				if used[key] = true; allowed[key] == "" {
					t.Errorf("%s: %s", strings.ReplaceAll(key, "\t", ": "), what)
				}
			}
		}
	}
	for _, s := range sets(t) {
		for _, dump := range dumpsIn(t, s.dumps) {
			compare(filepath.Base(dump), dump, s.symbols, nil)
		}
	}
	for _, dump := range dumpsIn(t, "../../testdata/crashes") {
		compare(filepath.Base(dump), dump, []string{"../../testdata/symbols"}, nil)
		known, err := walkVersion(dump, []string{"../../testdata/symbols"}, stackwalk.NewestVersion)
		if err != nil {
			t.Fatal(err)
		}
		compare(filepath.Base(dump)+" without symbols", dump, nil, walkedTruth(&known))
	}
	for _, dump := range dumpsIn(t, filepath.Join(reference.Path(t, "cases", "field"), "*")) {
		compare(filepath.Base(dump), dump, []string{filepath.Join(filepath.Dir(dump), "symbols")}, nil)
	}
	known := reference.Path(t, "truth")
	conditions, err := filepath.Glob(filepath.Join(known, "symbols", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, symbols := range conditions {
		for _, dump := range dumpsIn(t, filepath.Join(known, "dumps")) {
			truth := readTruth(t, filepath.Join(known, "truth", strings.TrimSuffix(filepath.Base(dump), ".dmp")+".json"))
			compare(filepath.Base(dump)+" "+filepath.Base(symbols), dump, []string{symbols}, truth)
		}
	}
	for key := range allowed {
		if !used[key] {
			t.Errorf("testdata/%s: %q does not occur", reasons, key)
		}
	}
	t.Log(threads, "threads")
}

func dumpsIn(t *testing.T, dir string) []string {
	t.Helper()
	dumps, err := filepath.Glob(filepath.Join(dir, "*.dmp"))
	if err != nil || len(dumps) == 0 {
		t.Fatal("no dumps in", dir, err)
	}
	return dumps
}

func readTruth(t *testing.T, path string) *trueStacks {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out trueStacks
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(path, err)
	}
	return &out
}

// worseByTruth is nil for a thread whose truth is not known.
func worseByTruth(truth *trueStacks, v1, v2 *report.Input, id uint32) map[string]string {
	if truth == nil {
		return nil
	}
	for i := range truth.Threads {
		th := &truth.Threads[i]
		if th.TID != id {
			continue
		}
		out := map[string]string{}
		was, falseWas, nowhereWas := th.found(v1)
		is, falseIs, nowhereIs := th.found(v2)
		if is < was {
			out["true callers"] = fmt.Sprintf("%d instead of %d", is, was)
		}
		if nowhereIs > nowhereWas && is <= was || falseIs > falseWas && is <= was {
			out["false callers"] = fmt.Sprintf("%d instead of %d, %d instead of %d nowhere", falseIs, falseWas, nowhereIs, nowhereWas)
		}
		return out
	}
	return nil
}

// worseByCount counts frames. Those of version 1 above the one that version 2
// knows to be the last are none of the stack.
func worseByCount(was, is *stackwalk.Thread) map[string]string {
	frames := was.Frames
	if is.End == stackwalk.EndStackBottom {
		last := is.Frames[len(is.Frames)-1].Instruction
		for i := range frames {
			if frames[i].Instruction == last {
				frames = frames[:i+1]
				break
			}
		}
	}
	realWas, nowhereWas := countIn(frames)
	realIs, nowhereIs := countIn(is.Frames)
	out := map[string]string{}
	if realIs < realWas {
		out["frames in modules"] = fmt.Sprintf("%d instead of %d, end %s", realIs, realWas, is.End)
	}
	if nowhereIs > nowhereWas {
		out["frames in no module"] = fmt.Sprintf("%d instead of %d", nowhereIs, nowhereWas)
	}
	return out
}

func countIn(frames []stackwalk.Frame) (modules, nowhere int) {
	for i := range frames {
		if frames[i].Module >= 0 {
			modules++
		} else {
			nowhere++
		}
	}
	return modules, nowhere
}
