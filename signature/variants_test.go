package signature

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// with is a ruleset of some lists and switches.
func with(t testing.TB, files map[string]string) *Ruleset {
	t.Helper()
	r, err := FromFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func switchedOn(t testing.TB, names ...string) *Ruleset {
	return with(t, map[string]string{switchesFile: strings.Join(names, "\n")})
}

// named is how a ruleset normalises a function.
func named(r *Ruleset, function, file string) string {
	return r.Generate(&Crash{Threads: []Thread{{Frames: []Frame{{Function: function, File: file}}}}}).ProtoSignature
}

// A handler whose interrupted stack is not in the dump: on a stack of its own.
func TestEmptySentinels(t *testing.T) {
	stack := func(functions ...string) *Crash {
		frames := make([]Frame, len(functions))
		for i, f := range functions {
			frames[i].Function = f
		}
		return &Crash{OS: "Linux", Threads: []Thread{{Frames: frames}}}
	}
	lists := map[string]string{sentinelsFile: "__restore_rt\n_purecall\n", irrelevantFile: "__restore_rt$\nraise$\n"}
	off := with(t, lists)
	lists[switchesFile] = "empty_sentinels"
	on := with(t, lists)
	for name, c := range map[string]struct {
		crash     *Crash
		off, want string
	}{
		"nothing behind":        {stack("touch", "__restore_rt"), "__restore_rt", "touch"},
		"nothing of use behind": {stack("touch", "__restore_rt", "raise"), "__restore_rt", "touch"},
		"a name behind":         {stack("touch", "__restore_rt", "raise", "work"), "work", "work"},
		"a sentinel of use":     {stack("touch", "_purecall"), "_purecall", "_purecall"},
		"nothing at all":        {stack("raise", "__restore_rt"), "__restore_rt", "raise"},
	} {
		if got := off.Generate(c.crash).Signature; got != c.off {
			t.Errorf("%s, off: %s", name, got)
		}
		if got := on.Generate(c.crash).Signature; got != c.want {
			t.Errorf("%s: %s", name, got)
		}
		if got := on.Explain(c.crash).Signature; got != c.want {
			t.Errorf("%s, explained: %s", name, got)
		}
	}
}

func TestSwitchesMakeOneNameOfMany(t *testing.T) {
	const rustFile = "/rustc/abc/library/core/src/x.rs"
	for name, c := range map[string]struct{ on, function, file, off, want string }{
		"mangled C++":           {"demangle", "_ZN3foo3BarIiE3bazEv", "", "_ZN3foo3BarIiE3bazEv", "foo::Bar<T>::baz"},
		"mangled C++ on macOS":  {"demangle", "__ZN3foo3barEv", "", "__ZN3foo3barEv", "foo::bar"},
		"mangled by MSVC":       {"demangle", "?baz@?$Bar@H@foo@@QEAAXPEAV12@@Z", "", "?baz@?$Bar@H@foo@@QEAAXPEAV12@@Z", "foo::Bar<T>::baz"},
		"lambda of clang-cl":    {"demangle", "??R<lambda_1>@?0??foo@ns@@YAXXZ@QEBA@XZ", "", "??R<T>@?0??foo@ns@@YAXXZ@QEBA@XZ", "`ns::foo'::<T>::operator()"},
		"by MSVC, by a hash":    {"demangle", "??@c9a4e1f6@", "", "??@c9a4e1f6@", "??@c9a4e1f6@"},
		"mangled Rust, legacy":  {"demangle", "_ZN4core6option6expect17h0123456789abcdefE", "", "_ZN4core6option6expect17h0123456789abcdefE", "core::option::expect"},
		"mangled Rust, v0":      {"demangle", "_RNvC6_123foo3bar", "", "_RNvC6_123foo3bar", "123foo::bar"},
		"not mangled":           {"demangle", "_Zebra", "", "_Zebra", "_Zebra"},
		"glibc's alias":         {"aliases", "__GI_abort", "", "__GI_abort", "abort"},
		"glibc's allocator":     {"aliases", "__libc_malloc", "", "__libc_malloc", "malloc"},
		"a processor's strlen":  {"aliases", "__strlen_evex", "", "__strlen_evex", "strlen"},
		"a processor's memmove": {"aliases", "__memmove_avx_unaligned_erms", "", "__memmove_avx_unaligned_erms", "memmove"},
		"an alias of nothing":   {"aliases", "__memory_pool_free", "", "__memory_pool_free", "__memory_pool_free"},
		"part":                  {"clones", "parse.part.0", "", "parse.part.0", "parse"},
		"isra and cold":         {"clones", "foo(int) [clone .isra.0] [clone .cold.1]", "", "foo  ", "foo"},
		"constprop":             {"clones", "A::b(int) [clone .constprop.3]", "", "A::b [clone .constprop.3]", "A::b"},
		"ThinLTO":               {"clones", "init.llvm.1234567890", "", "init.llvm.1234567890", "init"},
		"a file's dot":          {"clones", "main.go", "", "main.go", "main.go"},
		"lambda of gcc":         {"closures", "app::run(int)::{lambda(int)#3}::operator()(int) const", "", "app::run::{lambda#3}::operator()", "app::run::{closure}"},
		"lambda of clang":       {"closures", "app::run()::$_4::operator()(int) const", "", "app::run::$::operator()", "app::run::{closure}"},
		"lambda of clang, last": {"closures", "app::run()::$_4", "", "app::run::$_4", "app::run::{closure}"},
		"lambda of MSVC":        {"closures", "app::run::<lambda_8a3f>::operator()", "", "app::run::<T>::operator()", "app::run::{closure}"},
		"closure of Rust":       {"closures", "app::run::{{closure}}", rustFile, "app::run::{{closure}}", "app::run::{closure}"},
		"closure of Rust, v0":   {"closures", "app::run::{closure#2}", rustFile, "app::run::{closure#2}", "app::run::{closure}"},
		"closure of Rust, PDB":  {"closures", "app::run::closure$1", rustFile, "app::run::closure$1", "app::run::{closure}"},
		"closure of Go":         {"closures", "main.run.func2.1", "", "main.run.func2.1", "main.run.func"},
		"method of Go":          {"go_methods", "main.(*Tree).Pick", "", "main..Pick", "main.(*Tree).Pick"},
		"generic method of Go":  {"go_methods", "example.org/x.(*List[...]).Push.func1", "", "example.org/x..Push.func1", "example.org/x.(*List[...]).Push.func1"},
		"arguments, not Go":     {"go_methods", "main.(*f)(int)", "", "main.", "main."},
		"block":                 {"closures", "__31-[Reader open:]_block_invoke_2", "", "__31-[Reader open:]_block_invoke_2", "-[Reader open:]::{closure}"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := named(with(t, map[string]string{switchesFile: ""}), c.function, c.file); got != c.off {
				t.Errorf("off: got %q, want %q", got, c.off)
			}
			if got := named(switchedOn(t, c.on), c.function, c.file); got != c.want {
				t.Errorf("%s: got %q, want %q", c.on, got, c.want)
			}
		})
	}
}

