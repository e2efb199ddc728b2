package replay

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"aftershock/schema"
	"aftershock/signature"
	"aftershock/stream/streamtest"
)

// Why a crash has its signature is told by the rules of its own version, and what another's make
// of the same stack beside it.
func TestWhyIsToldByTheVersionsOwnRules(t *testing.T) {
	t.Parallel()
	ruleset := func(prefixes string) *signature.Ruleset {
		r, err := signature.FromFiles(map[string]string{"prefix_signature_re.txt": prefixes})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	was, is := ruleset("abort\n"), ruleset("abort\nhelper\n")
	topic := schema.ProcessedTopic(1)
	k, _ := streamtest.Broker(t, 1, topic, schema.TopicVersions, schema.TopicRulesets)
	crash := signed(t, 1, was, "abort", "helper", "f")
	value, err := schema.Encode(crash)
	if err != nil {
		t.Fatal(err)
	}
	event, err := schema.Encode(&schema.VersionEvent{
		At: noon,
		Versions: []schema.SignatureVersion{
			{Number: 1, State: schema.StateLive, RulesetHash: was.Hash(), Ruleset: files(was)},
			{Number: 2, State: schema.StateLive, RulesetHash: is.Hash(), Ruleset: files(is)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	streamtest.Put(t, k, &kgo.Record{Topic: schema.TopicVersions, Value: event}, &kgo.Record{Topic: topic, Key: []byte(crash.CrashID), Value: value})
	e := &Explainer{Kafka: k, Versions: streamtest.Following(t, k)}
	for range 2 { // with rules that are read, and with those that are kept
		why, err := e.Why(t.Context(), schema.Position{Topic: topic}, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		if why[0].Signature != crash.Signature || why[0].Signature != "abort | helper" || why[1].Signature != "abort | helper | f" || len(why[0].Frames) != 3 {
			t.Errorf("%+v", why)
		}
		steps := why[1].Steps
		if len(steps) < 3 || steps[1].Kind != signature.StepPrefix || steps[1].Line.Number != 2 || steps[1].Line.File != "prefix_signature_re.txt" {
			t.Errorf("%+v", steps)
		}
	}
	if _, err := e.Why(t.Context(), schema.Position{Topic: topic, Offset: 99}, 1); !errors.Is(err, ErrNoWhy) {
		t.Errorf("a crash that is gone: %v", err)
	}
	if _, err := e.Why(t.Context(), schema.Position{Topic: topic}, 3); !errors.Is(err, ErrNoWhy) {
		t.Errorf("a version that there is not: %v", err)
	}
}
