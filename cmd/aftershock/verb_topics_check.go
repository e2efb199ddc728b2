package main

import (
	"encoding/json"
	"fmt"

	"aftershock/stream"
)

type topicsCheckVerb struct {
	kafkaFlags
	AllowReplication1 bool `name:"allow-replication-1" help:"Topics may have one replica: a trial whose loss does not matter."`
	JSON              bool `name:"json" help:"One JSON object a finding."`
}

// Run prints every finding.
func (v *topicsCheckVerb) Run(r *run) error {
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	findings, err := stream.CheckTopics(r.ctx, kafka, stream.CheckOptions{AllowReplication1: v.AllowReplication1})
	if err != nil {
		return err
	}
	errors := 0
	out := json.NewEncoder(r.stdout)
	out.SetEscapeHTML(false)
	for _, f := range findings {
		if f.Severity == stream.SeverityError {
			errors++
		}
		if !v.JSON {
			say(r.stdout, "%s\n", f)
		} else if err := out.Encode(f); err != nil {
			return err
		}
	}
	if errors > 0 {
		return fmt.Errorf("topics check: %d errors, %d warnings", errors, len(findings)-errors)
	}
	return nil
}
