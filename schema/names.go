package schema

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// names are the products and channels that there are, where an operator lists them:
// then no other is public, whatever its shape.
type names struct{ products, channels map[string]bool }

// of is the list for what a public annotation means, nil where shapes count.
func (n *names) of(means string) map[string]bool {
	switch {
	case n == nil:
		return nil
	case means == MeansProduct:
		return n.products
	case means == MeansChannel:
		return n.channels
	}
	return nil
}

// maxNames bounds a list.
const maxNames = 10_000

// WithNames is the registry with a list of the products and channels that there are:
//
//	products: [Acme Player, 飞书]
//	channels: [stable, beta]
//
// A list that is left out leaves the shape to decide. The text is part of the
// registry's hash.
func (r *Registry) WithNames(text []byte) (*Registry, error) {
	var lists struct {
		Products []string `yaml:"products"`
		Channels []string `yaml:"channels"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&lists); err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	if r.names != nil {
		return nil, fmt.Errorf("names: they are listed already")
	}
	if len(lists.Products) == 0 && len(lists.Channels) == 0 {
		return nil, fmt.Errorf("names: neither products nor channels are listed")
	}
	if len(lists.Products) > maxNames || len(lists.Channels) > maxNames {
		return nil, fmt.Errorf("names: more than %d", maxNames)
	}
	out := r.clone()
	out.names = &names{setOf(lists.Products), setOf(lists.Channels)}
	out.extend(fileNames, text)
	return out, nil
}

func setOf(list []string) map[string]bool {
	if len(list) == 0 {
		return nil
	}
	set := make(map[string]bool, len(list))
	for _, name := range list {
		set[name] = true
	}
	return set
}
