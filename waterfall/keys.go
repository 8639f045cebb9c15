package waterfall

import "go.opentelemetry.io/otel/attribute"

// The names below are those that Parley's tracing gives to its spans.
const (
	attemptPrefix = "Attempt "
	unknownMethod = "grpc"

	keySystem       attribute.Key = "rpc.system.name"
	keyMethod       attribute.Key = "rpc.method"
	keyStatus       attribute.Key = "rpc.status_code"
	keyOlderStatus  attribute.Key = "rpc.response.status_code"
	keyPeerAddress  attribute.Key = "network.peer.address"
	keyPeerPort     attribute.Key = "network.peer.port"
	keyPreviousTry  attribute.Key = "previous-rpc-attempts"
	keyHedge        attribute.Key = "parley.hedge"
	keyDeadline     attribute.Key = "parley.deadline"
	keyAttempts     attribute.Key = "parley.attempts"
	keyRetryOutcome attribute.Key = "parley.retry.outcome"
	keyStopReason   attribute.Key = "parley.retry.stop_reason"
	keyRetryDelay   attribute.Key = "parley.retry.delay"
)

const (
	eventScheduled = "retry.scheduled"

	keyNextAttempt attribute.Key = "next_attempt"
	keyBackoff     attribute.Key = "backoff_s"
	keyCause       attribute.Key = "cause"
	keySource      attribute.Key = "source"
)

// drawn tells whether a field of Call or Attempt already shows the attribute.
func drawn(key attribute.Key) bool {
	switch key {
	case keySystem, keyMethod, keyStatus, keyOlderStatus, keyPeerAddress, keyPeerPort, keyPreviousTry, keyHedge, keyDeadline, keyAttempts,
		keyRetryOutcome, keyStopReason, keyRetryDelay:
		return true
	default:
		return false
	}
}
