package stream

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"aftershock/schema"
)

// Tracing makes spans of what happens to records: a publish, a receive, and a
// process span for each piece of work. They say topics, offsets, crash ids and
// codes, and nothing of a crash. Who is whose parent travels in the header
// traceparent. A nil *Tracing traces nothing; it is safe for concurrent use.
type Tracing struct{ kafka *kotel.Tracer }

// NewTracing makes spans with the provider.
func NewTracing(provider trace.TracerProvider) *Tracing {
	return &Tracing{kotel.NewTracer(
		kotel.TracerProvider(provider),
		kotel.TracerPropagator(propagation.TraceContext{}), // no baggage: it could hold anything
		kotel.ClientID(clientID),
		kotel.KeyFormatter(func(r *kgo.Record) (string, error) { // of foreign records it could be anything, too
			_, err := schema.CrashDay(string(r.Key))
			return string(r.Key), err
		}),
	)}
}

// hook makes clients tell t.
func (t *Tracing) hook() []kgo.Opt {
	if t == nil {
		return nil
	}
	return []kgo.Opt{kgo.WithHooks(t.kafka)}
}

// around makes a span of each call of work, with what came of it. What is made
// of the record belongs to the span.
func (t *Tracing) around(group string, work workFunc) workFunc {
	if t == nil {
		return work
	}
	return func(ctx context.Context, in *kgo.Record) ([]*kgo.Record, error) {
		parent, span := t.kafka.WithProcessSpan(in)
		defer span.End()
		span.SetAttributes(attribute.String("aftershock.group", group))
		out, err := work(trace.ContextWithSpan(ctx, span), in)
		outcome := "done"
		switch {
		case err != nil: // its text may name anything
			outcome = "failed"
			span.SetStatus(codes.Error, "")
		case isDead(out):
			outcome = "dead_letter"
			span.SetAttributes(attribute.String("aftershock.class", headerOf(out[0], HeaderClass)))
			span.SetStatus(codes.Error, "")
		case len(out) == 0:
			outcome = "nothing"
		}
		span.SetAttributes(attribute.String("aftershock.outcome", outcome))
		for _, r := range out {
			// A record's context also cancels it: work's ends before it is produced.
			r.Context = context.WithoutCancel(parent)
		}
		return out, err
	}
}

func headerOf(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
