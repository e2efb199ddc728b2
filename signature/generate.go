package signature

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxRunes is the length of the longest signature.
const MaxRunes = 255

// Generate names the crash. It never fails and is safe for concurrent use.
func (r *Ruleset) Generate(c *Crash) Result {
	var res Result
	r.stack(c, &res)
	stackwalkerError(c, &res)
	printable(&res)
	whitespace(&res)
	truncate(&res)
	return res
}

func (res *Result) note(rule, text string) {
	res.Notes = append(res.Notes, rule+": "+text)
}

// noFrames is the signature of a crash of which there is no stack.
const noFrames = "EMPTY: no frame data available"

// stack makes the signature of the crashing thread's frames.
func (r *Ruleset) stack(c *Crash, res *Result) {
	const rule = "SignatureGenerationRule"
	frames, ok := r.normalizedFrames(c)
	if !ok {
		res.note(rule, "Rule failed")
		return
	}
	res.ProtoSignature = strings.Join(frames, " | ")
	picked := r.pick(frames)
	if len(picked) > 0 {
		res.Signature = strings.Join(picked, " | ")
		return
	}
	thread := 0
	if c.CrashingThread != nil {
		thread = *c.CrashingThread
	}
	res.note(rule, fmt.Sprintf("CSignatureTool: no frame data for crashing thread (%d)", thread))
	if rest := frames[r.sentinel(frames):]; len(rest) > 0 {
		res.Signature = rest[0]
	} else {
		res.Signature = noFrames
	}
}

// sentinel is the index of the first frame that is one: what stands above it is
// of no interest. 0 when there is none.
func (r *Ruleset) sentinel(frames []string) int {
	for i, f := range frames {
		if r.sentinels[f] {
			return i
		}
	}
	return 0
}

// pick returns the frames that make the signature: from the sentinel on, without
// irrelevant ones, up to the first that is no prefix.
func (r *Ruleset) pick(frames []string) []string {
	var picked []string
	for _, f := range frames[r.sentinel(frames):] {
		if f == "" || r.irrelevant.match(f) {
			continue
		}
		if n := len(picked); n > 0 && picked[n-1] == f && anonymous(f) {
			continue
		}
		picked = append(picked, f)
		if !r.prefix.match(f) {
			break
		}
	}
	return picked
}

// anonymous tells whether a frame is a whole module: several in a row say no
// more than one.
func anonymous(f string) bool {
	if strings.HasPrefix(f, "(unloaded") {
		return false
	}
	lower := strings.ToLower(f)
	return strings.HasSuffix(lower, ".dll") || strings.HasSuffix(lower, ".so") ||
		f == "XUL" || f == "<name omitted>" || strings.HasPrefix(f, "<unknown in")
}

// stackwalkerError says why there is no stack.
func stackwalkerError(c *Crash, res *Result) {
	if c.DumpStatus != "" && strings.HasPrefix(res.Signature, "EMPTY") {
		res.Signature += "; " + c.DumpStatus
	}
}

// printable leaves ASCII that can be seen.
func printable(res *Result) {
	clean := strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e {
			return -1
		}
		return c
	}, strings.TrimFunc(res.Signature, isSpace))
	if clean != res.Signature {
		res.Signature = clean
		res.note("SigPrintableCharsOnly", "unprintable characters removed")
	}
}

// whitespace makes one space of several.
func whitespace(res *Result) {
	res.Signature = strings.Join(strings.FieldsFunc(res.Signature, isSpace), " ")
}

// truncate cuts a long signature.
func truncate(res *Result) {
	if utf8.RuneCountInString(res.Signature) > MaxRunes {
		res.Signature = res.Signature[:MaxRunes-3] + "..." // ASCII by now
		res.note("SigTruncate", "SigTrunc: signature truncated due to length")
	}
}
