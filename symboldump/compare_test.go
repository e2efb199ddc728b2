package symboldump_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"aftershock/breakpad"
	"aftershock/symboldump"
)

// TestAnswersAreThoseOfDumpSyms compares what the symbol files of two tools answer
// at random addresses. AFTERSHOCK_DUMP_SYMS is mozilla's dump_syms, and
// AFTERSHOCK_DUMP_BINARIES lists files, or folders of such: NAME, or
// NAME,DEBUGFILE. AFTERSHOCK_DUMP_ADDRESSES is how many addresses, by default a
// million. Differences are told by kind with the most frequent ones;
// docs/symbols-dump.md explains those there are.
func TestAnswersAreThoseOfDumpSyms(t *testing.T) {
	tool, list := os.Getenv("AFTERSHOCK_DUMP_SYMS"), os.Getenv("AFTERSHOCK_DUMP_BINARIES")
	if tool == "" || list == "" {
		t.Skip("AFTERSHOCK_DUMP_SYMS and AFTERSHOCK_DUMP_BINARIES say what to compare: see docs/symbols-dump.md")
	}
	addresses := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("AFTERSHOCK_DUMP_ADDRESSES")); err == nil {
		addresses = n
	}
	for _, name := range strings.Fields(list) {
		binaryPath, debugPath, _ := strings.Cut(name, ",")
		t.Run(filepath.Base(binaryPath), func(t *testing.T) {
			ours := dumpOurs(t, binaryPath, debugPath)
			theirs := dumpTheirs(t, tool, binaryPath, debugPath)
			c := comparison{ours: ours, theirs: theirs, different: map[string]map[string]int{}}
			f := openFile(t, binaryPath)
			code := f.Code()
			var total uint64
			for _, s := range code {
				total += s.Size
			}
			random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same addresses each time
			for range addresses {
				at := random.Uint64N(total)
				for _, s := range code {
					if at < s.Size {
						c.at(s.RVA + at)
						break
					}
					at -= s.Size
				}
			}
			t.Log(c.String())
		})
	}
}

