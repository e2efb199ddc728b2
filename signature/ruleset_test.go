package signature

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestRulesetRefusesWithFileAndLine(t *testing.T) {
	long := strings.Repeat("x", maxLineBytes)
	for name, c := range map[string]struct {
		file, text, want string
	}{
		"an expression that does not compile":    {prefixFile, "ok\n\na(b\n", "ruleset: prefix_signature_re.txt:3: error parsing regexp: missing closing ): `a(b`"},
		"a look-ahead":                           {irrelevantFile, "a(?=b)", "ruleset: irrelevant_signature_re.txt:1: error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
		"a parenthesis that leaves the anchor":   {irrelevantFile, "a)|(?:b", "ruleset: irrelevant_signature_re.txt:1: error parsing regexp: unexpected ): `a)|(?:b`"},
		"an expression that matches every frame": {irrelevantFile, "# why\nx*", `ruleset: irrelevant_signature_re.txt:2: "x*" matches every frame`},
		"an empty branch":                        {lineNumbersFile, "a|", `ruleset: signatures_with_line_numbers_re.txt:1: "a|" matches every frame`},
		"a switch that is none":                  {switchesFile, "demangel", `ruleset: switches.txt:1: no such switch: "demangel"; there are: aliases, bit_flips, clones, closures, coarse_addresses, demangle, doubtful_names, empty_sentinels, go_methods, jvm_lines, recursion, probability P`},
		"a file that is none":                    {"notes.txt", "x", "ruleset: notes.txt: no file of a ruleset has this name"},
		"a long line":                            {sentinelsFile, "a\n" + long + "x", "ruleset: signature_sentinels.txt:2: 4097 bytes, want at most 4096"},
		"many lines":                             {sentinelsFile, strings.Repeat("\n", maxLines) + "x", "ruleset: signature_sentinels.txt:20001: more than 20000 lines"},
		"a large file":                           {sentinelsFile, strings.Repeat("#", maxFileBytes+1), "ruleset: signature_sentinels.txt: 1048577 bytes, want at most 1048576"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := FromFiles(map[string]string{c.file: c.text})
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	for name, text := range map[string]string{
		"a long line":  long,
		"many lines":   strings.Repeat("\n", maxLines-1) + "x",
		"a large file": strings.Repeat("#", maxFileBytes),
	} {
		if _, err := FromFiles(map[string]string{sentinelsFile: text}); err != nil {
			t.Errorf("%s, at the limit: %v", name, err)
		}
	}
	if _, err := FromFiles(nil); err == nil {
		t.Error("a ruleset of no file is none")
	}
}

func TestRulesetIsADirectoryOrOneFile(t *testing.T) {
	dir, err := FromFS(fstest.MapFS{
		prefixFile:   {Data: []byte("# prefixes\nmem\n")},
		switchesFile: {Data: []byte("clones\n")},
		"README.rst": {Data: []byte("ignored")},
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := FromArchive(dir.Archive())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dir.Files(), file.Files()); diff != "" || dir.Hash() != file.Hash() {
		t.Errorf("not the same ruleset: %s", diff)
	}
	if _, err := FromArchive([]byte("-- switches.txt --\nclones\n-- switches.txt --\n")); err == nil {
		t.Error("a file that is twice in an archive is not refused")
	}
	if _, err := FromArchive([]byte("no archive")); err == nil {
		t.Error("what is no archive is not refused")
	}
}

func TestHashTellsContentApart(t *testing.T) {
	seen := map[string]map[string]string{}
	for _, files := range []map[string]string{
		{prefixFile: "a"},
		{prefixFile: "a\n"},
		{irrelevantFile: "a"},
		{prefixFile: "a", switchesFile: ""},
		{prefixFile: "a", sentinelsFile: ""},
	} {
		h := with(t, files).Hash()
		if other, ok := seen[h]; ok {
			t.Errorf("%v and %v have one hash", files, other)
		}
		seen[h] = files
	}
}

// TestReleasedRulesetsAreFrozen: a signature version names its ruleset by hash
// and never changes its meaning. What is wrong with one is put right in the next.
func TestReleasedRulesetsAreFrozen(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "rulesets.golden"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fs.ReadDir(rulesets, "rulesets")
	if err != nil {
		t.Fatal(err)
	}
	got, last := "", ""
	for _, e := range entries {
		dir, err := fs.Sub(rulesets, "rulesets/"+e.Name())
		if err != nil {
			t.Fatal(err)
		}
		r, err := FromFS(dir)
		if err != nil {
			t.Fatal(err)
		}
		last = r.Hash()
		got += e.Name() + " " + last + "\n"
	}
	if got != string(golden) {
		t.Errorf("got\n%swant\n%s", got, golden)
	}
	if Default().Hash() != last {
		t.Error("the default ruleset is not the last one")
	}
}

func TestSwitchesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/rulesets.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range new(switches).byName() {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("docs/rulesets.md does not say what %s does", name)
		}
	}
}
