package signature

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
)

// joined is what a list means: its lines, each matched at the beginning.
func joined(l *list) *regexp.Regexp {
	if len(l.lines) == 0 {
		return regexp.MustCompile(`$.^`)
	}
	var texts []string
	for _, in := range l.lines {
		texts = append(texts, "(?:"+in.text+")")
	}
	return regexp.MustCompile(anchored(strings.Join(texts, "|")))
}

// probes are frames that lie near the lines of a list: the lines themselves,
// their literals, and both with something cut off or added.
func probes(l *list) []string {
	out := []string{"", "x", "std::vector<T>::push_back"}
	add := func(s string) {
		out = append(out, s, s+"x", s+"<T>", "x"+s)
		for _, i := range []int{1, len(s) / 2, len(s) - 1} {
			if i > 0 && i < len(s) {
				out = append(out, s[:i], s[i:])
			}
		}
	}
	for _, in := range l.lines {
		add(in.text)
		add(strings.NewReplacer(`\`, "", "(", "", ")", "", "?", "", "$", "").Replace(in.text))
		add(strings.ReplaceAll(in.text, ".*", "anything"))
		for _, b := range beginnings(parse(in.text)) {
			add(b.text)
		}
	}
	return out
}

func parse(expr string) *syntax.Regexp {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		panic(err)
	}
	return re
}

func TestListIsItsLinesJoined(t *testing.T) {
	rulesets := map[string]func(testing.TB) *Ruleset{"v1": func(testing.TB) *Ruleset { return Default() }, "socorro": socorro}
	for name, ruleset := range rulesets {
		t.Run(name, func(t *testing.T) {
			r := ruleset(t)
			for _, l := range []*list{&r.irrelevant, &r.prefix, &r.lineNumbers} {
				all, re := probes(l), joined(l)
				for _, frame := range all {
					if got, want := l.match(frame), re.MatchString(frame); got != want {
						t.Errorf("%s: %q: got %v, want %v", l.file, frame, got, want)
					}
				}
				t.Logf("%s: %d lines, %d literals, %d lines begin with anything, %d probes", l.file, len(l.lines), len(l.literals), len(l.anywhere), len(all))
			}
		})
	}
}

func TestListNamesTheFirstLineThatMatches(t *testing.T) {
	l, err := compile("f.txt", []line{{3, "x"}, {5, "foo$"}, {7, ".*oo"}, {8, "fo"}, {9, "(bar|foo)"}})
	if err != nil {
		t.Fatal(err)
	}
	for frame, want := range map[string]ListLine{
		"foo":  {"f.txt", 5, "foo$"},
		"food": {"f.txt", 7, ".*oo"},
		"fob":  {"f.txt", 8, "fo"},
		"bar":  {"f.txt", 9, "(bar|foo)"},
		"x":    {"f.txt", 3, "x"},
		"y":    {},
	} {
		if got := l.line(frame); got != want {
			t.Errorf("%q: got %v, want %v", frame, got, want)
		}
	}
}

func TestBeginnings(t *testing.T) {
	for expr, want := range map[string]string{
		`memcpy`:            "memcpy",
		`raise$`:            "raise$",
		`(__)?kill(_x|_y)$`: "kill_x$ kill_y$ __kill_x$ __kill_y$",
		`a[bc]d`:            "abd acd",
		`foo.*bar`:          "foo…",
		`.*bar`:             "…",
		`a+b`:               "a…",
		`(?i)abc`:           "…",
		`x{2,}`:             "…",
		`a|b$|c.*`:          "a b$ c…",
		`[^a]b`:             "…",
	} {
		got := map[string]bool{}
		for _, b := range beginnings(parse(expr)) {
			s := b.text
			if b.end {
				s += "$"
			}
			if b.more {
				s += "…"
			}
			got[s] = true
		}
		for _, w := range strings.Fields(want) {
			if !got[w] {
				t.Errorf("%s: no %q in %v", expr, w, got)
			}
			delete(got, w)
		}
		if len(got) > 0 {
			t.Errorf("%s: also %v", expr, got)
		}
	}
}

func FuzzListIsItsLinesJoined(f *testing.F) {
	f.Add("foo.*\nbar$\n(a|b)?c", "fooc")
	f.Add("_?_?mem(cpy|set)(_chk)?\n[ab]x", "memcpy_chk")
	f.Add("a$|b\n$x|^y\nz\\b", "y")
	f.Add("(a$)b?\n(?:|q)w", "a")
	f.Fuzz(func(t *testing.T, text, frame string) {
		lines, err := listLines(text)
		if err != nil || len(text) > 1000 {
			return
		}
		l, err := compile("f", lines)
		if err != nil {
			return
		}
		if got, want := l.match(frame), joined(&l).MatchString(frame); got != want {
			t.Errorf("%q on %q: got %v, want %v", text, frame, got, want)
		}
		first := -1
		for i, in := range lines {
			if first < 0 && regexp.MustCompile(anchored(in.text)).MatchString(frame) {
				first = i
			}
		}
		if got := l.find(frame, true); got != first {
			t.Errorf("%q on %q: first line is %d, got %d", text, frame, first, got)
		}
	})
}
