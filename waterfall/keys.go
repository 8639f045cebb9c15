package waterfall

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// The names of Parley's tracing, as keys.
const (
	keySystem       attribute.Key = vocabulary.AttrSystem
	keyMethod       attribute.Key = vocabulary.AttrMethod
	keyStatus       attribute.Key = vocabulary.AttrStatusCode
	keyOlderStatus  attribute.Key = "rpc.response.status_code" // of the conventions before 1.45
	keyPeerAddress  attribute.Key = vocabulary.AttrPeerAddress
	keyPeerPort     attribute.Key = vocabulary.AttrPeerPort
	keyPreviousTry  attribute.Key = vocabulary.AttrPreviousAttempts
	keyHedge        attribute.Key = vocabulary.AttrHedge
	keyDeadline     attribute.Key = vocabulary.AttrDeadline
	keyAttempts     attribute.Key = vocabulary.AttrAttempts
	keyRetryOutcome attribute.Key = vocabulary.AttrRetryOutcome
	keyStopReason   attribute.Key = vocabulary.AttrStopReason
	keyRetryDelay   attribute.Key = vocabulary.AttrRetryDelay

	keyNextAttempt attribute.Key = vocabulary.AttrNextAttempt
	keyBackoff     attribute.Key = vocabulary.AttrBackoff
	keyCause       attribute.Key = vocabulary.AttrCause
	keySource      attribute.Key = vocabulary.AttrSource
)

// drawn reports whether a field of Call or Attempt already shows the attribute.
func drawn(key attribute.Key) bool {
	switch key {
	case keySystem, keyMethod, keyStatus, keyOlderStatus, keyPeerAddress, keyPeerPort, keyPreviousTry, keyHedge,
		keyDeadline, keyAttempts,
		keyRetryOutcome, keyStopReason, keyRetryDelay:
		return true
	default:
		return false
	}
}
