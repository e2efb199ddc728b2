package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// The text of a ruleset lies in crash.rulesets, once, by its hash: every event of the
// versions log names all versions, and would else repeat all their rulesets. Events of
// older releases hold the texts themselves.

// Ruleset is the text of a version's ruleset.
func Ruleset(ctx context.Context, k Kafka, v *schema.SignatureVersion) ([]schema.RulesetFile, error) {
	if len(v.Ruleset) > 0 {
		return v.Ruleset, nil
	}
	var files []schema.RulesetFile
	err := k.eachRuleset(ctx, func(r *kgo.Record) error {
		if string(r.Key) != v.RulesetHash {
			return nil
		}
		event, err := schema.Decode[schema.RulesetEvent](r.Value)
		if err != nil {
			return err
		}
		files = event.Files
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
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

// rulesetRecords are those of an event's rulesets that the log does not hold, and the event
// without their texts.
func rulesetRecords(ctx context.Context, k Kafka, e *schema.VersionEvent) ([]*kgo.Record, *schema.VersionEvent, error) {
	texts := map[string][]schema.RulesetFile{}
	bare := e.Clone()
	for i := range bare.Versions {
		if v := &bare.Versions[i]; len(v.Ruleset) > 0 {
			texts[v.RulesetHash], v.Ruleset = v.Ruleset, nil
		}
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
