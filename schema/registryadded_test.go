package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"aftershock/schema"
)

// game is what a product of its own adds: two public annotations, one that is never stored,
// and another class for one that ships.
const game = `
- {name: GameLevel, type: word, class: public, description: Where the player was.}
- {name: EngineVersion, type: version, class: public, means: version, description: The engine's version.}
- {name: PlayerName, type: text, class: never-store, description: Who plays.}
- {name: SafeMode, type: boolean, class: protected, description: Ours means something else.}
`

func extended(t *testing.T, texts ...string) *schema.Registry {
	t.Helper()
	r := schema.DefaultRegistry
	for _, text := range texts {
		var err error
		if r, err = r.With([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestAFileAddsToTheRegistryAndOverridesIt(t *testing.T) {
	shipped := schema.DefaultRegistry
	r := extended(t, game)
	for _, tc := range []struct {
		name, value string
		before, now bool
		classNow    schema.Class
	}{
		{"GameLevel", "Forest", false, true, schema.ClassPublic},
		{"GameLevel", "two words", false, false, schema.ClassPublic},
		{"EngineVersion", "5.4", false, true, schema.ClassPublic},
		{"player-name", "x", false, false, schema.ClassNeverStore},
		{"SafeMode", "1", true, false, schema.ClassProtected},
		{"Version", "1.0", true, true, schema.ClassPublic},
		{"Email", "x", false, false, schema.ClassNeverStore},
	} {
		if shipped.Public(tc.name, tc.value) != tc.before || r.Public(tc.name, tc.value) != tc.now || r.Lookup(tc.name).Class != tc.classNow {
			t.Errorf("%s %q: before %v, now %v, %s", tc.name, tc.value, shipped.Public(tc.name, tc.value), r.Public(tc.name, tc.value), r.Lookup(tc.name).Class)
		}
	}
	if r.Hash() == shipped.Hash() || shipped.Lookup("GameLevel").Class != schema.ClassProtected || slices.Contains(shipped.Names(), "GameLevel") {
		t.Error("the registry itself changed")
	}
	if again := extended(t, game, "- {name: GameLevel, type: text, class: protected, description: Not any more.}"); again.Public("GameLevel", "Forest") || again.Hash() == r.Hash() {
		t.Error("the later file does not count")
	}
	if names := r.Names(); len(names) != len(shipped.Names())+3 || names[0] != shipped.Names()[0] {
		t.Errorf("%d names", len(names))
	}
}

func TestARegistryIsReadBackFromItsFiles(t *testing.T) {
	named, err := extended(t, game, "[]").WithNames([]byte("products: [Orchard]"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*schema.Registry{schema.DefaultRegistry, extended(t, game), named} {
		back, err := schema.RegistryFromFiles(r.Files())
		if err != nil {
			t.Fatal(err)
		}
		if back.Hash() != r.Hash() || !slices.Equal(back.Names(), r.Names()) || back.Public("ProductName", "Orchard") != r.Public("ProductName", "Orchard") ||
			back.Public("ProductName", "Other") != r.Public("ProductName", "Other") || back.Public("GameLevel", "Forest") != r.Public("GameLevel", "Forest") {
			t.Errorf("%d files are another registry", len(r.Files()))
		}
	}
	if _, err := named.With([]byte(game)); err == nil {
		t.Error("annotations behind names")
	}
	if _, err := named.WithNames([]byte("products: [a]")); err == nil {
		t.Error("names twice")
	}
	for name, files := range map[string][]schema.RulesetFile{
		"none": nil, "no YAML": {{Name: "a", Text: "]"}}, "bad names": {{Name: "a", Text: "[]"}, {Name: "names.yaml", Text: "x: 1"}}, "a bad addition": {{Name: "a", Text: "[]"}, {Name: "b", Text: "x"}},
	} {
		if _, err := schema.RegistryFromFiles(files); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAdditionsAreBounded(t *testing.T) {
	r := schema.DefaultRegistry
	for n := range 16 {
		var err error
		if r, err = r.With(fmt.Appendf(nil, "- {name: A%d, type: word, class: public, description: d}", n)); err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := r.With([]byte("[]")); err == nil {
		t.Error("a 17th file")
	}
	if named, err := r.WithNames([]byte("products: [a]")); err != nil {
		t.Error(err)
	} else if _, err := schema.RegistryFromFiles(named.Files()); err != nil {
		t.Error(err)
	}
}

func TestAdditionsAreCheckedAsTheRegistryIs(t *testing.T) {
	for text, want := range map[string]string{
		"- {name: a, type: text, class: public, description: d}":                                                         "free text cannot be public",
		"- {name: e-mail, type: text, class: protected, description: d}":                                                 "never stored by another spelling",
		"- {name: a, type: word, class: public, description: d}\n- {name: a, type: word, class: public, description: d}": "stands twice",
		"- {name: a, kind: word}": "field kind not found",
	} {
		if _, err := schema.DefaultRegistry.With([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What a release calls protected is not shown of crashes that were made when it was public.
func TestAReleaseShowsNoMoreThanItsOwnRegistry(t *testing.T) {
	own, err := schema.ParseRegistry([]byte("- {name: A, type: word, class: protected, description: d}\n- {name: B, type: word, class: public, description: d}\n- {name: N, type: text, class: never-store, description: d}"))
	if err != nil {
		t.Fatal(err)
	}
	old, err := schema.ParseRegistry([]byte("- {name: A, type: word, class: public, description: d}\n- {name: Game, type: word, class: public, description: d}\n- {name: M, type: text, class: never-store, description: d}"))
	if err != nil {
		t.Fatal(err)
	}
	shown := own.Over(old)
	for name, want := range map[string]bool{"A": false, "B": true, "Game": true, "M": false, "N": false, "Other": false} {
		if got := shown.Public(name, "word"); got != want {
			t.Errorf("%s is shown: %v", name, got)
		}
	}
	if !slices.Equal(shown.Names(), []string{"A", "Game", "M", "B", "N"}) || shown.Lookup("m").Class != schema.ClassNeverStore || shown.Lookup("n").Class != schema.ClassNeverStore {
		t.Errorf("%q", shown.Names())
	}
	if own.Over(own) != own || old.Public("A", "word") != true {
		t.Error("the registries themselves changed")
	}
}

func TestChangesOfARegistry(t *testing.T) {
	var got []string
	for _, c := range extended(t, game).Changes(schema.DefaultRegistry) {
		got = append(got, fmt.Sprint(c.Name, " ", c.Was != nil, " ", c.Is != nil))
	}
	if want := []string{"EngineVersion false true", "GameLevel false true", "PlayerName false true", "SafeMode true true"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if back := schema.DefaultRegistry.Changes(extended(t, game)); len(back) != 4 || back[0].Is == nil || back[3].Is != nil {
		t.Errorf("%+v", back)
	}
	reworded := extended(t, "- {name: Version, type: version, class: public, means: version, description: Other words.}")
	if c := reworded.Changes(schema.DefaultRegistry); c != nil {
		t.Errorf("other words are a change: %+v", c)
	}
}
