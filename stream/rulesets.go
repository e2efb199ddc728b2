package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// The text of a ruleset lies in crash.rulesets, once, by its hash, and so does that of an
// annotation registry: every event of the versions log names all versions, and would else
// repeat all their texts. Events of older releases hold those of rulesets themselves.

// Ruleset is the text of a version's ruleset.
func Ruleset(ctx context.Context, k Kafka, v *schema.SignatureVersion) ([]schema.RulesetFile, error) {
	if len(v.Ruleset) > 0 {
		return v.Ruleset, nil
	}
	files, err := k.textOf(ctx, v.RulesetHash)
	if err != nil {
		return nil, fmt.Errorf("signature version %d: its ruleset: %w", v.Number, err)
	}
	if files == nil {
		return nil, fmt.Errorf("signature version %d: its ruleset %.12s is not in %s", v.Number, v.RulesetHash, schema.TopicRulesets)
	}
	return files, nil
}

func (k Kafka) eachRuleset(ctx context.Context, each func(*kgo.Record) error) error {
	spans, err := k.committedSpans(ctx, schema.TopicRulesets)
	if err != nil {
		return Named(err, "READ", schema.TopicRulesets, "", "")
	}
	return k.read(ctx, schema.TopicRulesets, spans, maxSilence, data(each))
}

// rulesetRecords are those of an event's rulesets, and of a registry, that the log does not
// hold, and the event without their texts. registry may be nil.
func rulesetRecords(ctx context.Context, k Kafka, e *schema.VersionEvent, registry *schema.Registry) ([]*kgo.Record, *schema.VersionEvent, error) {
	texts := map[string][]schema.RulesetFile{}
	bare := e.Clone()
	for i := range bare.Versions {
		v := &bare.Versions[i]
		if len(v.Ruleset) > 0 {
			texts[v.RulesetHash], v.Ruleset = v.Ruleset, nil
		}
	}
	if registry != nil {
		texts[registry.Hash()] = registry.Files()
	}
	if len(texts) == 0 {
		return nil, bare, nil
	}
	err := k.eachRuleset(ctx, func(r *kgo.Record) error {
		delete(texts, string(r.Key))
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	var records []*kgo.Record
	for _, hash := range slices.Sorted(maps.Keys(texts)) {
		value, err := schema.Encode(&schema.RulesetEvent{Hash: hash, Files: texts[hash]})
		if err != nil {
			return nil, nil, err
		}
		records = append(records, &kgo.Record{Topic: schema.TopicRulesets, Key: []byte(hash), Value: value})
	}
	return records, bare, nil
}
