package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
)

// ErrNoRegistry is wrapped by the error about an annotation registry that nobody has: its
// version was begun by a release that did not store it.
var ErrNoRegistry = errors.New("the annotation registry is not in " + schema.TopicRulesets)

// Registries are the annotation registries of signature versions, by hash: this process's own,
// and those whose texts lie in crash.rulesets. It is safe for concurrent use.
type Registries struct {
	kafka Kafka
	own   *schema.Registry

	mu    sync.Mutex
	known map[string]*schema.Registry
	shown map[string]*schema.Registry
}

// NewRegistries returns registries with that of this process.
func NewRegistries(k Kafka, own *schema.Registry) *Registries {
	return &Registries{kafka: k, own: own, known: map[string]*schema.Registry{own.Hash(): own}, shown: map[string]*schema.Registry{}}
}

// Own is that of this process.
func (r *Registries) Own() *schema.Registry { return r.own }

// Known is a registry that was asked for before, or nil.
func (r *Registries) Known(hash string) *schema.Registry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[hash]
}

// Of returns the registry with a hash. Errors wrap ErrNoRegistry when there is none.
func (r *Registries) Of(ctx context.Context, hash string) (*schema.Registry, error) {
	if known := r.Known(hash); known != nil {
		return known, nil
	}
	files, err := r.kafka.textOf(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("annotation registry %.12s: %w", hash, err)
	}
	if files == nil {
		return nil, fmt.Errorf("annotation registry %.12s: %w", hash, ErrNoRegistry)
	}
	registry, err := schema.RegistryFromFiles(files)
	if err == nil && registry.Hash() != hash {
		err = fmt.Errorf("its text has hash %.12s", registry.Hash())
	}
	if err != nil {
		return nil, fmt.Errorf("annotation registry %.12s: %w", hash, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[hash] = registry
	return registry, nil
}

// Shown is the registry by which sinks show what was made with the one of a hash: this
// process's own, and of annotations that it does not know that one. A registry that nobody
// has adds nothing.
func (r *Registries) Shown(ctx context.Context, hash string) (*schema.Registry, error) {
	r.mu.Lock()
	shown := r.shown[hash]
	r.mu.Unlock()
	if shown != nil {
		return shown, nil
	}
	of, err := r.Of(ctx, hash)
	switch {
	case errors.Is(err, ErrNoRegistry):
		shown = r.own
	case err != nil:
		return nil, err
	default:
		shown = r.own.Over(of)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shown[hash] = shown
	return shown, nil
}

// textOf returns the files under a hash in crash.rulesets, nil for none.
func (k Kafka) textOf(ctx context.Context, hash string) (files []schema.RulesetFile, err error) {
	err = k.eachRuleset(ctx, func(r *kgo.Record) error {
		if string(r.Key) != hash {
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
		return nil, err
	}
	return files, nil
}
