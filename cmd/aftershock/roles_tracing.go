package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"aftershock/stream"
)

// traceFlags are where traces go.
type traceFlags struct {
	OTLPEndpoint string  `name:"otlp-endpoint" placeholder:"URL" help:"Send traces there: OTLP over HTTP, such as http://localhost:4318/v1/traces. Without it, nothing is traced."`
	TraceRatio   float64 `help:"Share of the crashes that is traced; the door decides for all that follows." default:"0.01"`
}

// traceStop is how long the last spans may take to be sent.
const traceStop = 5 * time.Second

// tracing makes and sends spans; a nil one does not.
type tracing struct {
	provider *sdktrace.TracerProvider
	door     trace.Tracer
}

// endpoint is where traces go, or nothing.
func (f traceFlags) endpoint() (string, error) {
	if !(f.TraceRatio >= 0 && f.TraceRatio <= 1) { // nor what is no number
		return "", &usageError{"--trace-ratio: want 0 to 1"}
	}
	if f.OTLPEndpoint == "" {
		return "", nil
	}
	u, err := url.Parse(f.OTLPEndpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return "", &usageError{"--otlp-endpoint: want http[s]://host:port/v1/traces; credentials go into $OTEL_EXPORTER_OTLP_HEADERS"}
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// open returns nil when nothing is to be traced. What cannot be sent is logged and
// dropped: no crash ever waits for it.
func (f traceFlags) open(ctx context.Context, log zerolog.Logger) (*tracing, error) {
	endpoint, err := f.endpoint()
	if err != nil || endpoint == "" {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn().Err(err).Msg("traces not sent") }))
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(f.TraceRatio))),
		// Nothing else of the environment or the machine.
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "aftershock"))),
	)
	return &tracing{provider, provider.Tracer("aftershock")}, nil
}

// stream is what Kafka's clients are told.
func (t *tracing) stream() *stream.Tracing {
	if t == nil {
		return nil
	}
	return stream.NewTracing(t.provider)
}

// close sends what is left.
func (t *tracing) close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), traceStop)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}

// receive begins a trace with every report. Those that clients claim to be part of
// do not count: they would decide how much is traced.
func (t *tracing) receive(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := t.door.Start(r.Context(), "door receive", trace.WithSpanKind(trace.SpanKindServer), trace.WithNewRoot())
		defer span.End()
		answer := &answered{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r.WithContext(ctx))
		span.SetAttributes(attribute.Int("http.response.status_code", answer.status))
	})
}

// answered remembers the status.
type answered struct {
	http.ResponseWriter
	status int
}

// WriteHeader is http.ResponseWriter's.
func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }
