package replay

import (
	"testing"

	"aftershock/generate"
	"aftershock/schema"
	"aftershock/signature"
)

// BenchmarkPlanCrash is what a plan does with each crash of its sample, with rules that have seen
// none.
func BenchmarkPlanCrash(b *testing.B) {
	g, err := generate.New(generate.Options{Count: 2000, Seed: 7, Until: at(1)})
	if err != nil {
		b.Fatal(err)
	}
	var values [][]byte
	for c := range g.All() {
		value, err := schema.Encode(c)
		if err != nil {
			b.Fatal(err)
		}
		values = append(values, value)
	}
	b.SetBytes(int64(len(values[0])))
	rules := rulesOf(b, "abort\n")
	c := signature.NewComparison(signature.Default(), rules)
	i := 0
	for b.Loop() {
		p, err := schema.DecodeSignable(values[i%len(values)])
		if err != nil {
			b.Fatal(err)
		}
		c.Add(signature.FromProcessed(&p.Crash))
		i++
	}
}
