package symbolicate_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/breakpad"
	"aftershock/internal/reference"
	"aftershock/symbolserver/symbolicate"
)

// known is a module of the oracle: its text, read by the plain reader.
type known struct {
	name, id string
	sha256   string
	text     *breakpad.File
	edges    []uint64 // addresses around which answers change
}

// slow: the race detector is on, and a tenth is enough; make test asks all without it too.
var slow bool

// TestAnswersAreThoseOfTheText generates requests and compares each answer, as JSON, with
// what the plain reader of the text says.
func TestAnswersAreThoseOfTheText(t *testing.T) {
	requests := 10_000
	if testing.Short() || slow {
		requests = 1000
	}
	symbols := memory{}
	modules := readKnown(t, symbols)
	r := rand.New(rand.NewPCG(11, 7)) //nolint:gosec // the same every time
	for i := range 12 {
		modules = append(modules, addKnown(t, symbols, fmt.Sprintf("made%d", i), madeText(r)))
	}
	h := symbolicate.New(openCache(t, symbols), symbolicate.Options{Limits: symbolicate.Limits{RememberedBytes: 1 << 20}})
	named := 0
	for n := range requests {
		job := randomJob(r, modules)
		for _, v := range []int{4, 5, 6} {
			if v != 4+n%3 && n%50 != 0 {
				continue
			}
			body, want := job.request(v), job.want(v)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, fmt.Sprintf("/symbolicate/v%d", v), strings.NewReader(body)))
			var got any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
				t.Fatalf("request %d: %d: %v: %s", n, w.Code, err, w.Body)
			}
			if diff := cmp.Diff(plainJSON(t, want), got); diff != "" {
				t.Fatalf("request %d, v%d: %s\n%s", n, v, body, diff)
			}
			named += strings.Count(w.Body.String(), `"function_offset"`)
		}
	}
	if named < requests {
		t.Errorf("only %d frames have names", named)
	}
}

// readKnown reads the symbol files of the repository and of the reference.
func readKnown(t *testing.T, symbols memory) []known {
	t.Helper()
	roots := []string{filepath.Join("..", "..", "testdata", "symbols")}
	if dir, ok := reference.Find(t, "corpus"); ok {
		roots = append(roots, filepath.Join(dir, "symbols"), filepath.Join(dir, "crasher", "symbols"), filepath.Join(dir, "synthetic", "symbols"))
	}
	var out []known
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".sym" {
				return err
			}
			text, err := os.ReadFile(path) //nolint:gosec // in folders of ours
			if err == nil {
				out = append(out, addKnown(t, symbols, fmt.Sprintf("known%d", len(out)), string(text)))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// addKnown puts a text where its module is asked for.
func addKnown(t *testing.T, symbols memory, name, text string) known {
	t.Helper()
	f, err := breakpad.Parse(strings.NewReader(text), breakpad.ParseOptions{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	k := known{name: name, id: f.DebugID, sha256: fmt.Sprintf("%x", sha256.Sum256([]byte(text))), text: f}
	if len(f.DebugID) <= 32 || strings.Trim(f.DebugID[:32], "0") == "" {
		k.id = strings.Repeat("7", 32) + "1" // it says another
	}
	symbols[name+"/"+strings.ToUpper(k.id)+"/"+name+".sym"] = text
	for line := range strings.Lines(text) {
		var address, size uint64
		for _, form := range []string{"FUNC m %x %x", "FUNC %x %x", "PUBLIC %x", "%x %x"} {
			if n, _ := fmt.Sscanf(line, form, &address, &size); n > 0 {
				k.edges = append(k.edges, address, address+size-1, address+size)
				break
			}
		}
		if len(k.edges) > 20_000 {
			break
		}
	}
	return k
}

// madeText is a file with everything that records can be, odd names too.
func madeText(r *rand.Rand) string {
	names := []string{"f", "operator\"\" _x", `a\b`, "tab\there", "\x01\x1f", "\xff\xfe", "ž<π>", "", strings.Repeat("long", 300), "x\u2028y", "\U0001f600"}
	files := []string{"a.c", "./b.c", "/x/./y/../z.c", `c:\w\..\v.c`, "c:/w/v.c", "../../up.c", "/a//b.c", "", `\\server\share\a.c`, "hg:h.org/r:d/x.c:01", "a/../../b.c", ".../x.c", "/.hidden", "\xffz.c", "q\"uote.c"}
	var b strings.Builder
	b.WriteString("MODULE windows x86_64 " + fmt.Sprintf("%032X", 1+r.Uint64()) + "1 app.pdb\n")
	b.WriteString([]string{"", "INFO CODE_ID 5F0E9E2A1000 app.exe\n", "INFO CODE_ID 5F0E9E2A1000 my app.exe\n", "INFO CODE_ID 5F0E9E2A1000\n"}[r.IntN(4)])
	for i, f := range files {
		fmt.Fprintf(&b, "FILE %d %s\n", i, f)
	}
	for i, n := range names {
		fmt.Fprintf(&b, "INLINE_ORIGIN %d %s\n", i, n)
	}
	at := 0x100
	for range 200 {
		size := 1 + r.IntN(64)
		fmt.Fprintf(&b, "FUNC %x %x 0 %s\n", at, size, names[r.IntN(len(names))])
		for depth := range r.IntN(4) {
			fmt.Fprintf(&b, "INLINE %d %d %d %d %x %x\n", depth, r.IntN(3), r.IntN(len(files)+1), r.IntN(len(names)+1), at+r.IntN(size), 1+r.IntN(size))
		}
		for line := at; line < at+size; line += 8 {
			fmt.Fprintf(&b, "%x 8 %d %d\n", line, r.IntN(3), r.IntN(len(files)+1))
		}
		if r.IntN(3) == 0 {
			fmt.Fprintf(&b, "PUBLIC %x 0 %s\n", at+r.IntN(size+9), names[r.IntN(len(names))])
		}
		if r.IntN(100) == 0 {
			b.WriteString("FUNC zzz\n")
		}
		at += r.IntN(size + 16)
	}
	return b.String()
}

// asked is a generated job.
type asked struct {
	modules []known
	stacks  [][]askedFrame
}

type askedFrame struct {
	module int
	offset uint64
}

func randomJob(r *rand.Rand, all []known) asked {
	var job asked
	for range 1 + r.IntN(5) {
		m := all[r.IntN(len(all))]
		if r.IntN(10) == 0 {
			m = known{name: "missing", id: strings.Repeat("9", 33)}
		}
		job.modules = append(job.modules, m)
	}
	for range 1 + r.IntN(3) {
		stack := []askedFrame{}
		for range r.IntN(12) {
			f := askedFrame{r.IntN(len(job.modules)+1) - 1, uint64(r.IntN(1 << 20))}
			if f.module >= 0 {
				if edges := job.modules[f.module].edges; len(edges) > 0 && r.IntN(8) > 0 {
					f.offset = edges[r.IntN(len(edges))] + uint64(r.IntN(3)) - 1
				}
			}
			if r.IntN(50) == 0 {
				f.offset = []uint64{0, 1 << 32, 1<<32 - 1, 1 << 63, 1<<64 - 1}[r.IntN(5)]
			}
			stack = append(stack, f)
		}
		job.stacks = append(job.stacks, stack)
	}
	return job
}

// plainJSON makes a value what JSON makes of it.
func plainJSON(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
