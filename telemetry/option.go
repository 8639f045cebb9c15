package telemetry

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Option configures telemetry. Its String method returns the Go expression that made it.
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

// WithSpanProcessor adds a span processor, which gets every recorded span in addition to the export. The option may be
// used several times. Shutdown stops p.
func WithSpanProcessor(p sdktrace.SpanProcessor) Option {
	return option{
		fmt.Sprintf("telemetry.WithSpanProcessor(%T)", p),
		func(c *config) { c.processors = append(c.processors, p) },
	}
}

// WithKeepUnsampled also records spans that are not sampled, so that span processors get every span. Exporters still
// get only sampled spans. It is for development, because each call then costs as much as a sampled one. By default only
// sampled spans are recorded.
func WithKeepUnsampled() Option {
	return option{"telemetry.WithKeepUnsampled()", func(c *config) { c.keepUnsampled = true }}
}

// WithAttributes adds attributes of the service, such as its version. By default there are none.
// OTEL_RESOURCE_ATTRIBUTES overrides them.
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

// WithLogger sets the logger, which logs when sending starts to fail and when it works again. By default
// OpenTelemetry's error handler gets each failure.
func WithLogger(l *slog.Logger) Option {
	return option{"telemetry.WithLogger", func(c *config) { c.logger = l }}
}

// WithLookupEnv sets the function that looks variables up. The default is os.LookupEnv.
func WithLookupEnv(lookup func(name string) (string, bool)) Option {
	return option{"telemetry.WithLookupEnv", func(c *config) { c.lookup = lookup }}
}

// WithEnviron sets the environment, as entries "KEY=value" like those of os.Environ. The last entry of a name applies.
// The default is os.LookupEnv.
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
