package main

import (
	"fmt"

	"aftershock/collector/throttle"
)

// throttleVerbs look at the door's rules before they are used.
type throttleVerbs struct {
	Check throttleCheckVerb `cmd:"" help:"Tell whether a file of rules compiles, or what is wrong with it."`
	Try   throttleTryVerb   `cmd:"" help:"Tell what rules would make of reports: of those on standard input, or of the last raw crashes."`
}

// throttleCheckVerb compiles rules.
type throttleCheckVerb struct {
	File string `arg:"" help:"The rules (docs/throttle.md)." type:"path"`
}

// Run prints what they are.
func (v *throttleCheckVerb) Run(r *run) error {
	file, err := throttle.Open(v.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.stdout, "%d rules, %.12s\n", len(file.Rules().Names()), file.Rules().Hash())
	return err
}
