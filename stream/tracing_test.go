package stream_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"aftershock/schema"
	"aftershock/stream"
	"aftershock/stream/streamtest"
)

// A process span says what came of a record in codes, never an error's text or a
// key that is no crash id.
func TestProcessSpansSayWhatCameOfARecord(t *testing.T) {
	t.Parallel()
	k, _ := streamtest.Broker(t, 1, "in", "out", schema.TopicDeadLetter)
	spans := tracetest.NewSpanRecorder()
	k.Tracing = stream.NewTracing(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	tr := copying(k)
	good, failing := tr.Work, true
	tr.Work = func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		switch {
		case string(in.Key) == "canary-dead":
			return []*kgo.Record{stream.DeadLetter(in, schema.DeadProcess, "test", 1)}, nil
		case string(in.Key) == "canary-again" && failing:
			failing = false
			return nil, &stream.PassingError{Err: errors.New("canary")}
		case string(in.Key) == "canary-none":
			return nil, nil
		}
		return good(ctx, in)
	}
	tr.Workers = 1
	const id = "0bba929f-8721-460c-8e70-a43c95261123"
	put(t, k, "in", "canary-dead", "canary-again", "canary-none", id)
	stop := run(t, tr)
	out := streamtest.Committed(t, k, "out", 2)
	dead := streamtest.Committed(t, k, schema.TopicDeadLetter, 1)
	stop()

	var outcomes, keys []string
	traces := map[string]bool{}
	for _, s := range spans.Ended() {
		if s.Name() == "in process" {
			traces["00-"+s.SpanContext().TraceID().String()] = true
		}
		for _, a := range s.Attributes() {
			switch text := a.Value.String(); a.Key {
			case "aftershock.outcome", "aftershock.class":
				outcomes = append(outcomes, text)
			case "messaging.kafka.message.key":
				keys = append(keys, text)
			}
		}
		if s.Status().Description != "" || len(s.Events()) > 0 {
			t.Errorf("%s says %q", s.Name(), s.Status().Description)
		}
	}
	slices.Sort(outcomes)
	if want := []string{"dead_letter", "done", "done", "failed", "nothing", schema.DeadProcess}; !slices.Equal(outcomes, want) {
		t.Errorf("outcomes %q, want %q", outcomes, want)
	}
	if slices.ContainsFunc(keys, func(key string) bool { return key != id }) || len(keys) == 0 {
		t.Errorf("keys %q", keys)
	}
	for _, r := range append(out, dead...) {
		parent := ""
		for _, h := range r.Headers {
			if h.Key == "traceparent" {
				parent = string(h.Value)
			}
		}
		if len(parent) < 35 || !traces[parent[:35]] {
			t.Errorf("%s in %s belongs to %q, which is no trace of a record", r.Key, r.Topic, parent)
		}
	}
}
