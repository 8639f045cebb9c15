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
	// MethodOther is the value of rpc.method for an unknown method.
	MethodOther = "_OTHER"
	// OutcomeNone is the value of parley.retry.outcome for a call whose first attempt succeeded.
	OutcomeNone = "none"
	// OutcomeRecovered is the value of parley.retry.outcome for a call whose later attempt succeeded.
	OutcomeRecovered = "recovered"
)

// AttemptPrefix is the prefix of the name of an attempt's span, before the name of the method.
const AttemptPrefix = "Attempt "

// SpanAttributes returns the attributes of spans, in the order of the documentation.
func SpanAttributes() []Attribute {
	all := []string{SpanCall, SpanAttempt, SpanServer}
	return []Attribute{
		{AttrSystem, all, "`grpc`"},
		{AttrMethod, all, "The method, `pkg.Service/Method`; `_OTHER` for a method without a linked .proto."},
		{AttrMethodOriginal, all, "The called name, if `rpc.method` is `_OTHER`."},
		{AttrStatusCode, all, "The gRPC status, `DEADLINE_EXCEEDED`."},
		{AttrErrorType, all, "The gRPC status, only on spans that are errors."},
		{AttrServerAddress, []string{SpanCall, SpanAttempt}, "The host of the configured target, never a resolved address."},
		{AttrServerPort, []string{SpanCall, SpanAttempt}, "The port of the configured target."},
		{
			AttrPeerAddress,
			[]string{SpanAttempt, SpanServer},
			"The address that the attempt reached; on a server, the address of the caller.",
		},
		{AttrPeerPort, []string{SpanAttempt, SpanServer}, "Its port."},
		{AttrPreviousAttempts, []string{SpanAttempt, SpanServer}, "The number of earlier attempts (gRFC A72)."},
		{AttrHedge, []string{SpanAttempt}, "True if another attempt was in flight."},
		{
			AttrDeadline,
			[]string{SpanCall},
			"The deadline of the policy, in seconds, if it is earlier than that of the caller.",
		},
		{AttrAttempts, []string{SpanCall}, "The number of attempts."},
		{AttrRetryOutcome, []string{SpanCall}, "`none` or `recovered` for a call that succeeded, or else the stop reason."},
		{AttrStopReason, []string{SpanCall}, "The reason why there was no further attempt, a `retry.StopReason`."},
		{AttrRetryDelay, []string{SpanCall}, "How long the call waited between attempts, in seconds."},
		{
			AttrAuthReason,
			[]string{SpanServer, SpanCall},
			"The reason of a refusal, as [protocol.md](protocol.md#refusals) lists them.",
		},
		{AttrAuthCause, []string{SpanServer, SpanCall}, "The cause of the refusal. The caller never learns it."},
		{AttrAuthDecided, []string{SpanServer}, "The part of the policy that refused the call."},
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
	LabelConfigSource  = "parley.config.source"
	LabelMemoryType    = "go.memory.type"
	LabelCPUMode       = "cpu.mode"

	// LabelMethodOther is the value of grpc.method for an unknown method.
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
		{Name: LabelMethod, Meaning: "The method; `other` for a method without a linked .proto."},
		{Name: LabelTarget, Meaning: "The configured target of the client."},
		{Name: LabelStatus, Meaning: "The gRPC status of the attempt."},
		{
			Name:    LabelEndpointState,
			Meaning: "`usable`, `resting` after failures, `paused` by a pushback, or `unready` without a connection.",
		},
		{Name: LabelDryRun, Meaning: "`true` if the call was allowed because the policy is on trial."},
		{Name: LabelRole, Meaning: "The role of this process in the connection: `client` or `server`."},
		{Name: LabelOutcome, Meaning: "`proven`, `broken` for a handshake that broke off, or the reason of the refusal."},
		{Name: LabelTrustOf, Meaning: "The source of the keys: the trust directory, or an issuer."},
		{Name: LabelService, Meaning: "The service."},
		{Name: LabelConfigSource, Meaning: "The configuration file, or the name of the policy source."},
		{Name: LabelMemoryType, Meaning: "`stack` or `other`."},
		{Name: LabelCPUMode, Meaning: "`user` or `system`."},
	}
}
