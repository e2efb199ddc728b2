package replay

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"aftershock/schema"
	"aftershock/signature"
)

// maxShownRunes is how much of a signature people are shown: they are made of
// reports, and hostile. JSON and CSV have all of it.
const maxShownRunes = 300

// shown is a signature, cut, in which nothing moves a cursor, changes the direction
// of writing or is no text.
func shown(s string) string {
	var b strings.Builder
	n := 0
	for i, r := range s {
		if n++; n > maxShownRunes {
			b.WriteRune('…')
			break
		}
		switch _, size := utf8.DecodeRuneInString(s[i:]); {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !strconv.IsPrint(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// quoted is a signature, cut, as a Go string.
func quoted(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxShownRunes {
			return strconv.Quote(s[:i]) + "…"
		}
	}
	return strconv.Quote(s)
}

// percent is a share for people.
func percent(share float64) string {
	switch p := 100 * share; {
	case p == 0 || p >= 9.95:
		return fmt.Sprintf("%.0f %%", p)
	case p >= 0.01:
		return fmt.Sprintf("%.2g %%", p)
	}
	return "< 0.01 %"
}

// String is what a crash may owe its move to.
func (c CauseCount) String() string {
	if len(c.Could) == 0 {
		return "nothing that is known"
	}
	texts := make([]string, len(c.Could))
	for i, cause := range c.Could {
		texts[i] = string(cause)
	}
	return strings.Join(texts, " or ")
}

// Title says what is compared.
func (d *Diff) Title() string {
	of := ""
	if d.Kind == schema.KindPing {
		of = "Crash pings, not reports. "
	}
	if d.Revisions {
		return of + fmt.Sprintf("Signature version %d: the newest revisions against the ones before", d.A.SignatureVersion)
	}
	return of + fmt.Sprintf("Signature version %d against %d", d.B.SignatureVersion, d.A.SignatureVersion)
}

// What are the crashes that are compared: crashes, or pings.
func (d *Diff) What() string { return d.population().View }

// Range says which crashes are compared.
func (d *Diff) Range() string {
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch {
	case d.From != nil && d.To != nil:
		return d.What() + " received from " + at(*d.From) + " to " + at(*d.To)
	case d.From != nil:
		return d.What() + " received from " + at(*d.From) + " on"
	case d.To != nil:
		return d.What() + " received before " + at(*d.To)
	}
	return "all " + d.What()
}

// Differences says what the two versions do not have in common.
func (d *Diff) Differences() string {
	var out []string
	add := func(name, a, b string) {
		if a != b {
			out = append(out, name+" "+a+" → "+b)
		}
	}
	add("ruleset", short(d.A.RulesetHash), short(d.B.RulesetHash))
	add("annotation registry", short(d.A.RegistryHash), short(d.B.RegistryHash))
	add("process version", fmt.Sprint(d.A.ProcessVersion), fmt.Sprint(d.B.ProcessVersion))
	if len(out) == 0 {
		return "same ruleset, annotation registry and process version"
	}
	return strings.Join(out, ", ")
}

func short(hash string) string { return hash[:min(12, len(hash))] }

// because names the line that a move is owed to.
func because(m signature.Move) string {
	switch {
	case m.From == m.To:
		return " (as before)"
	case m.Cause == signature.ListLine{}:
		return ""
	case m.Added:
		return "\n          new: " + shown(m.Cause.String())
	}
	return "\n          no longer: " + shown(m.Cause.String())
}
