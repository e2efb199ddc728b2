package web

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"aftershock/ask"
)

// Trackers say where bugs are looked at, and filed.
type Trackers struct {
	bugs  []tracker
	files []filer
}

// tracker has the bugs whose names match.
type tracker struct {
	match *regexp.Regexp
	url   string // with {bug}
}

// filer takes new bugs of a product.
type filer struct {
	product, name, url string // with {product}, {version}, {signature}, {reason}, {crash} and {stack}
}

// Bounds of a file of trackers, and of what a link to a new bug says.
const (
	MaxTrackersBytes = 64 << 10
	maxTrackers      = 100
	maxFiledFrames   = 10
	maxFiledBytes    = 1500 // of one value: servers take addresses of some thousand bytes
)

// everyProduct is the product of a filer for all.
const everyProduct = "*"

var errAddress = errors.New("want an https address with a host of its own")

// ReadTrackers reads a file of trackers:
//
//	bugs:
//	  - {match: "[0-9]+", url: "https://bugs.example/show?id={bug}"}
//	new:
//	  - {product: Orchard, name: Bugzilla, url: "https://bugs.example/enter?product={product}&title=Crash in {signature}&text={stack}"}
//
// A match is of the whole name. Values are escaped where they stand in an address.
func ReadTrackers(text []byte) (*Trackers, error) {
	if len(text) > MaxTrackersBytes {
		return nil, fmt.Errorf("more than %d bytes", MaxTrackersBytes)
	}
	var file struct {
		Bugs []struct {
			Match string `yaml:"match"`
			URL   string `yaml:"url"`
		} `yaml:"bugs"`
		New []struct {
			Product string `yaml:"product"`
			Name    string `yaml:"name"`
			URL     string `yaml:"url"`
		} `yaml:"new"`
	}
	in := yaml.NewDecoder(strings.NewReader(string(text)))
	in.KnownFields(true)
	if err := in.Decode(&file); err != nil {
		return nil, err
	}
	if len(file.Bugs) > maxTrackers || len(file.New) > maxTrackers {
		return nil, fmt.Errorf("more than %d trackers", maxTrackers)
	}
	t := &Trackers{}
	for _, b := range file.Bugs {
		match, err := regexp.Compile(`^(?:` + b.Match + `)$`)
		if err == nil {
			err = checkAddress(b.URL)
		}
		if err == nil && !strings.Contains(b.URL, "{bug}") {
			err = errors.New("want {bug} in the address")
		}
		if err != nil {
			return nil, fmt.Errorf("bugs, %q: %w", b.Match, err)
		}
		t.bugs = append(t.bugs, tracker{match, b.URL})
	}
	for _, n := range file.New {
		err := checkAddress(n.URL)
		if err == nil && (n.Product == "" || n.Name == "") {
			err = fmt.Errorf("want a product, or %s for all, and a name", everyProduct)
		}
		if err != nil {
			return nil, fmt.Errorf("new, %q: %w", n.Name, err)
		}
		t.files = append(t.files, filer{n.Product, n.Name, n.URL})
	}
	return t, nil
}

// checkAddress refuses an address whose host a crash could choose.
func checkAddress(address string) error {
	rest, ok := strings.CutPrefix(address, "https://")
	host, _, _ := strings.Cut(rest, "/")
	if u, err := url.Parse("https://" + host + "/"); !ok || err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(host, "{}?#") {
		return errAddress
	}
	return nil
}

// bug is where a bug is looked at; empty where no tracker has it.
func (t *Trackers) bug(name string) string {
	if t == nil || len(name) > maxFiledBytes {
		return ""
	}
	for _, of := range t.bugs {
		if of.match.MatchString(name) {
			return strings.ReplaceAll(of.url, "{bug}", url.QueryEscape(name))
		}
	}
	return ""
}

// link lets bugs in a table lead to their tracker.
func (t *Trackers) link(table *table, a *ask.Answer) {
	for i, c := range a.Columns {
		if c.Name != "bug" || t == nil {
			continue
		}
		for _, row := range table.Rows {
			row[i].Link = t.bug(row[i].Text)
		}
	}
}

// filed are links that file a bug about a product's crash, with what is known filled in.
func (t *Trackers) filed(product string, values map[string]string) (out []link) {
	if t == nil {
		return nil
	}
	var pairs []string
	for name, value := range values {
		if len(value) > maxFiledBytes {
			value = strings.ToValidUTF8(value[:maxFiledBytes], "") + "…"
		}
		pairs = append(pairs, "{"+name+"}", url.QueryEscape(value))
	}
	filled := strings.NewReplacer(append(pairs, " ", "+")...)
	for _, f := range t.files {
		if f.product == product || f.product == everyProduct {
			out = append(out, link{filled.Replace(f.url), f.name})
		}
	}
	return out
}

// bugs are links that file a bug about a crash.
func (h *Handler) bugs(c *oneCrash) []link {
	var stack strings.Builder
	for _, f := range c.Frames[:min(maxFiledFrames, len(c.Frames))] {
		fmt.Fprintf(&stack, "%s %s %s %s\n", f.Number, f.Module, f.name(), f.Source)
	}
	return h.o.Trackers.filed(c.Product, map[string]string{
		"product": c.Product, "version": c.Version, "signature": c.Signature, "reason": c.Reason, "crash": c.ID, "stack": stack.String(),
	})
}
