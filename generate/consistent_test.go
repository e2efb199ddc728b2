package generate

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/facts"
	"aftershock/schema"
	"aftershock/signature"
)

// sample is how many crashes tests look at, spread over all.
const sample = 3000

// sampled are some crashes of a million, as At draws them.
func sampled(t *testing.T, seed uint64, visit func(g *Crashes, i int, c *schema.ProcessedCrash)) {
	t.Helper()
	g := newCrashes(t, Options{Count: 1_000_000, Seed: seed})
	for k := range sample {
		i := k * (g.Len() / sample)
		visit(g, i, g.At(i))
	}
}

// What is put together of parts is what package facts derives of the whole.
func TestFactsAreThoseOfTheWholeCrash(t *testing.T) {
	sampled(t, 1, func(g *Crashes, i int, c *schema.ProcessedCrash) {
		p := g.parts(i, c.ReceivedAt, turn{})
		in := facts.Input{Crash: c, Registry: schema.DefaultRegistry}
		if !p.template.nature.bare() {
			in.Dump = p.machine.dump
			in.Dump.Analysis = p.wrong.dump
		}
		want := facts.Derive(in)
		if diff := cmp.Diff(want.Public, c.Facts) + cmp.Diff(want.Protected, c.ProtectedFacts); diff != "" {
			t.Fatalf("crash %d, %s (-derived +generated):\n%s", i, c.Signature, diff)
		}
		var noted []string
		for _, n := range c.Notes {
			if n.Stage == schema.StageFacts {
				noted = append(noted, n.Code)
			}
		}
		slices.Sort(noted)
		if !slices.Equal(noted, want.Notes) {
			t.Fatalf("crash %d: notes %q, want %q", i, noted, want.Notes)
		}
	})
}

func TestSignaturesAreTheRulesets(t *testing.T) {
	ruleset := signature.Default()
	check := func(_ *Crashes, i int, c *schema.ProcessedCrash) {
		r := ruleset.Generate(signature.FromProcessed(c))
		if r.Signature != c.Signature || r.ProtoSignature != c.ProtoSignature || !slices.Equal(r.Notes, c.SignatureNotes) {
			t.Fatalf("crash %d: %q, %q, %q; the ruleset makes %q, %q, %q", i, c.Signature, c.ProtoSignature, c.SignatureNotes, r.Signature, r.ProtoSignature, r.Notes)
		}
	}
	sampled(t, 2, check)
	// A signature that only a changed frame makes is another one.
	g := newCrashes(t, Options{Count: 10})
	c := *g.At(0)
	c.Signature += " | more"
	if ruleset.Generate(signature.FromProcessed(&c)).Signature == c.Signature {
		t.Error("any signature is the ruleset's")
	}
}