func TestLikelyBitFlipsAreMarked(t *testing.T) {
	for _, c := range []struct {
		percent int32
		want    string
	}{{0, "f"}, {likelyBitFlip - 1, "f"}, {likelyBitFlip, "bit flip | f"}, {100, "bit flip | f"}} {
		crash := stackOf("f")
		crash.BitFlipPercent = c.percent
		if got := switchedOn(t, "bit_flips").Generate(crash).Signature; got != c.want {
			t.Errorf("%d %%: got %q, want %q", c.percent, got, c.want)
		}
		if got := switchedOn(t).Generate(crash).Signature; got != "f" {
			t.Errorf("%d %%, off: got %q", c.percent, got)
		}
	}
}

func TestLinesOfTheJVMsLanguagesAreDropped(t *testing.T) {
	for line, want := range map[string][2]string{
		"at a.B.c(B.java:12)":    {"at a.B.c(B.java)", "at a.B.c(B.java)"},
		"at a.B.c(B.kt:12)":      {"at a.B.c(B.kt:12)", "at a.B.c(B.kt)"},
		"at a.B.c(B.scala:12)":   {"at a.B.c(B.scala:12)", "at a.B.c(B.scala)"},
		"at a.B.c(SourceFile:1)": {"at a.B.c(SourceFile:1)", "at a.B.c(SourceFile:1)"},
	} {
		crash := &Crash{JavaStackTrace: "E:\n" + line}
		if got := switchedOn(t).Generate(crash).Signature; got != "E: "+want[0] {
			t.Errorf("off: got %q", got)
		}
		if got := switchedOn(t, "jvm_lines").Generate(crash).Signature; got != "E: "+want[1] {
			t.Errorf("on: got %q", got)
		}
	}
}

func stackOf(names ...string) *Crash {
	var t Thread
	for _, n := range names {
		t.Frames = append(t.Frames, Frame{Function: n})
	}
	return &Crash{Threads: []Thread{t}}
}

func TestRecursionIsOneCycleWhereverTheStackEnded(t *testing.T) {
	on, off := switchedOn(t, "recursion"), switchedOn(t)
	cycle := slices.Repeat([]string{"walk", "visit", "descend"}, 20)
	for leaf := range 3 {
		c := stackOf(cycle[leaf:]...)
		if got := on.Generate(c).Signature; got != "recursion | descend | walk | visit" {
			t.Errorf("ended in %s: got %q", cycle[leaf], got)
		}
		if got := off.Generate(c).Signature; got != cycle[leaf] {
			t.Errorf("off: got %q", got)
		}
	}
	if got := on.Generate(stackOf(append([]string{"malloc", "new_node"}, cycle...)...)).Signature; got != "recursion | descend | walk | visit" {
		t.Errorf("with calls on top: got %q", got)
	}
	if got := on.Generate(stackOf(cycle[:30]...)).Signature; got != "walk" {
		t.Errorf("a stack that has an end: got %q", got)
	}
	nine := make([]string, 0, 100)
	for i := range 100 {
		nine = append(nine, fmt.Sprintf("f%d", i%(maxCycle+1)))
	}
	if got := on.Generate(stackOf(nine...)).Signature; got != "f0" {
		t.Errorf("a cycle of more than %d: got %q", maxCycle, got)
	}
	if got := on.Explain(stackOf(cycle...)).Why[0].String(); got != `the stack is "descend | walk | visit" again and again` {
		t.Errorf("why: got %q", got)
	}
}
