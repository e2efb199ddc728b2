package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stream"
)

// Explainer tells why crashes have their signatures. It keeps the rulesets of the versions
// that it was asked about last, and is safe for concurrent use.
type Explainer struct {
	Kafka stream.Kafka
	// Versions has the versions, with the hash of each one's ruleset.
	Versions *stream.Following

	mu       sync.Mutex
	rulesets map[string]*signature.Ruleset // by hash
}

// keptRulesets are kept by an Explainer: a ruleset with its caches is a few MiB.
const keptRulesets = 4

// Why is how the rules of a version come to a crash's signature.
type Why struct {
	Version   int32  `json:"version"`
	Signature string `json:"signature"`
	// Frames are those of the proto-signature, normalised, from the top; Steps index them.
	Frames []string         `json:"frames"`
	Steps  []signature.Step `json:"steps"`
	Notes  []string         `json:"notes,omitempty"`
}

// ErrNoWhy is wrapped by errors about what cannot be explained any more, in words for people.
var ErrNoWhy = errors.New("it cannot be told any more")

// Why signs the processed crash at a position once more, with the rules of each of the versions:
// the stack is the one that was walked for it, and only the rules differ.
func (e *Explainer) Why(ctx context.Context, at schema.Position, versions ...int32) (out []Why, err error) {
	state := e.Versions.Newest()
	if state == nil {
		return nil, fmt.Errorf("%w: the versions log has not come", ErrNoWhy)
	}
	r, err := stream.RawAt(ctx, e.Kafka, at)
	if errors.Is(err, stream.ErrGone) {
		return nil, fmt.Errorf("%w: the processed crash is gone from %s", ErrNoWhy, at.Topic)
	} else if err != nil {
		return nil, err
	}
	processed, err := schema.Decode[schema.ProcessedCrash](r.Value)
	if err != nil {
		return nil, fmt.Errorf("%s partition %d offset %d: %w", at.Topic, at.Partition, at.Offset, err)
	}
	crash := signature.FromProcessed(processed)
	for _, n := range versions {
		rules, err := e.rules(ctx, state, n)
		if err != nil {
			return nil, err
		}
		result := rules.Explain(crash)
		w := Why{Version: n, Signature: result.Signature, Steps: result.Why, Notes: result.Notes}
		if result.ProtoSignature != "" {
			w.Frames = strings.Split(result.ProtoSignature, " | ")
		}
		out = append(out, w)
	}
	return out, nil
}

// Seen is the version that is seen of crashes which come at a time; 0 when the log has not come.
func (e *Explainer) Seen(now time.Time) int32 {
	state := e.Versions.Newest()
	if state == nil {
		return 0
	}
	return state.Activation.Seen(now)
}

// Rules are a version's. The error wraps ErrNoWhy when there is no such version.
func (e *Explainer) Rules(ctx context.Context, n int32) (*signature.Ruleset, error) {
	state := e.Versions.Newest()
	if state == nil {
		return nil, fmt.Errorf("%w: the versions log has not come", ErrNoWhy)
	}
	return e.rules(ctx, state, n)
}

// rules are a version's.
func (e *Explainer) rules(ctx context.Context, state *schema.VersionEvent, n int32) (*signature.Ruleset, error) {
	v := state.Version(n)
	if v == nil {
		return nil, fmt.Errorf("%w: there is no signature version %d", ErrNoWhy, n)
	}
	e.mu.Lock()
	kept := e.rulesets[v.RulesetHash]
	e.mu.Unlock()
	if kept != nil {
		return kept, nil
	}
	rules, err := RulesetOf(ctx, e.Kafka, v)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.rulesets) >= keptRulesets || e.rulesets == nil {
		e.rulesets = map[string]*signature.Ruleset{}
	}
	e.rulesets[v.RulesetHash] = rules
	return rules, nil
}
