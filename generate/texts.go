package generate

import (
	"fmt"
	"strings"

	"aftershock/facts"
	"aftershock/schema"
)

// Marker is a word of every private value that generated crashes hold: URLs, comments,
// paths, add-ons. Whoever looks for leaks looks for it.
const Marker = "quokka"

// Private texts, of which each crash has one or none.
var (
	urls = []string{
		"https://" + Marker + ".example/", "https://mail." + Marker + ".example/inbox?user=17", "http://10.0.0.7/" + Marker + "/admin", "about:blank#" + Marker,
		"https://shop." + Marker + ".example/cart/checkout?token=8f14e45fceea167a", "file:///home/" + Marker + "/letter.html",
	}
	remarks = []string{
		"It crashed while I was writing to " + Marker + "@example.org", Marker + " here. Again!", "my password is " + Marker + "123, please help", "写信给 " + Marker, "call me: +49 30 5550 " + Marker,
	}
	programTexts = []string{"FP(" + Marker + ") AdapterDescription: none", "Profile of " + Marker + "; 3 tabs", "xpcom_runtime_abort(" + Marker + ")"}
	remoteTypes  = []string{"web", "webIsolated=https://" + Marker + ".example", "privilegedabout", "file:/home/" + Marker}
)

// derived is a text and what facts tell of it.
type derived struct {
	text string
	of   facts.Facts
}

const (
	addonLists = 128
	crumbLists = 64
)

func (g *Crashes) newAddonLists() []derived {
	names := strings.Fields("blocker@trees.example reader@trees.example darkness@night.example translate@words.example notes@" + Marker + ".example tabs@" + Marker + ".example")
	all := make([]derived, addonLists)
	for i := range all {
		s := streamOf(uint64(i), ofTexts, 0)
		var list []string
		for range s.below(6) {
			list = append(list, fmt.Sprintf("%s:%d.%d", strings.Replace(one(&s, names), "@", "%40", 1), s.between(1, 9), s.below(20)))
		}
		all[i] = g.derived(addons, strings.Join(append(list, "%7B972ce4c6-7e08-4474-a285-3208198ce6fd%7D:1.3"), ","))
	}
	return all
}

func (g *Crashes) newCrumbLists() []derived {
	all := make([]derived, crumbLists)
	for i := range all {
		s := streamOf(uint64(i), ofTexts, 1)
		var list []string
		for k := range s.between(1, 5) {
			list = append(list, fmt.Sprintf(`{"timestamp":"2026-09-01T10:%02d:00Z","category":"navigation","level":"info","message":"to %s %d","data":{"tab":%d}}`, k, Marker, s.below(100), s.below(9)))
		}
		all[i] = g.derived(breadcrumbs, "["+strings.Join(list, ",")+"]")
	}
	return all
}

func (g *Crashes) derived(a annotation, value string) derived {
	c := &schema.ProcessedCrash{Annotations: []schema.Annotation{a.with(value)}}
	return derived{value, facts.Derive(facts.Input{Crash: c, Registry: g.registry})}
}

// process is a kind of process.
type process struct {
	kind   string // none is the main one
	actors string
	share  float64
	of     facts.Facts
}

func (g *Crashes) newProcesses() []process {
	all := []process{
		{share: 0.43},
		{share: 0.38, kind: "content"},
		{share: 0.05, kind: "gpu"},
		{share: 0.02, kind: "rdd"},
		{share: 0.02, kind: "socket"},
		{share: 0.03, kind: "gmplugin"},
		{share: 0.04, kind: "utility", actors: "audio-decoder-generic"},
		{share: 0.02, kind: "utility", actors: "js-oracle"},
		{share: 0.01, kind: "utility", actors: "windows-file-dialog"},
	}
	for i := range all {
		p := &all[i]
		c := &schema.ProcessedCrash{}
		if p.kind != "" {
			c.Annotations = append(c.Annotations, processType.with(p.kind))
		}
		if p.actors != "" {
			c.Annotations = append(c.Annotations, utilityActors.with(p.actors))
		}
		p.of = facts.Derive(facts.Input{Crash: c, Registry: g.registry})
	}
	return all
}
