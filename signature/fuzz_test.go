package signature

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxGrowth bounds a normalised name: every comma may get a space, each type
// argument "<T>" takes the place of two bytes, and a line is appended.
func maxGrowth(function string) int { return 2*len(function) + 32 }

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{
		"static int ns::f<A<B>, C>(int, char const*) const &", "bool A::operator<=>(A const&)", "`anonymous namespace'::a::$_12::b",
		"<A<B> as C>::d<E>::h0123456789abcdef", "IPC::ParamTraits<X<Y>::Read", "foo(int) [clone .isra.0] [clone .cold.1]", "const", "(", "a , * ,b",
	} {
		f.Add(s, 7)
	}
	socorro, ours := with(f, map[string]string{lineNumbersFile: "huge"}), Default()
	f.Fuzz(func(t *testing.T, function string, line int) {
		for _, file := range []string{"a.cpp", "/a.rs"} {
			frame := flatFrame{Frame: &Frame{Function: function, File: file, Line: int64(line)}}
			language := cpp
			if languageOf(file) == rustLanguage {
				language = rust
			}
			for _, r := range []*Ruleset{socorro, ours} {
				text, lined, ok := r.normalizeFunction(language, function, &frame)
				if !ok && strip(function) != "" && language == rust {
					t.Errorf("%q: nothing is left", function)
				}
				if r == socorro && len(text) > maxGrowth(function) {
					t.Errorf("%q became %d bytes", function, len(text))
				}
				if utf8.ValidString(function) && !utf8.ValidString(text) {
					t.Errorf("%q became %q", function, text)
				}
				if again, _, _ := r.normalizeFunction(language, function, &frame); again != text {
					t.Errorf("%q is %q and %q (%v)", function, text, again, lined)
				}
			}
			// One of several spaces goes each time, as in siggen.
			if fixed := fixSpaces(function); fixSpaces(fixed) != fixed && !strings.Contains(function, "  ") {
				t.Errorf("spaces of %q: %q, then %q", function, fixed, fixSpaces(fixed))
			}
			if dropped, ok := dropPrefixAndReturnType(function); ok && !strings.Contains(function, dropped) {
				t.Errorf("%q is no part of %q", dropped, function)
			}
		}
	})
}

func FuzzParseCrash(f *testing.F) {
	f.Add(`{"os":"Windows NT","crashing_thread":"0","threads":[{"last_error_value":"E","frames":[{"function":"f","line":7.5,"inlines":[{}],"unloaded_modules":[{"module":null}]},null]}]}`)
	f.Add(`{"oom_allocation_size":"1_000","hang":[1,{"a":"\ud83d\ude00"}],"java_exception":{"exception":{"values":[{"stacktrace":{"frames":[{}]}}]}}}`)
	f.Add(`{"async_shutdown_timeout":"{\"phase\":1,\"conditions\":[NaN,-0,1e400]}","abort_message":5,"reason":["x"],"additional_minidumps":["a",1]}`)
	f.Add(`{"java_stack_trace":"a: b@00000000\n\tat c.java:1)"}`)
	ruleset := Default()
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCrash([]byte(text))
		if err != nil {
			if json.Valid([]byte(text)) && strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") && !strings.Contains(err.Error(), "nested too deep") && !strings.ContainsRune(text, 0xfeff) {
				t.Errorf("%q is JSON: %v", text, err)
			}
			return
		}
		r := ruleset.Generate(c)
		if len(r.Signature) > MaxRunes || visible(r.Signature) != r.Signature {
			t.Errorf("%q: signature %q", text, r.Signature)
		}
		if explained := ruleset.Explain(c); explained.Signature != r.Signature {
			t.Errorf("%q: signature %q, explained %q", text, r.Signature, explained.Signature)
		}
	})
}

func FuzzRuleset(f *testing.F) {
	f.Add("-- prefix_signature_re.txt --\na\n# b\n-- switches.txt --\nclones\n")
	f.Add("-- irrelevant_signature_re.txt --\n.*\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		r, err := FromArchive([]byte(text))
		if err != nil {
			return
		}
		again, err := FromArchive(r.Archive())
		if err != nil || again.Hash() != r.Hash() {
			t.Errorf("%q: the archive gives another ruleset: %v", text, err)
		}
		if l := r.irrelevant.match("") || r.prefix.match(""); l {
			t.Errorf("%q: a line matches the empty text", text)
		}
	})
}
