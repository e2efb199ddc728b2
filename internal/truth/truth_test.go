package truth_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aftershock/internal/reference"
	"aftershock/internal/truth"
	"aftershock/stackwalk"
)

var update = flag.Bool("update", false, "write testdata/table.txt")

// TestTableOnlyGetsBetter walks the set of known stacks with the newest version of the
// walker. No score may be less than testdata/table.txt has it; one that is better is
// to be written down (-update).
func TestTableOnlyGetsBetter(t *testing.T) {
	dir := reference.Path(t, "truth")
	cases, err := truth.Load(dir)
	if err != nil || len(cases) == 0 {
		t.Fatal(len(cases), "dumps", err)
	}
	t.Run("symbols", func(t *testing.T) {
		onlyBetter(t, cases, truth.NewWalker(dir, stackwalk.NewestVersion), filepath.Join("testdata", "table.txt"))
	})
	t.Run("files", func(t *testing.T) {
		w := truth.NewWalker(dir, stackwalk.NewestVersion)
		w.Modules = true
		if missing := w.MissingModules(); len(missing) > 0 {
			t.Skip("not on this machine:", missing)
		}
		onlyBetter(t, cases, w, filepath.Join("testdata", "withfiles.txt"))
	})
}

func onlyBetter(t *testing.T, cases []truth.Case, w *truth.Walker, path string) {
	t.Helper()
	var table truth.Table
	if err := table.Measure(cases, truth.Conditions, "newest", w, nil); err != nil {
		t.Fatal(err)
	}
	if *update {
		out := "# condition, true frames of those that are reported, wanted ones that are lost, wrong names, exact threads\n"
		for _, c := range truth.Conditions {
			s := table.Score(c, "newest", truth.All)
			out += fmt.Sprintln(c, s.True, s.Reported, s.Lost, s.Wanted, s.Wrong, s.Named, s.Exact, s.Threads)
		}
		if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for in := bufio.NewScanner(f); in.Scan(); {
		if strings.HasPrefix(in.Text(), "#") {
			continue
		}
		lines++
		var c string
		var was truth.Score
		if _, err := fmt.Sscan(in.Text(), &c, &was.True, &was.Reported, &was.Lost, &was.Wanted, &was.Wrong, &was.Named, &was.Exact, &was.Threads); err != nil {
			t.Fatal(in.Text(), err)
		}
		is := table.Score(c, "newest", truth.All)
		is.Doubted = 0
		if is == was {
			continue
		}
		if is.True*was.Reported < was.True*is.Reported || is.Lost > was.Lost || is.Wrong*was.Named > was.Wrong*is.Named || is.Named-is.Wrong < was.Named-was.Wrong || is.Exact < was.Exact {
			t.Errorf("%s is worse:\n%+v\nwas\n%+v", c, is, was)
		} else {
			t.Errorf("%s is better, and not written down (-update):\n%+v\nwas\n%+v", c, is, was)
		}
	}
	if lines != len(truth.Conditions) {
		t.Errorf("%s has %d lines", path, lines)
	}
}

// TestJudge counts by the longest common subsequence.
func TestJudge(t *testing.T) {
	frame := func(module string, offset uint64, function, kind string) string {
		return fmt.Sprintf(`{"module": %q, "offset": "%#x", "function": %q, "kind": %q, "in_dump": true}`, module, offset, function, kind)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "truth"), 0o750); err != nil {
		t.Fatal(err)
	}
	text := `{"dump": "a.dmp", "kind": "plain", "threads": [{"tid": 7, "crashed": true, "frames": [` + strings.Join([]string{
		frame("app", 0x10, "top", "context"), frame("app", 0x20, "ns::one(int)", "call"), frame("app", 0x30, "two", "call"),
		frame("app", 0x40, "three", "interrupted"), frame("app", 0x50, "main", "call"),
	}, ",") + `]}]}`
	if err := os.WriteFile(filepath.Join(dir, "truth", "a.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cases, err := truth.Load(dir)
	if err != nil || len(cases) != 1 {
		t.Fatal(cases, err)
	}
	got := []truth.Reported{
		{Module: "app", At: 0x1f, Function: "_one"},                       // true, named as it is
		{Module: "lib", At: 0x2f},                                         // false: another module
		{Module: "app", At: 0x40, Function: "other"},                      // true: interrupted there, named wrongly
		{Module: "app", At: 0x4f, Function: "<.text ELF section in app>"}, // true, without a name
		{Module: "app", At: 0x1f, Function: "one"},                        // false: once only
	}
	j := cases[0].Threads[0].Judge(got)
	want := truth.Score{True: 3, Reported: 5, Wanted: 4, Lost: 1, Named: 2, Wrong: 1, Threads: 1}
	if j.Score != want || len(j.Lost) != 1 || j.Lost[0].Function != "two" || len(j.WrongNames) != 1 || j.WrongNames[0] != 2 {
		t.Errorf("%+v", j)
	}
	got[2].Doubt = true
	if j := cases[0].Threads[0].Judge(got); j.Wrong != 0 || j.Named != 1 || j.Doubted != 1 {
		t.Errorf("%+v", j.Score)
	}
}
