package tracing

// Names that stand here alone; all others are in package vocabulary.
const (
	schemaURL = "https://opentelemetry.io/schemas/1.45.0"
	scopeName = "github.com/parley-rpc/parley/interceptors/tracing"

	previousAttemptsHeader = "grpc-previous-rpc-attempts"
)

// Headers of W3C Trace Context and Baggage.
const (
	traceparentHeader = "traceparent"
	tracestateHeader  = "tracestate"
	baggageHeader     = "baggage"
)
