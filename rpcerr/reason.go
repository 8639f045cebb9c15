// Package rpcerr holds what Parley's packages tell each other through gRPC statuses: the reason of a refusal, and facts
// about one hop that must not travel further.
//
// A [Reason] is matched with errors.Is on the side that made the error and with [ReasonOf] on the side that received it:
//
//	if errors.Is(err, rpcerr.CredentialsExpired) { ... }      // made in this process
//	if rpcerr.ReasonOf(err) == rpcerr.CredentialsExpired { }   // made anywhere
package rpcerr

// Reason says why Parley refused a call, in words that give nothing away. It travels as the reason of a
// google.rpc.ErrorInfo whose domain is [Domain]. A Reason is an error only so that errors.Is can match it.
type Reason string

// Domain is the domain of every google.rpc.ErrorInfo that Parley makes.
const Domain = "parley"

// The closed set of reasons.
const (
	// The call carried no credential. UNAUTHENTICATED.
	CredentialsMissing Reason = "CREDENTIALS_MISSING"
	// The call's credential is not good, for whatever reason. UNAUTHENTICATED.
	CredentialsInvalid Reason = "CREDENTIALS_INVALID"
	// The credential was good once. UNAUTHENTICATED.
	CredentialsExpired Reason = "CREDENTIALS_EXPIRED"
	// The credential will be good later; the clocks differ. UNAUTHENTICATED.
	CredentialsNotYetValid Reason = "CREDENTIALS_NOT_YET_VALID"
	// The server did not prove its identity. UNAUTHENTICATED, decided by the client.
	ServerProofMissing Reason = "SERVER_PROOF_MISSING"
	// The server's proof does not hold. UNAUTHENTICATED, decided by the client.
	ServerProofInvalid Reason = "SERVER_PROOF_INVALID"
	// The server proved an identity that is not the expected one. UNAUTHENTICATED, decided by the client.
	ServerIdentityMismatch Reason = "SERVER_IDENTITY_MISMATCH"
	// The method demands proof that the caller holds its key, and the call carries none. UNAUTHENTICATED.
	ProofRequired Reason = "PROOF_REQUIRED"
	// The call carries a proof that was used before. UNAUTHENTICATED.
	ProofReplayed Reason = "PROOF_REPLAYED"
	// No token to call with can be had now. UNAVAILABLE, decided by the client.
	TokenSourceUnavailable Reason = "TOKEN_SOURCE_UNAVAILABLE"
	// The keys to check a credential with cannot be had now. UNAVAILABLE.
	KeysUnavailable Reason = "KEYS_UNAVAILABLE"
	// Too many credentials wait to be checked. RESOURCE_EXHAUSTED.
	AuthOverloaded Reason = "AUTH_OVERLOADED"
	// The caller is known and may not do this. PERMISSION_DENIED.
	PolicyDenied Reason = "POLICY_DENIED"
	// The caller is known, and only scopes or claims of its token or of the end user's are missing. PERMISSION_DENIED. Servers
	// say so only when they are told to.
	InsufficientScope Reason = "INSUFFICIENT_SCOPE"
	// The credential of the connection ended; a new connection will do. UNAVAILABLE.
	ConnectionExpired Reason = "CONNECTION_EXPIRED"
	// The connection or the stream ends as planned: it is of age, the server is about to stop, or a key was renewed. The
	// client may go on over a new connection at once. UNAVAILABLE, and no refusal.
	PlannedEnd Reason = "PLANNED_END"
	// The program's configuration is wrong, as App.Check says in full. FAILED_PRECONDITION, decided by the client.
	ConfigurationInvalid Reason = "CONFIGURATION_INVALID"
)

func (r Reason) Error() string { return string(r) }
