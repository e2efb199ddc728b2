package main

import (
	"slices"

	"aftershock/schema"
	"aftershock/stream"
)

// What each role does with the topics: checked when it starts. docs/operations.md
// has the same as access rules, and the groups and transactional ids with them.
var (
	doorUses = stream.Uses{Topics: []stream.Use{{Topic: schema.TopicRaw, Write: true}}}

	processUses = stream.Uses{
		Topics:    []stream.Use{{Topic: schema.TopicRulesets, Read: true}, {Topic: schema.TopicRaw, Read: true}, {Topic: schema.TopicReprocess, Read: true, Write: true}, {Topic: schema.TopicHeal, Read: true, Write: true}, {Topic: schema.TopicSymbols, Read: true}, {Topic: schema.ProcessedTopic(schema.Archived), Read: true, Write: true}, {Topic: schema.TopicDeadLetter, Write: true}},
		Processed: stream.Use{Read: true, Write: true}, // read back, to know what is done: stream/recent.go
		Wanted:    processWants,
	}
	clickHouseUses = stream.Uses{
		Topics:    []stream.Use{{Topic: schema.TopicRaw, Read: true}, {Topic: schema.TopicRulesets, Read: true}, {Topic: schema.ProcessedTopic(schema.Archived), Read: true}, {Topic: schema.TopicDeadLetter, Write: true}},
		Processed: stream.Use{Read: true},
		Wanted:    clickHouseWants,
	}
	telemetryUses = stream.Uses{
		Topics:    []stream.Use{{Topic: schema.TopicRulesets, Read: true}, {Topic: schema.TopicTelemetry, Read: true, Write: true}, {Topic: schema.ProcessedTopic(schema.Archived), Read: true}, {Topic: schema.TopicDeadLetter, Write: true}},
		Processed: stream.Use{Read: true},
		Wanted:    telemetryWants,
	}
	healUses = stream.Uses{
		Topics:    []stream.Use{{Topic: schema.TopicSymbols, Read: true, Write: true}, {Topic: schema.TopicReprocess, Read: true, Write: true}, {Topic: schema.ProcessedTopic(schema.Archived), Read: true}},
		Processed: stream.Use{Read: true}, // to know what is stored: heal/again.go
		Wanted:    clickHouseWants,
	}
	// auditUse is that of pages where somebody can log in, dumpUse that of those with dumps.
	auditUse = stream.Use{Topic: schema.TopicAudit, Read: true, Write: true}
	dumpUse  = stream.Use{Topic: schema.TopicRaw, Read: true}
	// versionUses are of pages that know the versions.
	versionUses = stream.Uses{
		Topics:    []stream.Use{{Topic: schema.TopicRulesets, Read: true}, {Topic: schema.TopicRaw, Read: true}},
		Processed: stream.Use{Read: true},
		Wanted:    clickHouseWants,
	}
	// upUses are all of them in one, so that a warning is given once.
	upUses = stream.Uses{
		Topics: []stream.Use{
			{Topic: schema.TopicRaw, Read: true, Write: true},
			{Topic: schema.TopicReprocess, Read: true, Write: true},
			{Topic: schema.TopicHeal, Read: true, Write: true},
			{Topic: schema.TopicSymbols, Read: true, Write: true},
			{Topic: schema.TopicTelemetry, Read: true, Write: true},
			{Topic: schema.TopicDeadLetter, Read: true, Write: true}, // read by /api/MissingProcessedCrash/
			auditUse,
		},
		Processed: stream.Use{Read: true, Write: true},
		Wanted:    clickHouseWants,
	}
)

// processWants: what is seen, or may come to be, is processed.
func processWants(_ *schema.VersionEvent, v schema.SignatureVersion) bool {
	return v.Processed()
}

// resignWants: what is made from another version's crashes, until the activation changes.
func resignWants(_ *schema.VersionEvent, v schema.SignatureVersion) bool {
	return v.State == schema.StateLive && v.Source == schema.SourceProcessed && v.Base > 0
}

// clickHouseWants: what a version makes is stored; nothing is left to store of one that
// has ended or is archived.
func clickHouseWants(_ *schema.VersionEvent, v schema.SignatureVersion) bool {
	return v.Kept()
}

// telemetryWants: only what is seen is published.
func telemetryWants(state *schema.VersionEvent, v schema.SignatureVersion) bool {
	return v.Kept() && state.Activation.Names(v.Number)
}

// telemetryParts are the versions that are seen, and since when.
func telemetryParts(state *schema.VersionEvent) []stream.Part {
	var parts []stream.Part
	for _, r := range state.Activation.Ranges {
		part := stream.Part{Version: r.SignatureVersion, Epoch: r.Epoch}
		if v := state.Version(part.Version); v != nil && telemetryWants(state, *v) && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return parts
}
