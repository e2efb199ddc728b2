package schema_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"aftershock/schema"
)

func TestUnknownAnnotationIsProtected(t *testing.T) {
	e := schema.DefaultRegistry.Lookup("SomethingNew")
	if e.Class != schema.ClassProtected {
		t.Errorf("class %q", e.Class)
	}
	if schema.DefaultRegistry.Public("SomethingNew", "1") {
		t.Error("an unknown annotation is public")
	}
}

func TestPublicValueMustBeOfItsType(t *testing.T) {
	for name, tc := range map[string]struct {
		annotation, value string
		want              bool
	}{
		"a version":                 {"Version", "115.0.2esr (64-bit)", true},
		"an address in a version":   {"Version", "jane@example.org", false},
		"an integer":                {"OOMAllocationSize", "-1", true},
		"no integer":                {"OOMAllocationSize", "many", false},
		"a boolean":                 {"SafeMode", "1", true},
		"no boolean":                {"SafeMode", "yes please", false},
		"protected whatever it is":  {"URL", "1", false},
		"never stored, never shown": {"Email", "1", false},
		"another spelling":          {"VERSION", "1.0", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := schema.DefaultRegistry.Public(tc.annotation, tc.value); got != tc.want {
				t.Errorf("Public(%q, %q) = %v", tc.annotation, tc.value, got)
			}
		})
	}
}

func TestNeverStoredInEverySpelling(t *testing.T) {
	for _, name := range []string{"Email", "email", "EMAIL", "e-mail", "E_Mail", "telemetry-client-id", "TELEMETRYCLIENTID", "telemetry_Server_url"} {
		if e := schema.DefaultRegistry.Lookup(name); e.Class != schema.ClassNeverStore {
			t.Errorf("%s is %s", name, e.Class)
		}
	}
	for _, name := range []string{"Emails", "Mail", "Client"} {
		if e := schema.DefaultRegistry.Lookup(name); e.Class != schema.ClassProtected {
			t.Errorf("%s is %s", name, e.Class)
		}
	}
}

