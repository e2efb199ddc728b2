package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"aftershock/replay"
	"aftershock/schema"
	"aftershock/signature"
)

// whyTime bounds how long a crash's page waits for why: the rest of it is shown without.
const whyTime = 3 * time.Second

// whySection is why a crash has its signature, as a page shows it.
type whySection struct {
	// Text stands for a why that there is not, in words for people.
	Text    string
	Version int32
	Frames  []whyFrame
	Rules   []string // what changed the signature after the frames, in order
	Notes   []string
	// Under is what another version's rules make of the same stack; nil when nobody asked.
	Under *whyUnder
	// Others are the versions to ask for, with their links.
	Others []link
}

type whyUnder struct {
	Version   int32
	Signature string
	Same      bool
	// Parts says where the two part: the first step that differs.
	Parts string
}

// whyFrame is a frame of the proto-signature, with what was decided about it.
type whyFrame struct {
	Number  int
	Name    string
	Decided string // empty: nobody looked at it
	Line    string // of a list, that decided
	Taken   bool
	Try     []link // a line for this frame
}

// why is the section of a crash that has row's signature.
func (h *Handler) why(ctx context.Context, seen crashVersion, signed string, under int32, others []crashVersion, self func(under int32) string) *whySection {
	s := &whySection{Version: seen.Version}
	if h.o.Why == nil {
		s.Text = "Why can be told by pages that are started with --brokers."
		return s
	}
	if seen.Version == 0 {
		s.Text = "No row of a version that is seen says where its processed crash lies."
		return s
	}
	versions := []int32{seen.Version}
	if under != 0 && under != seen.Version {
		versions = append(versions, under)
	}
	ctx, cancel := context.WithTimeout(ctx, whyTime)
	defer cancel()
	all, err := h.o.Why.Why(ctx, seen.At, versions...)
	switch {
	case errors.Is(err, replay.ErrNoWhy):
		s.Text = err.Error() + "."
		return s
	case err != nil:
		h.o.Log.Warn().Err(err).Msg("why not told")
		s.Text = "Kafka cannot be asked now."
		return s
	case all[0].Signature != signed:
		// Never an explanation of something else: the row has been written by another build.
		s.Text = fmt.Sprintf("The rules of version %d give %q today, which is not what the row has: its processed crash was made by another build, or again since.", seen.Version, all[0].Signature)
		return s
	}
	s.tell(&all[0])
	if len(all) > 1 {
		s.Under = &whyUnder{Version: all[1].Version, Signature: all[1].Signature, Same: all[1].Signature == signed, Parts: parts(all[0].Steps, all[1].Steps)}
	}
	for _, o := range others {
		if o.Version != seen.Version {
			s.Others = append(s.Others, link{self(o.Version), "version " + strconv.Itoa(int(o.Version))})
		}
	}
	return s
}

// tell copies the steps to the frames that they are about.
func (s *whySection) tell(w *replay.Why) {
	s.Notes = w.Notes
	for i, name := range w.Frames {
		s.Frames = append(s.Frames, whyFrame{Number: i, Name: name, Try: []link{
			{tryLink("irrelevant_signature_re.txt", regexp.QuoteMeta(name)), "ignore"},
			{tryLink("prefix_signature_re.txt", regexp.QuoteMeta(name)), "prefix"},
			{tryLink("signature_sentinels.txt", name), "up to here"},
		}})
	}
	for _, step := range w.Steps {
		switch step.Kind {
		case signature.StepRule, signature.StepRecursion:
			s.Rules = append(s.Rules, step.String())
			continue
		case signature.StepSentinel:
			for i := range min(step.Frame, len(s.Frames)) {
				s.Frames[i].Decided = "above the sentinel"
			}
		default:
		}
		if step.Frame < len(s.Frames) {
			f := &s.Frames[step.Frame]
			f.Decided, f.Taken = decided[step.Kind], step.Kind == signature.StepPrefix || step.Kind == signature.StepLast
			if step.Line != (signature.ListLine{}) {
				f.Line = step.Line.String()
			}
		}
	}
}

// decided are the words for what became of a frame.
var decided = map[signature.StepKind]string{
	signature.StepSentinel:   "sentinel: what is above does not count",
	signature.StepIrrelevant: "irrelevant, skipped",
	signature.StepRepeated:   "the same module again, skipped",
	signature.StepImprobable: "less likely true than the rules want, skipped",
	signature.StepPrefix:     "taken, and on: a prefix",
	signature.StepLast:       "taken, the last",
}

// parts says where two ways to a signature part.
func parts(a, b []signature.Step) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("step %d: %v; there: %v", i+1, a[i], b[i])
		}
	}
	switch {
	case len(a) > len(b):
		return fmt.Sprintf("here also: %v", a[len(b)])
	case len(b) > len(a):
		return fmt.Sprintf("there also: %v", b[len(a)])
	}
	return ""
}

// tryLink tries a line more in a file of the rules.
func tryLink(file, line string) string {
	return "/rules/try?" + url.Values{"file": {file}, "line": {line}}.Encode()
}

// crashVersion is what a signature version made of a crash.
type crashVersion struct {
	Version   int32
	Revision  int64
	Signature string
	Seen      bool
	At        schema.Position
}

// cause says why there is this revision.
func (v crashVersion) Cause() string {
	if v.Revision == 0 {
		return "as it came"
	}
	return fmt.Sprintf("made again (revision %d)", v.Revision)
}

// crashVersions reads the answer of ask.CrashVersions.
func crashVersions(rows [][]string) (all []crashVersion) {
	for _, r := range rows {
		number := func(i int) int64 { n, _ := strconv.ParseInt(r[i], 10, 64); return n } // the server's own numbers
		all = append(all, crashVersion{
			Version: int32(number(0)), Revision: number(1), Signature: r[2],
			At:   schema.Position{Topic: r[3], Partition: int32(number(4)), Offset: number(5)},
			Seen: r[6] == "1" || r[6] == "true",
		})
	}
	return all
}
