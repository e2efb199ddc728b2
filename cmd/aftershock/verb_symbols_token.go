package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"aftershock/symbolserver/upload"
)

// symbolsTokenVerbs say who may upload.
type symbolsTokenVerbs struct {
	Add    symbolsTokenAddVerb    `cmd:"" help:"Make a token, and print it: it is nowhere else."`
	List   symbolsTokenListVerb   `cmd:"" help:"Who has a token, for what, and until when."`
	Revoke symbolsTokenRevokeVerb `cmd:"" help:"Make a token useless; servers know within a second."`
}

// tokensFlag names the file of tokens.
type tokensFlag struct {
	Tokens string `help:"File of tokens, which symbols serve reads too. It holds digests, not what is sent." required:"" placeholder:"FILE" type:"path"`
}

func (f tokensFlag) tokens() (*upload.Tokens, error) { return upload.OpenTokens(f.Tokens, time.Now) }

type symbolsTokenAddVerb struct {
	tokensFlag
	Name    string   `arg:"" help:"Of whom: it is kept beside each file that is uploaded with the token."`
	Can     []string `help:"What it can: upload, try, or both. With try alone all that is uploaded is of tried builds." default:"upload"`
	Expires dayCount `help:"After how long it is of no use any more." default:"365d" placeholder:"DAYS"`
}

// Run prints the token alone on stdout, for scripts.
func (v *symbolsTokenAddVerb) Run(r *run) error {
	tokens, err := v.tokens()
	if err != nil {
		return err
	}
	expires := time.Now().Add(v.Expires.duration()).UTC().Truncate(time.Second)
	secret, err := tokens.Add(v.Name, v.Can, expires)
	if err != nil {
		return err
	}
	say(r.stderr, "a token for %s, until %s. It is shown this once: put it into the environment of who uploads, as %s\n", printable(v.Name), expires.Format(time.DateOnly), symbolsTokenVariable)
	_, err = fmt.Fprintln(r.stdout, secret)
	return err
}

type symbolsTokenListVerb struct {
	tokensFlag
	JSON bool `help:"One JSON object a token." name:"json"`
}

// Run prints a line a token.
func (v *symbolsTokenListVerb) Run(r *run) error {
	tokens, err := v.tokens()
	if err != nil {
		return err
	}
	all, err := tokens.List()
	if err != nil {
		return err
	}
	if v.JSON {
		lines := json.NewEncoder(r.stdout)
		for _, t := range all {
			t.SHA256 = ""
			if err := lines.Encode(t); err != nil {
				return err
			}
		}
		return nil
	}
	out := tabwriter.NewWriter(r.stdout, 0, 0, 2, ' ', 0)
	say(out, "NAME\tCAN\tSINCE\tUNTIL\n")
	for _, t := range all {
		until := "ever"
		if !t.Expires.IsZero() {
			until = t.Expires.Format(time.DateOnly)
		}
		if !t.Expires.IsZero() && time.Now().After(t.Expires) {
			until += " (over)"
		}
		say(out, "%s\t%s\t%s\t%s\n", printable(t.Name), strings.Join(t.Can, ","), t.Created.Format(time.DateOnly), until)
	}
	return out.Flush()
}

type symbolsTokenRevokeVerb struct {
	tokensFlag
	Name string `arg:"" help:"Of whom."`
}

// Run removes it.
func (v *symbolsTokenRevokeVerb) Run(r *run) error {
	tokens, err := v.tokens()
	if err != nil {
		return err
	}
	if err := tokens.Revoke(v.Name); err != nil {
		return err
	}
	say(r.stdout, "the token of %s is of no use any more\n", printable(v.Name))
	return nil
}