func TestListedNamesReplaceShapes(t *testing.T) {
	r, err := schema.DefaultRegistry.WithNames([]byte("products: [vue.js, 飞书]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{"vue.js": true, "飞书": true, "Firefox": false, "": false} {
		for _, name := range []string{"ProductName", "_productName", "prod"} {
			if got := r.Public(name, value); got != want {
				t.Errorf("%s %q: %v", name, value, got)
			}
		}
	}
	if !r.Public("ReleaseChannel", "nightly") || !r.Public("Version", "1.0") || r.Public("Email", "vue.js") {
		t.Error("what is not listed changed")
	}
	if r.Hash() == schema.DefaultRegistry.Hash() {
		t.Error("the names are no part of the hash")
	}
	if schema.DefaultRegistry.Public("ProductName", "vue.js") {
		t.Error("the registry itself changed")
	}
	for name, text := range map[string]string{
		"empty": "", "no list": "products: []", "a key it knows not": "products: [a]\nvendors: [a]", "no text": "products: 1: 2",
		"too many products": list("products", 10_001), "too many channels": list("channels", 10_001),
	} {
		if _, err := schema.DefaultRegistry.WithNames([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, key := range []string{"products", "channels"} {
		if _, err := schema.DefaultRegistry.WithNames([]byte(list(key, 10_000))); err != nil {
			t.Errorf("as many %s as may be: %v", key, err)
		}
	}
}

// list is a list of n names.
func list(key string, n int) string {
	var b strings.Builder
	b.WriteString(key + ":\n")
	for i := range n {
		fmt.Fprintf(&b, "- a%d\n", i)
	}
	return b.String()
}

func TestListedChannelsReplaceTheirShapeAlone(t *testing.T) {
	r, err := schema.DefaultRegistry.WithNames([]byte("channels: [stable]"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, value string
		want        bool
	}{
		{"ReleaseChannel", "stable", true},
		{"ReleaseChannel", "nightly", false},
		{"ProductName", "Firefox", true},
		{"Version", "1.0", true},
		{"Version", "stable", false},
	} {
		if got := r.Public(tc.name, tc.value); got != tc.want {
			t.Errorf("%s %q: %v", tc.name, tc.value, got)
		}
	}
}

func TestRegistryRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"free text made public":             `[{name: a, type: text, class: public, description: d}]`,
		"an unknown class":                  `[{name: a, type: product, class: secret, description: d}]`,
		"an unknown type":                   `[{name: a, type: token, class: public, description: d}]`,
		"an unknown key":                    `[{name: a, type: product, class: public, description: d, colour: red}]`,
		"an unknown meaning":                `[{name: a, type: product, class: public, description: d, means: age}]`,
		"a protected public field":          `[{name: a, type: product, class: protected, description: d, means: product}]`,
		"a name that stands twice":          `[{name: a, type: product, class: public, description: d}, {name: a, type: text, class: protected, description: d}]`,
		"another class in another spelling": `[{name: E-Mail, type: text, class: protected, description: d}, {name: email, type: text, class: never-store, description: d}]`,
		"an entry without a sentence":       `[{name: a, type: product, class: public}]`,
		"an entry without a name":           `[{type: product, class: public, description: d}]`,
		"no list":                           `name: a`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := schema.ParseRegistry([]byte(text)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestCrashIDCarriesItsDay(t *testing.T) {
	at := time.Date(2026, 11, 22, 23, 59, 59, 0, time.FixedZone("west", -3600*5))
	id := schema.NewCrashID(at, 0)
	if !strings.HasSuffix(id, "0261123") {
		t.Errorf("crash id %s: want the UTC day 261123 behind throttle digit 0", id)
	}
	for digit, want := range map[int]string{9: "9261123", 10: "0261123", 19: "9261123"} {
		if id := schema.NewCrashID(at, digit); len(id) != 36 || !strings.HasSuffix(id, want) {
			t.Errorf("crash id %s: want the end %s for the throttle digit %d", id, want, digit)
		}
	}
	day, err := schema.CrashDay(id)
	if err != nil || !day.Equal(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("CrashDay = %v, %v", day, err)
	}
}

func TestCrashDayRefuses(t *testing.T) {
	good := "0bba929f-8721-460c-8e70-a43c90261122"
	if _, err := schema.CrashDay(good); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{
		"empty": "", "short": good[1:], "long": good + "2", "upper case": strings.ToUpper(good),
		"a slash": strings.Replace(good, "b", "/", 1), "no dash": strings.Replace(good, "-", "0", 1),
		"no month": good[:32] + "13" + good[34:], "dots": "../../../../../../../../../../etc/passw",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := schema.CrashDay(id); err == nil {
				t.Errorf("%q is a crash id", id)
			}
		})
	}
}

// What somebody sends for a crash id stands in the error, and not all of it.
func TestALongCrashIDIsCutInTheError(t *testing.T) {
	for n, want := range map[int]string{64: strings.Repeat("x", 64), 65: strings.Repeat("x", 64) + "…"} {
		if _, err := schema.CrashDay(strings.Repeat("x", n)); err == nil || !strings.Contains(err.Error(), `"`+want+`"`) {
			t.Errorf("%d characters: %v", n, err)
		}
	}
}

// Readers of events compare with it.
func TestANoteOfTheWholeCrashHasTheIndexMinusOne(t *testing.T) {
	if schema.NoIndex != -1 {
		t.Error(schema.NoIndex)
	}
}

func TestOnlySymbolsThatMayComeAreTransient(t *testing.T) {
	for outcome, want := range map[string]bool{"timeout": true, "error": true, "found": false, "missing": false, "": false} {
		if schema.TransientSymbols(outcome) != want {
			t.Errorf("%q: want %v", outcome, want)
		}
	}
}

func TestCatalogueNamesEachCodeOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range schema.Catalogue {
		if seen[c.Code] || c.Doc == "" {
			t.Errorf("code %q stands twice or has no sentence", c.Code)
		}
		seen[c.Code] = true
	}
}
