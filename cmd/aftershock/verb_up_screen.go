package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"aftershock/processor"
	"aftershock/schema"
	"aftershock/signature"
)

// upScreen is what up says on a terminal: where things are, what to try, and what is
// wrong. It says nothing where w is nil.
type upScreen struct {
	up     *upVerb
	w      io.Writer
	tables bool                   // the ClickHouse is one of up's own
	knows  func(hash string) bool // whether a registry can be had; nil knows none
}

// startPatience is how long all parts have to become ready before the screen says which
// are not.
const startPatience = 20 * time.Second

func (s upScreen) starting() {
	if s.w != nil {
		say(s.w, "Aftershock is starting. Its data are in %s.\n", s.up.DataDir)
	}
}

// started waits until everything works, or does not, and says so.
func (s upScreen) started(ctx context.Context, r *roles) {
	if s.w == nil {
		return
	}
	s.knows = r.knows
	var waiting []string
	for end := time.Now().Add(startPatience); ; pause(ctx, 100*time.Millisecond) {
		if ctx.Err() != nil {
			return
		}
		waiting = waiting[:0]
		for name, state := range r.health.notReady() {
			if state != partUnserved {
				waiting = append(waiting, name)
			}
		}
		if state := r.versions.Newest(); (state != nil && len(waiting) == 0) || time.Now().After(end) {
			slices.Sort(waiting)
			s.say(os.Args[0], state, waiting, time.Now())
			return
		}
	}
}

// known tells whether the registry of a signature version can be had.
func (s upScreen) known(hash string) bool {
	return hash == schema.DefaultRegistry.Hash() || s.knows != nil && s.knows(hash)
}

// say is the screen.
func (s upScreen) say(program string, state *schema.VersionEvent, waiting []string, now time.Time) {
	out := tabwriter.NewWriter(s.w, 0, 0, 2, ' ', 0)
	say(out, "\nAftershock is up. Ctrl-C ends it.\n\n")
	for _, row := range s.addresses() {
		say(out, "  %s\t%s\t%s\n", row[0], row[1], row[2])
	}
	out.Flush() //nolint:errcheck,gosec // see say
	say(s.w, "\nTo try:\n\n")
	for _, command := range s.tries(program) {
		say(s.w, "  %s\n", command)
	}
	if problems := s.problems(program, state, waiting, now); len(problems) > 0 {
		say(s.w, "\nWhat is not right:\n\n")
		for _, problem := range problems {
			say(s.w, "  %s\n", problem)
		}
	}
	say(s.w, "\nWarnings follow here; --log-json logs everything.\n\n")
}

// addresses are those of what listens, a row each.
func (s upScreen) addresses() [][3]string {
	tables := "aftershock.crashes"
	if s.tables {
		tables = "SQL; this machine may read, clickhouse/token in the data directory writes"
	}
	out := [][3]string{
		{"door", "http://" + s.up.CollectorListen + "/submit", "takes reports; / says how"},
		{"ClickHouse", "http://" + s.clickhouse(), tables},
		{"Kafka", strings.Join(s.brokers(), ","), "topic " + schema.TopicTelemetry + " holds what is public"},
		{"registry", "http://" + s.up.RegistryListen, "the schemas of what is in Kafka"},
		{"metrics", "http://" + s.up.MetricsListen + "/metrics", "/readyz says what works"},
	}
	if s.up.SymbolsListen != symbolsOff {
		out = slices.Insert(out, 4, [3]string{"symbols", "http://" + s.up.SymbolsListen, "downloads, uploads and symbolication; / says how"})
	}
	if s.analysts() {
		out = slices.Insert(out, 2, [3]string{"analysts", "http://" + s.up.AnalystListen, "SQL; shows what is public, and writes nothing"})
	}
	if s.up.WebListen != webOff {
		out = slices.Insert(out, 0, [3]string{"pages", "http://" + s.up.WebListen, "top crashers, signatures, crashes"})
	}
	return out
}

// analysts tells whether there is an address for analysts.
func (s upScreen) analysts() bool { return s.tables && s.up.AnalystListen != analystsOff }

