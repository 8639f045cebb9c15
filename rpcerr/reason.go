// Package rpcerr has the information that Parley's packages exchange in gRPC statuses: the reason of a refusal, and
// facts about one hop that must not be passed on.
//
// Match a [Reason] with errors.Is on the side that made the error, and with [ReasonOf] on the side that received it:
//
//	if errors.Is(err, rpcerr.CredentialsExpired) { ... }      // made in this process
//	if rpcerr.ReasonOf(err) == rpcerr.CredentialsExpired { }   // made anywhere
package rpcerr

import (
	"slices"

	"google.golang.org/grpc/codes"
)

// Reason is the public reason for which Parley refused a call. It is sent as the reason of a google.rpc.ErrorInfo with
// the domain [Domain]. A Reason is an error so that errors.Is can match it.
type Reason string

// Domain is the domain of every google.rpc.ErrorInfo that Parley makes.
const Domain = "parley"

// The closed set of reasons.
const (
	// The call carried no credential. UNAUTHENTICATED.
	CredentialsMissing Reason = "CREDENTIALS_MISSING"
	// The call's credential is invalid. UNAUTHENTICATED.
	CredentialsInvalid Reason = "CREDENTIALS_INVALID"
	// The credential has expired. UNAUTHENTICATED.
	CredentialsExpired Reason = "CREDENTIALS_EXPIRED"
	// The credential is not valid yet, because the clocks differ. UNAUTHENTICATED.
	CredentialsNotYetValid Reason = "CREDENTIALS_NOT_YET_VALID"
	// The server did not prove its identity. UNAUTHENTICATED, decided by the client.
	ServerProofMissing Reason = "SERVER_PROOF_MISSING"
	// The server's proof is invalid. UNAUTHENTICATED, decided by the client.
	ServerProofInvalid Reason = "SERVER_PROOF_INVALID"
	// The server proved an identity that is not the expected one. UNAUTHENTICATED, decided by the client.
	ServerIdentityMismatch Reason = "SERVER_IDENTITY_MISMATCH"
	// The method requires a proof that the caller holds its key, and the call has none. UNAUTHENTICATED.
	ProofRequired Reason = "PROOF_REQUIRED"
	// The call carries a proof that was used before. UNAUTHENTICATED.
	ProofReplayed Reason = "PROOF_REPLAYED"
	// No token is available now. UNAVAILABLE, decided by the client.
	TokenSourceUnavailable Reason = "TOKEN_SOURCE_UNAVAILABLE"
	// The keys to verify a credential are not available now. UNAVAILABLE.
	KeysUnavailable Reason = "KEYS_UNAVAILABLE"
	// Too many credentials wait for verification. RESOURCE_EXHAUSTED.
	AuthOverloaded Reason = "AUTH_OVERLOADED"
	// The caller has proven its identity and may not do this. PERMISSION_DENIED.
	PolicyDenied Reason = "POLICY_DENIED"
	// The caller has proven its identity, and only scopes or claims of its token or of the end user's token are missing.
	// PERMISSION_DENIED. Servers use this reason only if it is enabled.
	InsufficientScope Reason = "INSUFFICIENT_SCOPE"
	// The credential of the connection has expired. A new connection works. UNAVAILABLE.
	ConnectionExpired Reason = "CONNECTION_EXPIRED"
	// The connection or the stream ends as planned: it has reached its maximum age, the server stops, or a key was
	// renewed. The client may continue on a new connection at once. UNAVAILABLE. This is not a refusal.
	PlannedEnd Reason = "PLANNED_END"
	// The program's configuration has mistakes, which App.Check returns. FAILED_PRECONDITION, decided by the client.
	ConfigurationInvalid Reason = "CONFIGURATION_INVALID"
)

func (r Reason) Error() string { return string(r) }

// Code returns the status code of refusals for this reason. It returns codes.Unknown for an unknown reason.
func (r Reason) Code() codes.Code { return r.entry().code }

// Message returns the default public message of refusals for this reason, or "" for an unknown reason. It does not
// depend on the reason why a credential was refused.
func (r Reason) Message() string { return r.entry().message }

// Meaning returns one sentence about when this reason is used, or "" for an unknown reason.
func (r Reason) Meaning() string { return r.entry().meaning }

// Reasons returns the closed set of reasons.
func Reasons() []Reason {
	table := reasons()
	list := make([]Reason, len(table))
	for i := range table {
		list[i] = table[i].reason
	}
	return list
}

// entry is one reason with what belongs to it.
type entry struct {
	reason           Reason
	code             codes.Code
	message, meaning string
}

func (r Reason) entry() entry {
	table := reasons()
	if i := slices.IndexFunc(table[:], func(e entry) bool { return e.reason == r }); i >= 0 {
		return table[i]
	}
	return entry{reason: r, code: codes.Unknown}
}

// reasons is the table. It is an array, so that a refusal looks up its reason without an allocation.
func reasons() [17]entry {
	return [...]entry{
		{
			CredentialsMissing, codes.Unauthenticated, "the call carries no credential",
			"The call carried no credential.",
		}, {
			CredentialsInvalid, codes.Unauthenticated, "the credential does not hold",
			"The call's credential is invalid.",
		}, {
			CredentialsExpired, codes.Unauthenticated, "the credential has ended",
			"The credential has expired.",
		}, {
			CredentialsNotYetValid, codes.Unauthenticated, "the credential is not valid yet",
			"The credential is not valid yet, because the clocks differ.",
		}, {
			ServerProofMissing, codes.Unauthenticated, "the server did not prove its identity; it may not speak Parley",
			"The server did not prove its identity. The client refuses.",
		}, {
			ServerProofInvalid, codes.Unauthenticated, "the server's proof of identity does not hold",
			"The server's proof is invalid. The client refuses.",
		}, {
			ServerIdentityMismatch, codes.Unauthenticated, "the server proved an identity that is not the expected one",
			"The server proved another identity than the expected one. The client refuses.",
		}, {
			ProofRequired, codes.Unauthenticated, "the call carries no proof that the caller holds its key",
			"The method requires a proof that the caller holds its key, and the call carried none.",
		}, {
			ProofReplayed, codes.Unauthenticated, "the proof was used before",
			"The call carried a proof that was used before.",
		}, {
			TokenSourceUnavailable, codes.Unavailable, "no token to call with is available",
			"The client has no token now. The client refuses.",
		}, {
			KeysUnavailable, codes.Unavailable, "the keys to check a credential with are not available",
			"The keys to verify a credential are not available now.",
		}, {
			AuthOverloaded, codes.ResourceExhausted, "too many credentials wait to be checked",
			"Authentication has reached one of its limits.",
		}, {
			PolicyDenied, codes.PermissionDenied, "permission denied",
			"The caller has proven its identity and may not do this.",
		}, {
			InsufficientScope, codes.PermissionDenied, "permission denied; another token could do",
			"The caller has proven its identity, and only scopes or claims of a token are missing.",
		}, {
			ConnectionExpired, codes.Unavailable, "the connection has ended; a new one will do",
			"The credential of the connection has expired.",
		}, {
			PlannedEnd, codes.Unavailable, "the connection ends as planned; a new one will do",
			"The connection or stream ended as planned, and the client continues on a new one. This is not a refusal.",
		}, {
			ConfigurationInvalid, codes.FailedPrecondition,
			"the configuration of this program is not usable; its Check says why",
			"The program's configuration has mistakes, which `App.Check` returns. The client refuses.",
		},
	}
}
