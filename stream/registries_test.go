package stream_test

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

func TestARegistryIsKeptWithTheVersionThatBegins(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicVersions, schema.TopicRulesets)
	own := schema.DefaultRegistry
	other, err := own.With([]byte("- {name: GameLevel, type: word, class: public, description: d}"))
	if err != nil {
		t.Fatal(err)
	}
	before := stream.NewRegistries(k, own)
	if r, err := before.Of(t.Context(), own.Hash()); err != nil || r != own {
		t.Error("its own registry is not at hand", err)
	}
	if _, err := before.Of(t.Context(), other.Hash()); !errors.Is(err, stream.ErrNoRegistry) {
		t.Error(err)
	}
	if shown, err := before.Shown(t.Context(), "of a release that kept none"); err != nil || shown != own {
		t.Error(shown, err)
	}
	for range 2 { // the second time it is there
		_, err = stream.OperateWith(t.Context(), k, func(now *schema.VersionEvent) (stream.Operation, error) {
			if now == nil {
				now = &schema.VersionEvent{}
			}
			e := now.Clone()
			e.Versions = append(e.Versions, schema.SignatureVersion{Number: int32(len(e.Versions) + 1), RegistryHash: other.Hash()})
			return stream.Operation{Event: e, Registry: other}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(streamtest.Committed(t, k, schema.TopicRulesets, 1)); n != 1 {
		t.Errorf("%d texts", n)
	}
	after := stream.NewRegistries(k, own)
	if after.Known(other.Hash()) != nil {
		t.Error("known before anybody asked")
	}
	got, err := after.Of(t.Context(), other.Hash())
	if err != nil || got.Hash() != other.Hash() || !got.Public("GameLevel", "Forest") || after.Known(other.Hash()) != got || after.Own() != own {
		t.Fatal(err)
	}
	shown, err := after.Shown(t.Context(), other.Hash())
	if again, _ := after.Shown(t.Context(), other.Hash()); err != nil || !shown.Public("GameLevel", "Forest") || again != shown {
		t.Error(err)
	}
}

// A text that is not what its key says is nobody's registry.
func TestATextOfAnotherHashIsNoRegistry(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, schema.TopicRulesets)
	for key, text := range map[string]string{"other": "[]", "broken": "]"} {
		value, err := schema.Encode(&schema.RulesetEvent{Hash: key, Files: []schema.RulesetFile{{Name: "annotations.yaml", Text: text}}})
		if err != nil {
			t.Fatal(err)
		}
		streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicRulesets, Key: []byte(key), Value: value})
	}
	for _, key := range []string{"other", "broken"} {
		if r, err := stream.NewRegistries(k, schema.DefaultRegistry).Of(t.Context(), key); err == nil || errors.Is(err, stream.ErrNoRegistry) {
			t.Error(key, r, err)
		}
	}
}