// tries are commands that work as they stand, but for the name of a dump where none is known.
func (s upScreen) tries(program string) []string {
	dump := "CRASH.dmp"
	if samples, err := filepath.Glob("testdata/crashes/*.dmp"); err == nil && len(samples) > 0 { // in a checkout
		dump = samples[0]
	}
	submit := program + " submit"
	if s.up.CollectorListen != "127.0.0.1:8000" { // the verb's default
		submit += " --url http://" + s.up.CollectorListen + "/submit"
	}
	view, as, asked := "crashes", "", s.clickhouse()
	switch {
	case s.analysts():
		asked = s.up.AnalystListen
	case !s.tables:
		view, as = "aftershock.crashes", "--user USER "
	}
	return []string{
		submit + " --annotation ProductName=Trial " + dump,
		fmt.Sprintf("curl %shttp://%s/ --data-binary 'SELECT crash_id, product, signature FROM %s ORDER BY received_at DESC LIMIT 9'", as, asked, view),
		program + " verify --brokers " + strings.Join(s.brokers(), ",") + " --clickhouse-url http://" + s.clickhouse(),
		program + " --help",
	}
}

// problems are what keeps crashes from being seen as they should, and what to type
// against it, a line each.
func (s upScreen) problems(program string, state *schema.VersionEvent, waiting []string, now time.Time) []string {
	var out []string
	if state == nil {
		out = append(out, "The versions log cannot be read: nothing is processed until it is.")
	} else {
		out = append(out, s.unserved(program, state, now)...)
	}
	if len(waiting) > 0 {
		out = append(out, "Not ready yet: "+strings.Join(waiting, ", ")+".")
	}
	if len(s.up.Symbols) == 0 {
		out = append(out, "No symbols: stacks have addresses and no functions. Start with --symbols DIR|URL.")
	}
	return out
}

// unserved says what to type when this release cannot serve the version that is seen, or
// when it ships with something newer.
func (s upScreen) unserved(program string, state *schema.VersionEvent, now time.Time) []string {
	seen := state.Version(state.Activation.Seen(now))
	if seen == nil {
		return nil
	}
	kafka := " --brokers " + strings.Join(s.brokers(), ",")
	start := program + strings.TrimPrefix(startCommand, "aftershock") + kafka
	if servable(*seen, processor.Version, s.known) == nil {
		if offers(state) {
			return []string{
				fmt.Sprintf("Newer rules (%.12s) come with this release than with any signature version. To see what they change, type", signature.Default().Hash()),
				"    " + start,
			}
		}
		return nil
	}
	out := []string{fmt.Sprintf("Crashes are kept, and not processed: signature version %d, which is seen, was made by another release. Type", seen.Number)}
	promote := next(state)
	if offers(state) {
		out = append(out, "    "+start)
	} else {
		promote = newestServed(state)
	}
	clickhouse := " --clickhouse-url http://" + s.clickhouse()
	if s.tables {
		clickhouse += " --clickhouse-password-file " + filepath.Join(s.up.DataDir, "clickhouse", "token")
	}
	return append(out, fmt.Sprintf("    %s replay promote %d%s%s", program, promote, kafka, clickhouse))
}

// next is the number that the next version will have: no number is used twice.
func next(state *schema.VersionEvent) int32 {
	return slices.MaxFunc(state.Versions, func(a, b schema.SignatureVersion) int { return int(a.Number - b.Number) }).Number + 1
}

// newestServed is the newest version that has what this binary ships with, 0 for none.
func newestServed(state *schema.VersionEvent) int32 {
	for _, v := range slices.Backward(state.Versions) {
		if !v.Gone() && shipped(v.ProcessVersion, v.RulesetHash, v.RegistryHash) {
			return v.Number
		}
	}
	return 0
}

func (s upScreen) brokers() []string {
	if len(s.up.Brokers) > 0 {
		return s.up.Brokers
	}
	return []string{s.up.KafkaListen}
}

// clickhouse is ClickHouse's host and port: who asks has a name and a password of their own.
func (s upScreen) clickhouse() string {
	if u, err := url.Parse(s.up.ClickhouseURL); err == nil {
		return u.Host
	}
	return ""
}
