package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"aftershock/replay"
	"aftershock/signature"
)

// signDiffVerb compares two rulesets.
type signDiffVerb struct {
	Ruleset []string `help:"Directory or file of a ruleset: given twice, the old one and the new one. \"default\" is the one that ships with this release." required:"" placeholder:"DIR|FILE" sep:"none"`
	JSON    bool     `help:"Print one JSON object a change." name:"json"`
}

// Run prints what changes from the first ruleset to the second.
func (v *signDiffVerb) Run(r *run) error {
	if len(v.Ruleset) != 2 {
		return &usageError{"sign diff: want --ruleset twice: the old one and the new one"}
	}
	var rulesets [2]*signature.Ruleset
	for i, path := range v.Ruleset {
		if path == "default" {
			path = ""
		}
		var err error
		if rulesets[i], err = openRuleset(path); err != nil {
			return err
		}
	}
	collectLess()
	c := signature.NewComparison(rulesets[0], rulesets[1])
	if err := eachCrash(os.Stdin, func(crash *signature.Crash, err error) error {
		if err == nil {
			c.Add(crash)
		}
		return err
	}); err != nil {
		return err
	}
	out := bufio.NewWriter(r.stdout)
	return errors.Join(v.print(out, c), out.Flush())
}

func (v *signDiffVerb) print(out io.Writer, c *signature.Comparison) error {
	changes := c.Changes()
	if v.JSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		for i := range changes {
			if err := encoder.Encode(&changes[i]); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range changes {
		if err := replay.WriteChange(out, &changes[i]); err != nil {
			return err
		}
	}
	all, changed := c.Crashes()
	_, err := fmt.Fprintf(out, "%d of %d crashes change their signature\n", changed, all)
	return err
}
