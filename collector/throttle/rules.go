// Package throttle decides what becomes of a report by rules that operators write: it is
// kept and processed, only kept, or not kept (docs/throttle.md).
//
// Rules are a YAML file: ordered, each with a name, a condition in CEL and a result. The
// first result that is not continue holds. Crash pings have a list of their own. Samples are drawn from the crash id, so that
// the same rules decide the same of a report whenever they are asked.
package throttle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"

	"aftershock/schema"
)

// Result is what a rule makes of a report.
type Result string

// Results.
const (
	// Accept keeps the report, to be processed.
	Accept Result = "accept"
	// Defer keeps it, to be processed when somebody asks for it.
	Defer Result = "defer"
	// Reject does not keep it, and says by which rule.
	Reject Result = "reject"
	// FakeAccept does not keep it, and says a crash id: for clients that do not take no
	// for an answer.
	FakeAccept Result = "fake-accept"
	// Continue leaves it to the rules behind.
	Continue Result = "continue"
)

// Limits of a file of rules.
const (
	MaxBytes          = 1 << 20
	maxRules          = 1000
	maxConditionBytes = 16 << 10
	maxWhyBytes       = 4 << 10
)

// ruleName is a name that an answer, a column and a metric can carry.
var ruleName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// Rules are compiled. They are safe for concurrent use.
type Rules struct {
	rules []rule // of reports
	pings []rule
	hash  string
}

// of are the rules of a kind. A file without rules of pings accepts them all.
func (r *Rules) of(kind string) []rule {
	switch {
	case kind != schema.KindPing:
		return r.rules
	case len(r.pings) == 0:
		return acceptPings
	}
	return r.pings
}

var acceptPings = []rule{{Name: "accept_pings", Result: Accept}}

// rule is one of them.
type rule struct {
	Name    string   `yaml:"name"`
	Why     string   `yaml:"why"`
	When    string   `yaml:"when"`
	Percent *float64 `yaml:"percent"`
	Result  Result   `yaml:"result"`
	Else    Result   `yaml:"else"`

	line  int
	holds cel.Program // nil holds always
}

// Parse compiles rules. Errors name the rule and where it stands.
func Parse(text []byte) (*Rules, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("the rules have %d bytes, want at most %d", len(text), MaxBytes)
	}
	var file struct {
		Rules []yaml.Node `yaml:"rules"`
		Pings []yaml.Node `yaml:"pings"`
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("the rules are one YAML document: there is another one behind it")
	}
	if len(file.Rules) == 0 {
		return nil, errors.New("there are no rules: one that accepts everything is `rules: [{name: accept_everything, result: accept}]`")
	}
	if n := len(file.Rules) + len(file.Pings); n > maxRules {
		return nil, fmt.Errorf("there are %d rules, want at most %d", n, maxRules)
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	out := &Rules{hash: hex.EncodeToString(sum[:])}
	names := map[string]int{}
	var errs [2]error
	out.rules, errs[0] = parseRules(env, file.Rules, names)
	if len(file.Pings) > 0 {
		out.pings, errs[1] = parseRules(env, file.Pings, names)
	}
	return out, errors.Join(errs[:]...)
}

// parseRules compiles a list of rules, whose names are not among those that there are.
func parseRules(env *cel.Env, nodes []yaml.Node, names map[string]int) (out []rule, err error) {
	var errs []error
	for i := range nodes {
		r, err := parseRule(env, &nodes[i])
		if err == nil && names[r.Name] > 0 {
			err = fmt.Errorf("line %d: rule %s stands in line %d already", r.line, r.Name, names[r.Name])
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		names[r.Name] = r.line
		out = append(out, r)
	}
	if len(errs) == 0 {
		last := out[len(out)-1]
		if last.holds != nil || last.Result == Continue || last.Else == Continue {
			errs = append(errs, fmt.Errorf("line %d: rule %s is the last one and does not decide of every report: end with `- {name: accept_everything, result: accept}`, or one that rejects", last.line, last.Name))
		}
	}
	return out, errors.Join(errs...)
}

// parseRule compiles one rule.
func parseRule(env *cel.Env, node *yaml.Node) (r rule, err error) {
	r.line = node.Line
	if err := decodeStrict(node, &r); err != nil {
		return r, fmt.Errorf("line %d: %w", node.Line, err)
	}
	bad := func(format string, args ...any) (rule, error) {
		name := r.Name
		if name == "" {
			name = "without a name"
		}
		return r, fmt.Errorf("line %d: rule %s: %w", r.line, name, fmt.Errorf(format, args...))
	}
	switch {
	case !ruleName.MatchString(r.Name):
		return bad("want a name of at most 64 small letters, digits and underscores")
	case len(r.Why) > maxWhyBytes:
		return bad("why: want at most %d bytes", maxWhyBytes)
	case len(r.When) > maxConditionBytes:
		return bad("when: want at most %d bytes", maxConditionBytes)
	case !r.Result.known():
		return bad("result %q: want accept, defer, reject, fake-accept or continue", r.Result)
	case r.Percent == nil && r.Else != "":
		return bad("else is the result of those that percent leaves out: there is no percent")
	case r.Percent != nil && !(*r.Percent >= 0 && *r.Percent <= 100):
		return bad("percent %g: want 0 to 100", *r.Percent)
	case r.Percent != nil && !r.Else.known():
		return bad("else %q: want the result of those that percent leaves out", r.Else)
	}
	if r.When != "" {
		if r.holds, err = compile(env, r.When); err != nil {
			return bad("when: %w", err)
		}
	}
	return r, nil
}

// decodeStrict refuses fields that a rule has not: a misspelt condition would hold always.
func decodeStrict(node *yaml.Node, r *rule) error {
	if node.Kind != yaml.MappingNode {
		return errors.New("want a rule: name, when, result")
	}
	for i := 0; i < len(node.Content); i += 2 {
		switch key := node.Content[i].Value; key {
		case "name", "why", "when", "percent", "result", "else":
		default:
			return fmt.Errorf("a rule has no %q: want name, why, when, percent, result, else", key)
		}
	}
	return node.Decode(r)
}

func (r Result) known() bool {
	switch r {
	case Accept, Defer, Reject, FakeAccept, Continue:
		return true
	}
	return false
}

// Hash is the digest of the file's text.
func (r *Rules) Hash() string { return r.hash }

// Names are those of the rules, in their order: of reports, then of pings.
func (r *Rules) Names() []string {
	var names []string
	for _, list := range [][]rule{r.rules, r.pings} {
		for i := range list {
			names = append(names, list[i].Name)
		}
	}
	return names
}
