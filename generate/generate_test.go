package generate

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"aftershock/facts"
	"aftershock/processor"
	"aftershock/redact"
	"aftershock/schema"
)

func newCrashes(t testing.TB, o Options) *Crashes {
	t.Helper()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func encoded(t testing.TB, c *schema.ProcessedCrash) string {
	t.Helper()
	out, err := schema.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestEqualOptionsGiveEqualCrashes(t *testing.T) {
	o := Options{Count: 2000, Seed: 7}
	first, second, other := newCrashes(t, o), newCrashes(t, o), newCrashes(t, Options{Count: 2000, Seed: 8})
	var all []string
	for c := range first.All() {
		all = append(all, encoded(t, c))
	}
	if len(all) != first.Len() || first.Len() != 2000 {
		t.Fatalf("%d crashes", len(all))
	}
	ids := map[string]bool{}
	for i := range slices.Backward(all) { // in another order, so that nothing depends on what came before
		c := second.At(i)
		if encoded(t, c) != all[i] || encoded(t, second.At(i)) != all[i] {
			t.Fatalf("crash %d differs", i)
		}
		if encoded(t, other.At(i)) == all[i] {
			t.Fatalf("crash %d is the same with another seed", i)
		}
		ids[c.CrashID] = true
	}
	if len(ids) != 2000 {
		t.Errorf("%d ids", len(ids))
	}
}

// Every crash is one that the processor could have written.
func TestCrashesHaveTheProcessorsForm(t *testing.T) {
	sampled(t, 4, func(g *Crashes, i int, c *schema.ProcessedCrash) {
		if !slices.IsSortedFunc(c.Annotations, func(a, b schema.Annotation) int { return strings.Compare(a.Name, b.Name) }) {
			t.Fatalf("crash %d: annotations are not in order", i)
		}
		noted := slices.ContainsFunc(c.Notes, func(n schema.Note) bool { return n.Code == schema.NoteAnnotationNotPublic })
		unfit, values := false, map[string]string{}
		for _, a := range c.Annotations {
			if a.Public != g.registry.Public(a.Name, a.Value) {
				t.Fatalf("crash %d: %s %q is public: %t", i, a.Name, a.Value, a.Public)
			}
			unfit = unfit || !a.Public && g.registry.Lookup(a.Name).Class == schema.ClassPublic
			values[a.Name] = a.Value
		}
		if unfit != noted {
			t.Fatalf("crash %d: a value has not its type: %t, noted: %t", i, unfit, noted)
		}
		if c.DumpStatus != schema.DumpOK {
			var system schema.System
			facts.Platform(&system, values)
			if c.System != system {
				t.Fatalf("crash %d: system %+v, want %+v", i, c.System, system)
			}
		}
		if rule := (schema.Throttle{Rule: c.ThrottleRule, Rate: c.ThrottleRate}); !rule.Valid() {
			t.Fatalf("crash %d: throttle %+v", i, rule)
		}
		if c.ProcessVersion != processor.Version || c.RegistryHash != schema.DefaultRegistry.Hash() || c.Raw.Topic != RawTopic {
			t.Fatalf("crash %d: %+v", i, c.Raw)
		}
		if at := g.Position(i); at.Topic != schema.ProcessedTopic(1) || at.Partition != c.Raw.Partition || at.Offset != c.Raw.Offset || int(at.Offset)*Partitions+int(at.Partition) != i {
			t.Fatalf("crash %d at %+v", i, at)
		}
		text := encoded(t, c)
		back, err := schema.Decode[schema.ProcessedCrash]([]byte(text))
		if err != nil || encoded(t, back) != text {
			t.Fatalf("crash %d does not come back: %v", i, err)
		}
	})
}

func TestNothingPrivateIsPublic(t *testing.T) {
	g := newCrashes(t, Options{Count: 2000, Seed: 5})
	private, stripped := 0, 0
	for i := range g.Len() {
		c := g.At(i)
		public, err := redact.Public(c, schema.DefaultRegistry)
		if err != nil {
			t.Fatal(err)
		}
		text, err := schema.Encode(public)
		if err != nil {
			t.Fatal(err)
		}
		if at := strings.Index(string(text), Marker); at >= 0 {
			t.Fatalf("crash %d: …%q…", i, text[max(0, at-60):min(len(text), at+60)])
		}
		if strings.Contains(encoded(t, c), Marker) {
			private++
		}
		for _, a := range c.Annotations {
			if a.Name == "MozCrashReason" && strings.Contains(a.Value, Marker) && c.Facts.MozCrashReason != nil {
				stripped++
			}
		}
	}
	if private < 1800 || stripped == 0 {
		t.Errorf("%d crashes have something private, %d a public form of it", private, stripped)
	}
}

func TestAdaptersAreOnesWithNames(t *testing.T) {
	for _, a := range adapters {
		c := &schema.ProcessedCrash{Annotations: []schema.Annotation{adapterDevice.with(a[1]), adapterVendor.with(a[0])}}
		f := facts.Derive(facts.Input{Crash: c, Registry: schema.DefaultRegistry}).Public
		if f.GPUVendor == nil || f.GPUDevice == nil {
			t.Errorf("%s %s has no name", a[0], a[1])
		}
	}
}

// Ranges that are made at the same time are those that are made one after the other.
func TestRangesAreMadeInParallel(t *testing.T) {
	o := Options{Count: 1200, Seed: 9}
	g, alone := newCrashes(t, o), newCrashes(t, o)
	const ranges = 4
	made := make([][]*schema.ProcessedCrash, ranges)
	var all sync.WaitGroup
	for k := range ranges {
		all.Go(func() {
			for i := k * o.Count / ranges; i < (k+1)*o.Count/ranges; i++ {
				made[k] = append(made[k], g.At(i))
			}
		})
	}
	all.Wait()
	for i, c := range slices.Concat(made...) {
		if encoded(t, c) != encoded(t, alone.At(i)) {
			t.Fatalf("crash %d differs", i)
		}
	}
}
