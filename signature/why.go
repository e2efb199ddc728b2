package signature

import (
	"fmt"
	"strings"
)

// StepKind is what happened in a Step.
type StepKind string

// The kinds of steps.
const (
	StepSentinel   StepKind = "sentinel"   // frames above this one do not count
	StepIrrelevant StepKind = "irrelevant" // the frame is skipped
	StepImprobable StepKind = "improbable" // the frame is less likely true than the ruleset wants, and skipped
	StepRepeated   StepKind = "repeated"   // the frame is the same module once more, and skipped
	StepPrefix     StepKind = "prefix"     // the frame is taken, and the next one is looked at
	StepLast       StepKind = "last"       // the frame is taken, and ends the signature
	StepRecursion  StepKind = "recursion"  // all frames are this cycle of calls
	StepRule       StepKind = "rule"       // a rule changed the signature
)

// Step is one decision on the way to a signature.
type Step struct {
	Kind StepKind `json:"kind"`
	Rule string   `json:"rule"`
	// Frame indexes the frames of the proto-signature. Steps of rules have none.
	Frame int    `json:"frame,omitempty"`
	Text  string `json:"text,omitempty"`
	// Line is the line of a list that decided. It is zero where none did.
	Line ListLine `json:"line,omitzero"`
	// Before and After are the signature, in steps of rules.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// ListLine is a line of a ruleset's file.
type ListLine struct {
	File   string `json:"file"`
	Number int    `json:"number"`
	Text   string `json:"text"`
}

// String is "file:number: text".
func (l ListLine) String() string { return fmt.Sprintf("%s:%d: %s", l.File, l.Number, l.Text) }

// String says the step in a line.
func (s Step) String() string {
	switch s.Kind {
	case StepSentinel:
		return fmt.Sprintf("frame %d %q cuts off what is above it (%v)", s.Frame, s.Text, s.Line)
	case StepIrrelevant:
		return fmt.Sprintf("frame %d %q skipped (%v)", s.Frame, s.Text, s.Line)
	case StepImprobable:
		return fmt.Sprintf("frame %d %q skipped: it is less likely true than the ruleset wants (probability in %s)", s.Frame, s.Text, switchesFile)
	case StepRepeated:
		return fmt.Sprintf("frame %d %q skipped: the same module again", s.Frame, s.Text)
	case StepPrefix:
		return fmt.Sprintf("frame %d %q taken, and on (%v)", s.Frame, s.Text, s.Line)
	case StepLast:
		return fmt.Sprintf("frame %d %q taken, the last: no line calls it irrelevant or a prefix", s.Frame, s.Text)
	case StepRecursion:
		return fmt.Sprintf("the stack is %q again and again", s.Text)
	default: // a rule
	}
	if added, ok := strings.CutSuffix(s.After, s.Before); ok && s.Before != "" {
		return fmt.Sprintf("%s put %q in front", s.Rule, added)
	}
	if added, ok := strings.CutPrefix(s.After, s.Before); ok && s.Before != "" {
		return fmt.Sprintf("%s appended %q", s.Rule, added)
	}
	return fmt.Sprintf("%s made it %q", s.Rule, s.After)
}

func (g *generation) step(s Step) {
	s.Rule = g.rule
	g.result.Why = append(g.result.Why, s)
}

// frameStep notes what became of a frame, with the line that decided.
func (g *generation) frameStep(k StepKind, frame int, text string) {
	if !g.explain {
		return
	}
	s := Step{Kind: k, Frame: frame, Text: text}
	switch k {
	case StepSentinel:
		s.Line = g.ruleset.sentinelLine(text)
	case StepIrrelevant:
		s.Line = g.ruleset.irrelevant.line(text)
	case StepPrefix:
		s.Line = g.ruleset.prefix.line(text)
	default: // no line decided
	}
	g.step(s)
}

func (g *generation) cycleStep(cycle []*name) {
	if g.explain {
		g.step(Step{Kind: StepRecursion, Text: join(cycle)})
	}
}
