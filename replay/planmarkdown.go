package replay

import (
	"fmt"
	"io"
	"strings"

	"aftershock/signature"
)

// maxMarkdownChanges are listed in a comment for a review.
const maxMarkdownChanges = 30

// WriteMarkdown writes the plan as a comment for a code review.
func (p *Plan) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Signatures under these rules\n\n**%d of %d** sampled %s (%s) change their signature, compared with version %d.\n", p.Changed, p.Sampled, p.What(), percent(share(int64(p.Changed), int64(p.Sampled))), p.Base)
	for _, text := range p.Warnings {
		fmt.Fprintf(&b, "\n> ⚠ %s\n", inMarkdown(text))
	}
	if len(p.Changes) > 0 {
		b.WriteString("\n| | signature | " + p.What() + " | from or to | line |\n| --- | --- | ---: | --- | --- |\n")
	}
	listed := 0
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Kind == signature.New || c.Kind == signature.Vanished {
			continue // its moves stand with what moved, was split or merged
		}
		if listed++; listed > maxMarkdownChanges {
			continue
		}
		m := c.Moves[0]
		arrow, other := "→", m.To
		if c.Kind == signature.Merged {
			arrow, other = "←", m.From
		}
		more := ""
		if n := len(c.Moves) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		line := ""
		if m.Cause != (signature.ListLine{}) {
			line = addedText(m.Added) + " " + code(m.Cause.String())
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %s %s%s | %s |\n", c.Kind, code(c.Signature), c.Crashes, arrow, code(other), more, line)
	}
	if more := listed - maxMarkdownChanges; more > 0 {
		fmt.Fprintf(&b, "\nand %d changes more.\n", more)
	}
	if len(p.Products) > 0 {
		b.WriteString("\n| product | sampled | changed |\n| --- | ---: | ---: |\n")
		for _, m := range p.Products[:min(maxMarkdownChanges, len(p.Products))] {
			fmt.Fprintf(&b, "| %s | %d | %d (%s) |\n", code(m.Product), m.Sampled, m.Changed, percent(share(int64(m.Changed), int64(m.Sampled))))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// code is a text of a crash as code in a cell of Markdown.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.NewReplacer("`", "'", "|", `\|`, "\n", " ", "\r", " ").Replace(shown(s)) + "`"
}

// inMarkdown keeps a sentence with texts of crashes from being markup.
func inMarkdown(s string) string {
	return strings.NewReplacer("<", "&lt;", "[", `\[`, "`", "'", "*", `\*`, "_", `\_`, "\n", " ", "\r", " ").Replace(s)
}