func openFile(t *testing.T, path string) *symboldump.File {
	t.Helper()
	data, err := os.ReadFile(path) //nolint:gosec // what the tester named
	if err != nil {
		t.Fatal(err)
	}
	f, err := symboldump.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func dumpOurs(t *testing.T, path, debugPath string) *breakpad.File {
	t.Helper()
	var debug *symboldump.File
	if debugPath != "" {
		debug = openFile(t, debugPath)
	}
	options := symboldump.Options{Name: filepath.Base(path)}
	if debug != nil && debug.Alternate().Name != "" {
		alternate := debug.Alternate().Name
		if !filepath.IsAbs(alternate) {
			alternate = filepath.Join(filepath.Dir(debugPath), alternate)
		}
		options.Alternate = openFile(t, alternate)
	}
	var text bytes.Buffer
	report, err := openFile(t, path).WriteSymbols(&text, debug, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report.String())
	return parse(t, &text)
}

func dumpTheirs(t *testing.T, tool, path, debugPath string) *breakpad.File {
	t.Helper()
	args := []string{"--inlines", path}
	if debugPath != "" {
		args = append(args, debugPath)
	}
	out := filepath.Join(t.TempDir(), "theirs.sym")
	//nolint:gosec // what the tester named
	if said, err := exec.Command(tool, append([]string{"-o", out}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	text, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	return parse(t, text)
}

func parse(t *testing.T, text interface{ Read([]byte) (int, error) }) *breakpad.File {
	t.Helper()
	f, err := breakpad.Parse(text, breakpad.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if f.BadLines() > 0 {
		t.Errorf("%d bad lines", f.BadLines())
	}
	return f
}

// comparison counts answers that differ, by kind and then by both answers.
type comparison struct {
	ours, theirs *breakpad.File
	asked        int
	different    map[string]map[string]int
	first        map[string]uint64
	a, b         breakpad.Locations
}

func (c *comparison) differ(kind string, rva uint64, ours, theirs string) {
	if c.different[kind] == nil {
		c.different[kind] = map[string]int{}
	}
	pair := "ours " + ours + "\n      theirs " + theirs
	if c.first == nil {
		c.first = map[string]uint64{}
	}
	if _, ok := c.first[pair]; !ok {
		c.first[pair] = rva
	}
	c.different[kind][pair]++
}

func (c *comparison) at(rva uint64) {
	c.asked++
	c.a.Reset()
	c.b.Reset()
	c.ours.AppendLocations(&c.a, rva)
	c.theirs.AppendLocations(&c.b, rva)
	c.locations(rva)
	c.cfi(rva)
}

func (c *comparison) locations(rva uint64) {
	a, b := c.a.List, c.b.List
	ourFunc, theirFunc := len(a) > 0 && !a[len(a)-1].Public, len(b) > 0 && !b[len(b)-1].Public
	if !ourFunc && !theirFunc {
		public := func(l []breakpad.Location) string {
			if len(l) == 0 || bytes.HasPrefix(l[0].Function, []byte("<")) {
				return ""
			}
			return string(l[0].Function)
		}
		if x, y := public(a), public(b); x != y {
			c.differ("PUBLIC", rva, x, y)
		}
		return
	}
	if ourFunc != theirFunc {
		c.differ("FUNC of one alone", rva, chain(a), chain(b))
		return
	}
	x, y := &a[len(a)-1], &b[len(b)-1]
	if string(x.Function) != string(y.Function) {
		c.differ("FUNC name"+how(x.Function, y.Function), rva, string(x.Function), string(y.Function))
	}
	if x.FunctionRVA != y.FunctionRVA {
		c.differ("FUNC start", rva, fmt.Sprintf("%x", x.FunctionRVA), fmt.Sprintf("%x", y.FunctionRVA))
	}
	if len(a) != len(b) {
		c.differ("INLINE depth", rva, chain(a), chain(b))
		return
	}
	for i := range a {
		if i < len(a)-1 && string(a[i].Function) != string(b[i].Function) {
			c.differ("INLINE name"+how(a[i].Function, b[i].Function), rva, string(a[i].Function), string(b[i].Function))
		}
		if p, q := place(&a[i]), place(&b[i]); p != q {
			kind := "line"
			if len(a) > 1 && i > 0 {
				kind = "call line"
			}
			c.differ(kind, rva, p, q)
		}
	}
}

// how says in which way the other name is another.
func how(ours, theirs []byte) string {
	switch {
	case bytes.HasPrefix(theirs, []byte("_Z")), bytes.HasPrefix(theirs, []byte("_R")):
		return ", theirs mangled"
	case bytes.HasPrefix(ours, []byte("_Z")), bytes.HasPrefix(ours, []byte("_R")):
		return ", ours mangled"
	case string(beforeParameters(ours)) == string(beforeParameters(theirs)):
		return ", parameters"
	case strings.ReplaceAll(string(ours), " ", "") == strings.ReplaceAll(string(theirs), " ", ""):
		return ", blanks"
	}
	return ""
}

// beforeParameters cuts the last list in parentheses off.
func beforeParameters(name []byte) []byte {
	end := bytes.LastIndexByte(name, ')')
	depth := 0
	for i := end; i >= 0; i-- {
		switch name[i] {
		case ')':
			depth++
		case '(':
			if depth--; depth == 0 {
				return name[:i]
			}
		}
	}
	return name
}

func place(l *breakpad.Location) string {
	if !l.HasFile {
		return "nowhere"
	}
	return fmt.Sprintf("%s:%d", l.File, l.Line)
}

func chain(list []breakpad.Location) string {
	var parts []string
	for i := range list {
		parts = append(parts, fmt.Sprintf("%.60s@%s", list[i].Function, place(&list[i])))
	}
	return strings.Join(parts, " < ")
}

// cfi compares what the rules find with made up registers and a made up stack.
func (c *comparison) cfi(rva uint64) {
	x, okX := c.ours.CFI(rva)
	y, okY := c.theirs.CFI(rva)
	if okX != okY {
		c.differ("CFI of one alone", rva, strconv.FormatBool(okX), strconv.FormatBool(okY))
		return
	}
	if !okX {
		return
	}
	if p, q := c.eval(x.Rules), c.eval(y.Rules); p != q {
		kind := "CFI"
		switch {
		case strings.Contains(p, "rip 0 ") && q == "does not compute":
			kind = "CFI, the stack's end"
		case q == "does not compute":
			kind = "CFI, ours alone computes"
		case expressionCFA(x.Rules):
			kind = "CFI, an expression"
		case ofWhat(q, p):
			kind = "CFI, theirs restores more"
		}
		c.differ(kind, rva, p, q)
	}
}

// expressionCFA tells that the CFA is more than a register and a number.
func expressionCFA(r breakpad.Rules) bool { return len(r.Entries) > 1 && r.Entries[1] != 0 }

// ofWhat tells whether all that b says a says too.
func ofWhat(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	for i := 0; i+1 < len(y); i += 2 {
		found := false
		for j := 0; j+1 < len(x); j += 2 {
			found = found || x[j] == y[i] && x[j+1] == y[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

var stack = func() []byte {
	b := make([]byte, 1<<16)
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same stack each time
	for i := 0; i < len(b); i += 8 {      // words that are again addresses in it
		binary.LittleEndian.PutUint64(b[i:], 0x10000+random.Uint64N(1<<15)&^7)
	}
	return b
}()

func (c *comparison) eval(rules breakpad.Rules) string {
	arch := c.ours.Arch()
	var callee breakpad.Registers
	for i := range arch.RegisterNames() {
		callee.Set(breakpad.Register(i), 0x10000+1<<14+uint64(i)*264)
	}
	caller := callee
	memory := breakpad.Memory{Base: 0x10000, Bytes: stack}
	if !rules.Eval(arch, &callee, &caller, &memory) {
		return "does not compute"
	}
	var b strings.Builder
	for i, name := range arch.RegisterNames() {
		if v, ok := caller.Get(breakpad.Register(i)); !ok {
			fmt.Fprintf(&b, "%s ? ", name)
		} else if was, _ := callee.Get(breakpad.Register(i)); v != was {
			fmt.Fprintf(&b, "%s %x ", name, v)
		}
	}
	return b.String()
}

func (c *comparison) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d addresses\n", c.asked)
	for _, kind := range slices.Sorted(maps.Keys(c.different)) {
		pairs := c.different[kind]
		total := 0
		for _, n := range pairs {
			total += n
		}
		fmt.Fprintf(&b, "  %-28s %d differ (%.4f %%), %d ways\n", kind, total, 100*float64(total)/float64(c.asked), len(pairs))
		keys := slices.SortedFunc(maps.Keys(pairs), func(x, y string) int { return cmp.Or(cmp.Compare(pairs[y], pairs[x]), cmp.Compare(x, y)) })
		for _, k := range keys[:min(len(keys), 4)] {
			fmt.Fprintf(&b, "    %6d at %x: %.600s\n", pairs[k], c.first[k], k)
		}
	}
	return b.String()
}
