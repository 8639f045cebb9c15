package vocabulary

// Attributes of spans, some of them of metrics, too.
const (
	AttrSystem         = "rpc.system.name"
	AttrMethod         = "rpc.method"
	AttrMethodOriginal = "rpc.method_original"
	AttrStatusCode     = "rpc.status_code"
	AttrErrorType      = "error.type"
	AttrServerAddress  = "server.address"
	AttrServerPort     = "server.port"
	AttrPeerAddress    = "network.peer.address"
	AttrPeerPort       = "network.peer.port"

	AttrPreviousAttempts = "previous-rpc-attempts"

	AttrHedge        = "parley.hedge"
	AttrDeadline     = "parley.deadline"
	AttrAttempts     = "parley.attempts"
	AttrRetryOutcome = "parley.retry.outcome"
	AttrStopReason   = "parley.retry.stop_reason"
	AttrRetryDelay   = "parley.retry.delay"

	AttrAuthReason  = "parley.auth.reason"
	AttrAuthCause   = "parley.auth.cause"
	AttrAuthDecided = "parley.auth.decided"
)

// Values of attributes of spans.
const (
	// SystemGRPC is the value of rpc.system.name.
	SystemGRPC = "grpc"
	// MethodOther is the value of rpc.method for a method that is not known.
	MethodOther = "_OTHER"
	// OutcomeNone is the value of parley.retry.outcome for a call whose first attempt succeeded.
	OutcomeNone = "none"
	// OutcomeRecovered is the value of parley.retry.outcome for a call whose later attempt succeeded.
	OutcomeRecovered = "recovered"
)

// AttemptPrefix stands before the name of the method in the name of the span of an attempt.
const AttemptPrefix = "Attempt "

// SpanAttributes returns the attributes of spans, in the order of the documentation.
func SpanAttributes() []Attribute {
	all := []string{SpanCall, SpanAttempt, SpanServer}
	return []Attribute{
		{AttrSystem, all, "`grpc`"},
		{AttrMethod, all, "The method, `pkg.Service/Method`; `_OTHER` for one that no linked .proto describes."},
		{AttrMethodOriginal, all, "The name that was called, where `rpc.method` is `_OTHER`."},
		{AttrStatusCode, all, "The gRPC status, `DEADLINE_EXCEEDED`."},
		{AttrErrorType, all, "The gRPC status, only on spans that are errors."},
		{AttrServerAddress, []string{SpanCall, SpanAttempt}, "The host of the configured target, never a resolved address."},
		{AttrServerPort, []string{SpanCall, SpanAttempt}, "The port of the configured target."},
		{
			AttrPeerAddress,
			[]string{SpanAttempt, SpanServer},
			"The address that the attempt reached; on a server, where the call came from.",
		},
		{AttrPeerPort, []string{SpanAttempt, SpanServer}, "Its port."},
		{AttrPreviousAttempts, []string{SpanAttempt, SpanServer}, "How many attempts came before (gRFC A72)."},
		{AttrHedge, []string{SpanAttempt}, "True where another attempt was still out."},
		{
			AttrDeadline, []string{SpanCall},
			"The deadline of the policy, in seconds, where it comes before that of the caller.",
		},
		{AttrAttempts, []string{SpanCall}, "How many attempts were made."},
		{AttrRetryOutcome, []string{SpanCall}, "`none` or `recovered` for a call that succeeded, or else the stop reason."},
		{AttrStopReason, []string{SpanCall}, "The one reason for no further attempt, as `retry.StopReason` names it."},
		{AttrRetryDelay, []string{SpanCall}, "How long the call waited between attempts, in seconds."},
		{
			AttrAuthReason,
			[]string{SpanServer, SpanCall},
			"The reason of a refusal, as [protocol.md](protocol.md#refusals) lists them.",
		},
		{AttrAuthCause, []string{SpanServer, SpanCall}, "Why it was refused. The caller never learns it."},
		{AttrAuthDecided, []string{SpanServer}, "The statement of the policy that refused."},
	}
}

// Labels are attributes that only metrics have.
const (
	LabelMethod        = "grpc.method"
	LabelTarget        = "grpc.target"
	LabelStatus        = "grpc.status"
	LabelEndpointState = "parley.endpoint.state"
	LabelDryRun        = "parley.auth.dry_run"
	LabelRole          = "parley.auth.role"
	LabelOutcome       = "parley.auth.outcome"
	LabelTrustOf       = "parley.auth.trust.of"
	LabelService       = "parley.discovery.service"
	LabelMemoryType    = "go.memory.type"
	LabelCPUMode       = "cpu.mode"

	// LabelMethodOther is the value of grpc.method for a method that is not known.
	LabelMethodOther = "other"
)

// States of endpoints, the values of parley.endpoint.state.
const (
	EndpointUsable  = "usable"
	EndpointResting = "resting"
	EndpointPaused  = "paused"
	EndpointUnready = "unready"
)

// Labels returns the attributes that only metrics have, in the order of the documentation.
func Labels() []Attribute {
	return []Attribute{
		{Name: LabelMethod, Meaning: "The method; `other` for one that no linked .proto describes."},
		{Name: LabelTarget, Meaning: "The configured target of the client."},
		{Name: LabelStatus, Meaning: "The gRPC status of the attempt."},
		{
			Name:    LabelEndpointState,
			Meaning: "`usable`, `resting` after failures, `paused` by the server, or `unready`: without a connection.",
		},
		{Name: LabelDryRun, Meaning: "`true` where the call passed because the policy is only on trial."},
		{Name: LabelRole, Meaning: "This process' part in the connection: `client` or `server`."},
		{Name: LabelOutcome, Meaning: "`proven`, `broken` for a handshake that broke off, or the reason of the refusal."},
		{Name: LabelTrustOf, Meaning: "Whose keys: the trust directory, or an issuer."},
		{Name: LabelService, Meaning: "The service that is looked up."},
		{Name: LabelMemoryType, Meaning: "`stack` or `other`."},
		{Name: LabelCPUMode, Meaning: "`user` or `system`."},
	}
}
