package tracing

// Names of the semantic conventions for RPC, version 1.45.
const (
	schemaURL = "https://opentelemetry.io/schemas/1.45.0"

	attrSystem         = "rpc.system.name"
	attrMethod         = "rpc.method"
	attrMethodOriginal = "rpc.method_original"
	attrStatus         = "rpc.status_code"
	attrErrorType      = "error.type"
	attrServerAddress  = "server.address"
	attrServerPort     = "server.port"
	attrPeerAddress    = "network.peer.address"
	attrPeerPort       = "network.peer.port"

	systemGRPC    = "grpc"
	unknownMethod = "_OTHER"

	metricCallDuration   = "rpc.client.call.duration"
	metricServerDuration = "rpc.server.call.duration"
)

// Names of gRPC's own conventions: gRFC A66 for metrics, A72 for spans.
const (
	attrPreviousAttempts = "previous-rpc-attempts"

	metricAttemptStarted  = "grpc.client.attempt.started"
	metricAttemptDuration = "grpc.client.attempt.duration"

	labelMethod = "grpc.method"
	labelTarget = "grpc.target"
	labelStatus = "grpc.status"

	unknownMethodLabel = "other"

	previousAttemptsHeader = "grpc-previous-rpc-attempts"
)

// Names of Parley.
const (
	scopeName = "github.com/parley-rpc/parley/interceptors/tracing"

	attrAttempts = "parley.attempts"
	attrHedge    = "parley.hedge"

	attemptPrefix = "Attempt "
)

// Headers of W3C Trace Context and Baggage.
const (
	traceparentHeader = "traceparent"
	tracestateHeader  = "tracestate"
	baggageHeader     = "baggage"
)

// Attributes of a log record.
const (
	logTraceID = "trace_id"
	logSpanID  = "span_id"
)
