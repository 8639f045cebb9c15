package telemetry

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Option changes how telemetry is set up. An option prints itself.
type Option interface {
	fmt.Stringer
	apply(*config)
}

type config struct {
	lookup        func(string) (string, bool)
	processors    []sdktrace.SpanProcessor
	keepUnsampled bool
	attributes    []attribute.KeyValue
	logger        *slog.Logger
}

type option struct {
	text string
	set  func(*config)
}

func (o option) String() string  { return o.text }
func (o option) apply(c *config) { o.set(c) }

// WithSpanProcessor shows every recorded span to p, in this process, beside the export. It may be given
// several times. Shutdown stops p.
func WithSpanProcessor(p sdktrace.SpanProcessor) Option {
	return option{
		fmt.Sprintf("telemetry.WithSpanProcessor(%T)", p),
		func(c *config) { c.processors = append(c.processors, p) },
	}
}

// WithKeepUnsampled records also what is not sampled, so that span processors of this process see every span, while
// exporters still get only what is sampled. It is meant for development: each call then costs what a sampled one costs.
// Default: what is not sampled is not recorded.
func WithKeepUnsampled() Option {
	return option{"telemetry.WithKeepUnsampled()", func(c *config) { c.keepUnsampled = true }}
}

// WithAttributes describes the service further, beside its name: its version, say. Default: nothing.
// OTEL_RESOURCE_ATTRIBUTES overrides what is given here.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	var names []string
	for _, a := range attributes {
		names = append(names, string(a.Key))
	}
	return option{
		"telemetry.WithAttributes(" + strings.Join(names, ", ") + ")",
		func(c *config) { c.attributes = append(c.attributes, attributes...) },
	}
}

// WithLogger logs when sending begins to fail and when it works again. Default: OpenTelemetry's error handler is told
// of each failure.
func WithLogger(l *slog.Logger) Option {
	return option{"telemetry.WithLogger", func(c *config) { c.logger = l }}
}

// WithLookupEnv reads variables through lookup, which is called as os.LookupEnv is. Default: os.LookupEnv.
func WithLookupEnv(lookup func(name string) (string, bool)) Option {
	return option{"telemetry.WithLookupEnv", func(c *config) { c.lookup = lookup }}
}

// WithEnviron reads variables from environ, entries "KEY=value" as os.Environ returns them; the last of a name counts.
// Default: os.LookupEnv.
func WithEnviron(environ []string) Option {
	return option{"telemetry.WithEnviron", func(c *config) {
		c.lookup = func(name string) (string, bool) {
			for _, entry := range slices.Backward(environ) {
				if key, value, ok := strings.Cut(entry, "="); ok && key == name {
					return value, true
				}
			}
			return "", false
		}
	}}
}
