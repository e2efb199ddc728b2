package main

import (
	"bufio"
	"errors"

	"aftershock/replay"
)

// replayLineageVerb follows a signature through all promotions.
type replayLineageVerb struct {
	rowFlags
	Signature string `arg:"" help:"The signature, exactly."`
	JSON      bool   `help:"Print one JSON object." name:"json"`
}

// Run prints what the signature came from and what it became.
func (v *replayLineageVerb) Run(r *run) error {
	db, err := v.open(r)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	l, err := replay.FindLineage(r.ctx, db, v.limits(), v.Signature)
	if err != nil {
		return err
	}
	report := l.WriteText
	if v.JSON {
		report = l.WriteJSON
	}
	out := bufio.NewWriter(r.stdout)
	return errors.Join(report(out), out.Flush())
}
