package report_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLiveParityOfDumps compares with the minidump-stackwalk that
// $AFTERSHOCK_MINIDUMP_STACKWALK names: every dump of the corpora, and as many
// again as mutants asks for with some bytes changed.
func TestLiveParityOfDumps(t *testing.T) {
	reference := os.Getenv("AFTERSHOCK_MINIDUMP_STACKWALK")
	if reference == "" {
		t.Skip("set AFTERSHOCK_MINIDUMP_STACKWALK to the program to compare with")
	}
	const mutants = 200
	type dump struct {
		path    string
		symbols []string
	}
	var dumps []dump
	for _, s := range append(sets(t), set{dumps: "../../testdata/crashes", symbols: []string{"../../testdata/symbols"}}) {
		paths, err := filepath.Glob(filepath.Join(s.dumps, "*.dmp"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			dumps = append(dumps, dump{p, s.symbols})
		}
	}
	var same, refused, better, onPurpose int
	compare := func(d dump, path, name string) {
		differences, verdict := compareDump(t, reference, path, d.symbols)
		switch verdict {
		case bothRefuse:
			refused++
		case onlyWeRead:
			better++
		case bothRead:
		}
		switch {
		case len(differences) == 0:
			same++
			return
		case meant(differences):
			onPurpose++
			return
		}
		t.Errorf("%s: %s", name, strings.Join(differences, "\n\t"))
	}
	for _, d := range dumps {
		compare(d, d.path, filepath.Base(d.path))
	}
	scratch := filepath.Join(t.TempDir(), "dump")
	for seed := range uint64(mutants) {
		r := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // seeds that fail must fail again
		d := dumps[r.IntN(len(dumps))]
		data, err := os.ReadFile(d.path)
		if err != nil {
			t.Fatal(err)
		}
		where := mutate(r, data)
		write(t, scratch, data)
		compare(d, scratch, filepath.Base(d.path)+" with "+where)
	}
	t.Logf("%d of %d equal (of those both refuse %d, and only the reference refuses %d), %d different on purpose",
		same, len(dumps)+mutants, refused, better, onPurpose)
}

// meant tells whether all differences are those that testdata/differences.txt
// gives a reason for: one bad record costs the reference a whole list, and what
// follows from it; names of threads; texts of the
// system that go on into memory; ids of modules whose CodeView record is of no known kind; the
// number of an unknown system.
func meant(differences []string) bool {
	lost := func(d string) bool {
		return strings.HasPrefix(d, "modules: want 0, got ") || strings.HasPrefix(d, "linux_memory_map_count: want <nil>, got ")
	}
	small := regexp.MustCompile(`^modules\[\d+\]\.code_id: want , got |^system_info\.os: want 0x0x|^system_info\.os_ver: want |\.thread_name: want <nil>, got `)
	return slices.ContainsFunc(differences, lost) ||
		!slices.ContainsFunc(differences, func(d string) bool { return !small.MatchString(d) })
}

// mutate changes up to 16 bytes, half of the time in the first 4 KiB, where
// streams of small records tend to lie.
func mutate(r *rand.Rand, data []byte) string {
	n, limit := 1+r.IntN(16), len(data)
	if r.IntN(2) == 0 {
		limit = min(limit, 4<<10)
	}
	var changed []string
	for range n {
		at := r.IntN(limit)
		data[at] = pick(r, byte(r.Uint32()), 0, 0xff, data[at]+1, data[at]^1<<r.IntN(8))
		changed = append(changed, formatChange(at, data[at]))
	}
	return strings.Join(changed, " ")
}

func formatChange(at int, v byte) string {
	text, _ := json.Marshal(map[string]int{"at": at, "is": int(v)}) //nolint:errchkjson // plain numbers
	return string(text)
}

type verdict int

const (
	bothRead verdict = iota
	bothRefuse
	onlyWeRead
)

// compareDump lists where the reference differs on a dump. A dump that it
// refuses may be read by us.
func compareDump(t *testing.T, reference, path string, symbols []string) ([]string, verdict) {
	t.Helper()
	args := []string{"--json"}
	for _, dir := range symbols {
		args = append(args, "--symbols-path", dir)
	}
	text, err := exec.CommandContext(t.Context(), reference, append(args, path)...).Output() //nolint:gosec // the developer names it
	in, ourErr := walkFile(path, symbols)
	switch {
	case err != nil && ourErr != nil:
		return nil, bothRefuse
	case err != nil:
		return nil, onlyWeRead
	case ourErr != nil:
		return []string{"only we refuse it: " + ourErr.Error()}, bothRead
	}
	want, got := decodeJSON(t, text), printed(t, in)
	var found []string
	for _, list := range []string{"modules", "linux_memory_map_count"} { // first, for there may be too many to list
		found = diff(found, list, want.(map[string]any)[list], got.(map[string]any)[list])
	}
	return diff(found, "", want, got), bothRead
}
