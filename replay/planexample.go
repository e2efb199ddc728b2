package replay

import (
	"strings"

	"aftershock/schema"
	"aftershock/signature"
)

// MaxPlanExamples are told of one plan.
const MaxPlanExamples = 40

// PlanExample is a crash of a sample whose signature changes: the first that was found of those that
// go from the one to the other.
type PlanExample struct {
	CrashID  string
	From, To string
	Frames   []ExampleFrame // of those that either way looks at, from the top
}

// ExampleFrame is a frame of the proto-signature, normalised, with what each ruleset makes of it;
// nil where it is not looked at.
type ExampleFrame struct {
	Number int
	Name   string
	Was    *signature.Step
	Is     *signature.Step
}

// Differs tells whether the rulesets do not agree on the frame.
func (f ExampleFrame) Differs() bool {
	if f.Was == nil || f.Is == nil {
		return f.Was != f.Is
	}
	return f.Was.Kind != f.Is.Kind
}

// planExamples finds the examples of a plan. It is not safe for concurrent use.
type planExamples struct {
	was, is *signature.Ruleset
	tell    func(PlanExample)
	told    map[[2]string]bool
}

// look tells of a crash whose signature changes, if it is the first of its kind.
func (e *planExamples) look(id string, crash *signature.Crash, from, to string) {
	if e.tell == nil || len(e.told) == MaxPlanExamples {
		return
	}
	pair := [2]string{from, to}
	if e.told[pair] {
		return
	}
	e.told[pair] = true
	if _, err := schema.CrashDay(id); err != nil {
		id = "" // it leads nowhere
	}
	e.tell(PlanExample{CrashID: id, From: pair[0], To: pair[1], Frames: exampleFrames(e.was.Explain(crash), e.is.Explain(crash))})
}

// exampleFrames lays two ways to a signature side by side.
func exampleFrames(was, is signature.Result) (out []ExampleFrame) {
	names := strings.Split(is.ProtoSignature, " | ")
	if old := strings.Split(was.ProtoSignature, " | "); len(old) > len(names) {
		names = old
	}
	at := map[int]*ExampleFrame{}
	last := -1
	for i, steps := range [][]signature.Step{was.Why, is.Why} {
		for _, s := range steps {
			if s.Kind == signature.StepRule || s.Kind == signature.StepRecursion || s.Frame >= len(names) {
				continue
			}
			if at[s.Frame] == nil {
				at[s.Frame] = &ExampleFrame{Number: s.Frame, Name: names[s.Frame]}
			}
			step := s
			if i == 0 {
				at[s.Frame].Was = &step
			} else {
				at[s.Frame].Is = &step
			}
			last = max(last, s.Frame)
		}
	}
	for n := range last + 1 {
		if f := at[n]; f != nil {
			out = append(out, *f)
		}
	}
	return out
}
