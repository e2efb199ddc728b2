package web

import (
	"fmt"
	"strings"
	"testing"

	"aftershock/ask"
)

// A tree says what no branch of it has: crashes without a stack, stacks that end on the way, and
// those that are too many to be asked for.
func TestATreeCountsAllCrashes(t *testing.T) {
	tree := treeOf([]ask.Stack{
		{Path: []string{"a", "b"}, Crashes: 40, All: 100, Example: "1"},
		{Path: nil, Crashes: 30, All: 100, Example: "2"},
		{Path: []string{"a"}, Crashes: 10, All: 100, Example: "3"},
	}, func(id string) string { return "/" + id })
	var lines []string
	var walk func(of []node, depth int)
	walk = func(of []node, depth int) {
		for _, n := range of {
			lines = append(lines, fmt.Sprintf("%s%d %% %s %d %s", strings.Repeat(" ", depth), n.Percent, n.Name, n.Crashes, n.Example))
			walk(n.Below, depth+1)
		}
	}
	walk(tree, 0)
	want := "50 % a 50 /3\n 40 % b 40 /1\n 10 % (the stack ends) 10 /3\n30 % (no stack) 30 /2\n20 % (stacks that are too many to be shown) 20 "
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("%s", got)
	}
	if treeOf(nil, nil) != nil {
		t.Error("a tree of nothing")
	}
}

// The symbol file of a module is named as stores name it.
func TestSymbolLinks(t *testing.T) {
	h := &Handler{o: Options{SymbolsURL: "http://symbols/"}}
	for name, want := range map[string]string{
		"xul.pdb": "http://symbols/xul.pdb/A1/xul.sym", "XUL.PDB": "http://symbols/XUL.PDB/A1/XUL.sym", "libc.so.6": "http://symbols/libc.so.6/A1/libc.so.6.sym",
		"ȺȺȺ.pdb": "http://symbols/%C8%BA%C8%BA%C8%BA.pdb/A1/%C8%BA%C8%BA%C8%BA.sym", ".pdb": "http://symbols/.pdb/A1/.sym", "a/b": "http://symbols/a%2Fb/A1/a%2Fb.sym", "": "",
	} {
		if got := h.symbolLink(module{DebugFile: name, DebugID: "A1", Symbols: "found"}); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	if h.symbolLink(module{DebugFile: "a", DebugID: "A1", Symbols: "missing"}) != "" {
		t.Error("a link to symbols that there are not")
	}
}

// Source files lead to hosts that are known to show them.
func TestSourceLinks(t *testing.T) {
	for file, want := range map[string]string{
		"hg:hg.mozilla.org/mozilla-central:dom/a.cpp:0123ab":      "https://hg.mozilla.org/mozilla-central/file/0123ab/dom/a.cpp#l7",
		"git:github.com/rust-lang/rust:library/std/src/a.rs:12ab": "https://github.com/rust-lang/rust/blob/12ab/library/std/src/a.rs#L7",
		"git:gitevil.com/a/b:c.rs:12":                             "", "git:evilgithub.com/a/b:c.rs:12": "", "/build/a.cc": "", "git:github.com/a:b": "", "hg:x/y:z:1": "",
	} {
		if got := sourceLink(file, "7"); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}
