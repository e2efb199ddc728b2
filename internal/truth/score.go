package truth

import (
	"regexp"
	"slices"
	"strings"
)

// Reported is a caller that a walker reports.
type Reported struct {
	Module string // empty outside modules
	At     uint64 // where the call lies: an offset in the module, or absolute
	// Function is empty without a name; it starts FunctionOffset before At if
	// HasOffset.
	Function       string
	FunctionOffset uint64
	HasOffset      bool
	Trust          string
	Gap            uint64  // bytes between the callee's stack pointer and this one's; 0 if unknown
	Doubt          bool    // the walker says that the name may be wrong
	Probability    float64 // that the frame is true, as the walker says; 0 if it does not
}

// Score counts frames. The zero Score is that of nothing.
type Score struct {
	True     int // reported frames that are true
	Reported int
	Wanted   int // true frames that the dump holds
	Lost     int // those of them that were not found
	Named    int // true frames with a name that is not said to be doubtful
	Wrong    int // those of them with a wrong one
	Doubted  int // names that are said to be doubtful
	Threads  int
	Exact    int // threads without a false or lost frame
}

// Add adds another score to this one.
func (s *Score) Add(o Score) {
	s.True += o.True
	s.Reported += o.Reported
	s.Wanted += o.Wanted
	s.Lost += o.Lost
	s.Named += o.Named
	s.Wrong += o.Wrong
	s.Doubted += o.Doubted
	s.Threads += o.Threads
	s.Exact += o.Exact
}

// Judged is a thread's score and what it is made of.
type Judged struct {
	Score
	Right []bool  // by reported frame
	Lost  []Frame // true frames of the dump that were not found
	// WrongNames are the reported frames that are true and have a wrong name.
	WrongNames []int
}

// Judge compares the callers of a thread, without the first frame, with the
// truth: by the longest common subsequence of (module, return address).
func (t *Thread) Judge(got []Reported) Judged {
	want := t.Frames[min(1, len(t.Frames)):]
	j := Judged{Right: make([]bool, len(got))}
	found := make([]bool, len(want))
	for _, p := range pairs(want, got) {
		found[p[0]], j.Right[p[1]] = true, true
		j.True++
		g := got[p[1]]
		switch wrong, told := want[p[0]].wrongName(&g); {
		case !told:
		case g.Doubt:
			j.Doubted++
		default:
			j.Named++
			if wrong {
				j.Wrong++
				j.WrongNames = append(j.WrongNames, p[1])
			}
		}
	}
	j.Reported, j.Threads = len(got), 1
	for i := range want {
		if want[i].InDump {
			j.Wanted++
			if !found[i] {
				j.Lost = append(j.Lost, want[i])
			}
		}
	}
	j.Score.Lost = len(j.Lost)
	if len(j.Lost) == 0 && j.True == j.Reported {
		j.Exact = 1
	}
	return j
}

func (f *Frame) is(g *Reported) bool {
	return f.Module == g.Module && (g.At == uint64(f.Offset)-1 || f.Kind == interrupted && g.At == uint64(f.Offset))
}

// pairs is the longest common subsequence: indices in both.
func pairs(want []Frame, got []Reported) [][2]int {
	var out [][2]int
	start := 0
	for start < len(want) && start < len(got) && want[start].is(&got[start]) {
		out = append(out, [2]int{start, start})
		start++
	}
	n, m := len(want)-start, len(got)-start
	longest := make([][]int, n+1)
	for i := range longest {
		longest[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if want[start+i].is(&got[start+j]) {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < n && j < m; {
		switch {
		case want[start+i].is(&got[start+j]):
			out = append(out, [2]int{start + i, start + j})
			i, j = i+1, j+1
		case longest[i+1][j] >= longest[i][j+1]:
			i++
		default:
			j++
		}
	}
	return out
}

// section is how dump_syms calls code without a symbol: that is no name.
var section = regexp.MustCompile(`^<\S+ ELF section in `)

// wrongName tells whether a true frame has a wrong name; told is false where one
// of the two has none.
func (f *Frame) wrongName(g *Reported) (wrong, told bool) {
	if g.Function == "" || f.Function == "" || section.MatchString(g.Function) {
		return false, false
	}
	if g.HasOffset && f.Start != 0 && g.Module != "" && g.At-g.FunctionOffset == uint64(f.Start) {
		return false, true
	}
	name := plain(g.Function)
	if name == plain(f.Function) {
		return false, true
	}
	return !slices.ContainsFunc(f.Names, func(n string) bool { return name == plain(n) }), true
}

var (
	clones    = regexp.MustCompile(`\s*\[clone [^]]*\]`)
	versions  = regexp.MustCompile(`@@?[\w.]+$`)
	parts     = regexp.MustCompile(`\.(cold|part|isra|constprop|lto_priv|llvm|localalias)(\.\d+)*\b`)
	hashes    = regexp.MustCompile(`::h[0-9a-f]{16}$`)
	decorated = regexp.MustCompile(`\[abi:\w+\]|\(anonymous namespace\)::`)
	closures  = regexp.MustCompile(`\{\{closure\}\}|\{closure[^}]*\}|\{lambda[^}]*\}(#\d+)?`)
	operators = regexp.MustCompile(`[\s(<].*`)
)

// plain is a function's name in a form that demanglers agree on: without
// parameters, template arguments, scopes, suffixes of clones.
func plain(n string) string {
	n = versions.ReplaceAllString(clones.ReplaceAllString(strings.TrimSpace(n), ""), "")
	n = hashes.ReplaceAllString(parts.ReplaceAllString(n, ""), "")
	n = closures.ReplaceAllString(decorated.ReplaceAllString(n, ""), "L")
	if at := strings.Index(n, "operator"); at >= 0 {
		return operators.ReplaceAllString(n[at:], "")
	}
	var out strings.Builder
	depth := 0
	for _, r := range n {
		switch {
		case r == '<' || r == '(':
			depth++
		case r == '>' || r == ')':
			depth = max(0, depth-1)
		case depth == 0:
			out.WriteRune(r)
		}
	}
	short := out.String()
	if strings.Contains(strings.TrimSpace(short), " ") {
		words := strings.Split(strings.ReplaceAll(short, "const", ""), " ")
		short = words[len(words)-1]
	}
	short = strings.Trim(strings.TrimSpace(short), "&*")
	scopes := slices.DeleteFunc(strings.Split(short, "::"), func(s string) bool { return s == "" })
	if len(scopes) > 0 {
		n = scopes[len(scopes)-1]
	}
	if bare := strings.TrimLeft(n, "_"); bare != "" {
		return bare
	}
	return n
}
